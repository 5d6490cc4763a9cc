"""What the crowd knows of the room: its state and phase, its frame, and its clock as each phone estimates it."""

from __future__ import annotations

import time
from array import array
from dataclasses import dataclass
from typing import Any

import numpy as np

from essaim.live.crowd import pace as paces
from essaim.live.crowd.target import Target, TargetError


@dataclass(frozen=True)
class Spread:
    """How far apart people would switch phase; ms around the median, over the people who gave an estimate."""

    people: int
    p50: float
    p99: float
    range: float
    uninformed: int
    """People whose plan is older than the newest one seen: they would switch by the former plan."""


class RoomView:
    """One room as seen from outside; `clocks`: keep an estimate a person of how far the server's clock is ahead."""

    def __init__(self, target: Target, people: int, *, clocks: bool) -> None:
        """Read state and frame. Raises TargetError when no crowd can come."""
        line = target.connection()
        try:
            self.before: dict[str, Any] = line.json(f"{target.path}/state")
            self.frame: dict[str, Any] = line.json(f"{target.path}/frame")
        finally:
            line.close()
        if self.frame.get("privacy") == "identified":
            raise TargetError("This session is for signed-in members: a crowd cannot join it.")
        if self.before.get("phase") == "closed":
            raise TargetError("This session is over: nobody can join.")
        self.state = self.before
        self.phase = "waiting"
        self.ahead_ms = 0.0
        self.wall = time.time() - time.monotonic()
        self.clocks = clocks
        self._shift = array("d", [float("nan")]) * (people if clocks else 0)
        self._took = array("d", [float(paces.FAST_MS)]) * (people if clocks else 0)
        self._rev = array("q", [-1]) * (people if clocks else 0)

    def hear(self, state: Any, now: float, took: float) -> None:
        """Take a state in, as a phone does: an older one is ignored."""
        if not isinstance(state, dict) or state.get("rev", -1) < self.state["rev"]:
            return
        self.state = state
        if took * 1000 < paces.FAST_MS:
            self.ahead_ms = state["now"] - (now + self.wall - took / 2) * 1000
        self.update(now)

    def update(self, now: float) -> None:
        """Switch phase by the plan when its moment has come."""
        self.phase = paces.phase(self.state, (now + self.wall) * 1000 + self.ahead_ms)

    def set_clock(self, person: int, body: bytes, now: float, asked: float) -> None:
        """Keep what this answer tells `person` of the server's clock and of the plan, with the phone's rounding."""
        at = body.find(b'"rev":') + 6
        self._rev[person] = int(body[at : body.find(b",", at)])
        took = int((now - asked) * 1000)
        self._took[person] *= paces.AGEING  # the quickest answer knows the time best, for a while
        if took < self._took[person]:
            self._took[person] = took
            at = body.find(b'"now":') + 6
            server = int(body[at : body.find(b"}", at)])
            self._shift[person] = server - int((asked + self.wall) * 1000) - took / 2

    def spread(self) -> Spread:
        """Give how far apart people would switch phase by the plan they hold and the clock they estimate."""
        shift = np.array(self._shift)
        known = shift[~np.isnan(shift)]
        rev = np.array(self._rev)
        uninformed = int(((rev >= 0) & (rev < rev.max(initial=-1))).sum())
        if not len(known):
            return Spread(0, 0.0, 0.0, 0.0, uninformed)
        away = np.abs(known - np.median(known))
        p50, p99 = np.quantile(away, [0.5, 0.99])
        return Spread(len(known), float(p50), float(p99), float(known.max() - known.min()), uninformed)
