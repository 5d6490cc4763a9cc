"""A reconnect storm: every connection is cut, everybody comes back with what was not acknowledged."""

from __future__ import annotations

from array import array
from typing import Final

LONGEST_S: Final = 60.0


class Storm:
    """Who is still missing after the cut."""

    def __init__(self, people: int) -> None:
        self.at = 0.0
        self.hit = 0
        self.missing = 0
        """People who are not back yet, their batch acknowledged or, if they had none, the state read."""
        self.times = array("d")
        self._away = bytearray(people)
        self._cut = bytearray(people)

    def hits(self, person: int, now: float) -> None:
        """Cut somebody off."""
        self.at = now
        self._away[person] = self._cut[person] = 1
        self.hit += 1
        self.missing += 1

    def needs_connection(self, person: int) -> bool:
        """Say, once, that this person's next request opens a connection of its own."""
        cut = self._cut[person]
        self._cut[person] = 0
        return bool(cut)

    def is_back(self, person: int, now: float) -> bool:
        """Note that somebody's request was answered; True when it was the first one since the cut."""
        if not self._away[person]:
            return False
        self._away[person] = 0
        self.missing -= 1
        self.times.append(now - self.at)
        return True
