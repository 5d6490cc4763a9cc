"""What is known of each simulated participant: columns, one place a person, about 300 bytes a person in all.

Lists, where arrays of numbers would be smaller: these places are read and written at every batch, and a list is twice as quick.
"""

from __future__ import annotations

from array import array
from typing import Final

MOST_VOTES: Final = 5
"""How many statements an answer brings, so the most that one batch can hold."""
OUTSIDE, INSIDE, GONE = 0, 1, 2


class People:
    """Columns for `count` people."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.stage = bytearray(count)
        self.tries = bytearray(count)
        self.number = array("q", [-1]) * count
        self.answered = array("i", [0]) * count
        self.ticket: list[bytes] = [b""] * count
        self.due: list[float] = [0.0] * count
        """When the request that is under way, or the next one, should have left (monotonic seconds)."""
        self.votes: list[bytes] = [b""] * count
        """The votes of the next batch, as they are sent, and one comma more: `[12,1],[40,-1],`."""
        self.out: list[bytes | None] = [None] * count
        """The request that was not acknowledged yet, to be sent again as it is."""
