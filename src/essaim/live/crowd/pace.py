"""How people behave in time, as the phone page does it."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

SLOWEST_S: Final = 16.0
FIRST_S: Final = 0.25
MOST_TRIES: Final = 6
ABORT_S: Final = 20.0
"""The phone gives a request up after this long."""
FAST_MS: Final = 2_000
"""A slower answer does not know the time (phone page)."""
AGEING: Final = 1.1
"""By how much what a phone knows of the time is worth less at each answer (phone page)."""


@dataclass(frozen=True)
class Pace:
    """How much the crowd does; times in seconds."""

    people: int
    minutes: float = 3.0
    join_over: float = 30.0
    every: float = 12.5
    jitter: float = 0.3
    votes: tuple[int, int] = (1, 3)
    ideas: float = 0.01
    poll: float = 0.0
    storm: bool = False
    patience: tuple[int, ...] = ()
    """How many statements each answers before leaving; empty: nobody leaves."""

    @property
    def horizon(self) -> float:
        """The farthest moment anybody plans ahead."""
        return max(self.join_over, self.every * (1 + self.jitter), self.poll * 1.3, 120.0) + 1


def backoff(tries: int, after: float) -> float:
    """Give the seconds to wait before try number `tries` + 1: full jitter, and what the server asks for."""
    full = random.random() * min(SLOWEST_S, FIRST_S * 2.0**tries)  # noqa: S311
    return max(full, after * (1 + random.random()))  # noqa: S311


def phase(state: Mapping[str, Any], now_ms: float) -> str:
    """Give the phase at `now_ms` by the server's clock, as the phone derives it from the plan sent ahead.

    `paused` while time stands still; `frozen` when nothing is taken any more.
    """
    if not state or state.get("phase") == "closed":
        return "closed" if state else "waiting"
    if state.get("frozen"):
        return "frozen"
    if state.get("paused"):
        return "paused"
    plan = state["plan"]
    begun = [one for one in plan if one["starts_at"] is not None and one["starts_at"] <= now_ms]
    if not begun:
        return "waiting"
    last = begun[-1]
    if last["ends_at"] is None or now_ms < last["ends_at"]:
        return str(last["name"])
    return "between" if len(begun) < len(plan) else "closed"
