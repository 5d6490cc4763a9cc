"""The participants of a room: numbers, units, and who was there lately. No name, no address."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from essaim.live.records import NO_UNIT, JoinRecord

_FEW = 50
Ints = npt.NDArray[np.int64]


class Participants:
    """Flat arrays by participant number (17 bytes each)."""

    def __init__(self) -> None:
        self.count = 0
        self.next_number = 0
        self._joined = bytearray()
        self._unit, self._seen_at = array("q"), array("q")
        self._subjects: dict[str, int] = {}

    def add(self, record: JoinRecord) -> None:
        """Take a join; of two joins of one subject the smaller number stands."""
        who = record.participant
        self.add_many([who], [NO_UNIT if record.unit is None else record.unit])
        if record.subject is not None:
            self._subjects[record.subject] = min(self._subjects.get(record.subject, who), who)

    def add_many(self, numbers: Sequence[int] | Ints, units: Sequence[int] | Ints) -> None:
        """Take joins by number and unit (-1: none)."""
        if not len(numbers):
            return
        self._grow(int(np.max(numbers)) + 1)
        if len(numbers) < _FEW:
            for who, unit in zip(numbers, units, strict=True):
                self.count += not self._joined[who]
                self._joined[who] = 1
                self._unit[who] = max(self._unit[who], unit)  # two joins of one number: whatever comes first
            return
        joined = np.frombuffer(self._joined, dtype=np.uint8)
        joined[numbers] = 1
        np.maximum.at(np.frombuffer(self._unit, dtype=np.int64), numbers, units)
        self.count = int(joined.sum())

    def is_in(self, number: int) -> bool:
        """Say whether this participant came in."""
        return number < self.next_number and self._joined[number] == 1

    def know(self, number: int) -> None:
        """A record names this participant, whose join may come later."""
        if number >= self.next_number:
            self._grow(number + 1)

    def numbered(self, subject: str) -> int | None:
        """Give the participant of a subject, None if it never came in."""
        return self._subjects.get(subject)

    def see(self, number: int, now: int) -> None:
        """This participant is here at `now` (ms)."""
        self.know(number)
        if now > self._seen_at[number]:
            self._seen_at[number] = now

    def present(self, since: int) -> int:
        """Count those seen after `since` (ms)."""
        return int((np.frombuffer(self._seen_at, dtype=np.int64) > since).sum()) if self._seen_at else 0

    def units(self) -> Ints:
        """Give the unit of each participant, -1 for none: (next_number,)."""
        return np.array(self._unit, dtype=np.int64)

    def joined(self) -> list[int]:
        """List the numbers of those who came in."""
        return np.flatnonzero(np.frombuffer(self._joined, dtype=np.uint8)).tolist()

    def adopt(self, other: Participants) -> None:
        """Go on above `other`, the same room read again: no number serves twice, who is here is known."""
        self._grow(other.next_number)
        self._seen_at = other._seen_at

    def _grow(self, size: int) -> None:
        missing = size - self.next_number
        if missing > 0:
            self.next_number = size
            self._joined.extend(bytes(missing))
            self._unit.extend([NO_UNIT] * missing)
            self._seen_at.extend([0] * missing)
