"""The state of votes and ratings: what stands for each (participant, target), whatever the order of arrival.

The entry with the largest (seq, value) stands, so replays, late queues and two tabs cannot change the
result. Columns are flat arrays, so that a snapshot is a memory copy; an index a participant finds the place
of a pair.
"""

from __future__ import annotations

from array import array
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from essaim.live.records import RETRACTED

Target = TypeVar("Target", bound=Hashable)
_NONE: dict[object, int] = {}


@dataclass(frozen=True)
class Columns:
    """A copy of what stands: `target` is the statement, or the number of the (item, scale) of a rating."""

    participant: npt.NDArray[np.int64]
    target: npt.NDArray[np.int64]
    value: npt.NDArray[np.int8]
    at: npt.NDArray[np.int64]

    def live(self) -> Columns:
        """Leave out the votes that were taken back."""
        keep = self.value != RETRACTED
        return self if bool(keep.all()) else self.where(keep)

    def where(self, choice: npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> Columns:
        """Take some of the entries, by a mask or in an order."""
        return Columns(self.participant[choice], self.target[choice], self.value[choice], self.at[choice])


class Standing(Generic[Target]):
    """What stands for each (participant, target): value, with the seq and the time that brought it."""

    def __init__(self) -> None:
        self._places: dict[int, dict[Target, int]] = {}
        self._numbers: dict[Target, int] = {}
        self.targets: list[Target] = []
        self._participant, self._target = array("q"), array("q")
        self._seq, self._at, self._value = array("q"), array("q"), array("b")
        self.live = 0

    def __len__(self) -> int:
        return len(self._value)

    def would_change(self, participant: int, target: Target, seq: int, value: int) -> bool:
        """Say whether this entry would change what stands."""
        place = self._places.get(participant, _NONE).get(target)
        return place is None or (seq, value) > (self._seq[place], self._value[place])

    def put(self, participant: int, target: Target, seq: int, value: int, at: int) -> tuple[int | None, bool]:
        """Apply one entry; give what stood before (None: nothing) and whether this one stands now."""
        mine = self._places.get(participant)
        if mine is None:
            mine = self._places[participant] = {}
        place = mine.get(target)
        if place is None:
            mine[target] = len(self._value)
            self._participant.append(participant)
            self._target.append(self._number(target))
            self._seq.append(seq)
            self._at.append(at)
            self._value.append(value)
            self.live += value != RETRACTED
            return None, True
        before = self._value[place]
        known = (self._seq[place], before)
        if (seq, value) < known:
            return before, False
        if (seq, value) == known:
            # The same entry twice (a record applied again): the earliest time stands, in any order.
            self._at[place] = min(self._at[place], at)
            return before, False
        self._seq[place], self._value[place], self._at[place] = seq, value, at
        self.live += (value != RETRACTED) - (before != RETRACTED)
        return before, True

    def of(self, participant: int) -> dict[Target, int]:
        """Give what stands of one participant, without what was taken back."""
        values = self._value
        places = self._places.get(participant)
        if not places:
            return {}
        return {target: values[place] for target, place in places.items() if values[place] != RETRACTED}

    def has(self, participant: int, target: Target) -> bool:
        """Say whether this participant has an entry that stands on `target`."""
        place = self._places.get(participant, _NONE).get(target)
        return place is not None and self._value[place] != RETRACTED

    def count(self, participant: int) -> int:
        """Give how many targets this participant answered, those taken back included."""
        return len(self._places.get(participant, ()))

    def last_seq(self, participant: int) -> int:
        """Give the largest seq that stands for this participant, 0 if none."""
        seqs = self._seq
        return max((seqs[place] for place in self._places.get(participant, {}).values()), default=0)

    def columns(self) -> Columns:
        """Copy the columns (a few bytes an entry; fit for the event loop)."""
        return Columns(
            np.array(self._participant, dtype=np.int64),
            np.array(self._target, dtype=np.int64),
            np.array(self._value, dtype=np.int8),
            np.array(self._at, dtype=np.int64),
        )

    def triples(self) -> Iterator[tuple[int, Target, int]]:
        """Walk over what stands, in no particular order."""
        for participant, number, value in zip(self._participant, self._target, self._value, strict=True):
            if value != RETRACTED:
                yield participant, self.targets[number], value

    def _number(self, target: Target) -> int:
        number = self._numbers.get(target)
        if number is None:
            number = self._numbers[target] = len(self.targets)
            self.targets.append(target)
        return number
