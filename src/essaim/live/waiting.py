"""The waiting room in front of a join: a bucket, and behind it numbers in the order in which people came.

Pure: times are milliseconds passed in. A number is the moment of arrival and a keyed MAC of it, so that it
needs no store, cannot be made up, and means the same to every worker of a room.
"""

from __future__ import annotations

import hmac
from array import array
from bisect import bisect_left
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

VALID_MS: Final = 3_600_000
"""A number is good for this long after it was given."""
_MAC: Final = 8
_PURPOSE: Final = b"essaim-waiting"
_LONGEST: Final = 40


@dataclass(frozen=True)
class Place:
    """A place in the waiting room: the number to come back with, who is ahead, seconds until one's turn."""

    number: str
    ahead: int
    wait_s: float


class WaitingRoom:
    """Lets `burst` people in at once, then `per_s` a second in the order of their numbers.

    A number lets in once. One that comes after its turn still does: its place in the flow was left free.
    """

    def __init__(self, burst: float, per_s: float, *, most: int = 1_000_000) -> None:
        self._burst, self._per_s, self._most = float(burst), float(per_s), most
        self._level, self._at = float(burst), 0
        # Moments (us) of the numbers given here, in order; those before `_passed` have had their turn.
        self._given = array("q")
        self._passed = 0
        self._head = 0
        self._used: set[int] = set()
        self._used_before: set[int] = set()
        self._turned = 0

    def __len__(self) -> int:
        """Count the numbers whose turn has not come."""
        return len(self._given) - self._passed

    def come(self, key: bytes, number: str | None, now: int) -> Place | None:
        """Let somebody in (None), or give them their place. A number that is no good counts as none.

        Raises OverflowError when as many wait as the room could ever take.
        """
        self._advance(now)
        moment = _moment(key, number) if number else None
        if moment is not None and (
            moment < (now - VALID_MS) * 1000 or moment in self._used or moment in self._used_before
        ):
            moment = None
        if moment is not None and moment <= self._head:
            self._used.add(moment)
            return None
        ahead = len(self) if moment is None else bisect_left(self._given, moment, self._passed) - self._passed
        if ahead == 0 and self._level >= 1:
            self._level -= 1
            if moment is not None:
                self._used.add(moment)
            return None
        if moment is None:
            if len(self) >= self._most:
                raise OverflowError("too many people are waiting")
            # Two who come in the same millisecond still have an order.
            moment = max(now * 1000, self._given[-1] + 1 if self._given else 0, self._head + 1)
            self._given.append(moment)
        return Place(_number(key, moment), ahead, (ahead + 1 - self._level) / self._per_s)

    def _advance(self, now: int) -> None:
        """Refill the bucket; what is in it is spent on those who wait first."""
        if now > self._at:
            # Enough for all who wait, and a full bucket behind them: what a quiet minute left is made up for.
            most = self._burst + len(self)
            self._level = min(most, self._level + (now - self._at) * self._per_s / 1000)
            self._at = now
        turns = min(int(self._level), len(self))
        if turns:
            self._passed += turns
            self._level -= turns
            self._head = self._given[self._passed - 1]
            if self._passed == len(self._given) or self._passed > 65_536:
                del self._given[: self._passed]
                self._passed = 0
        self._level = min(self._level, self._burst)
        if now - self._turned >= VALID_MS:
            self._used_before, self._used, self._turned = self._used, set(), now


def _number(key: bytes, moment: int) -> str:
    mac = blake2b(b"%d" % moment, digest_size=_MAC, key=key, person=_PURPOSE).hexdigest()
    return f"{moment}-{mac}"


def _moment(key: bytes, number: str) -> int | None:
    """Read a number; None if it is not one of ours, spelled as it was given."""
    text = number.partition("-")[0]
    if len(number) > _LONGEST or not number.isascii() or not text.isdigit():
        return None
    moment = int(text)
    return moment if hmac.compare_digest(number, _number(key, moment)) else None
