"""The state of votes and ratings: what stands for each (participant, target), whatever the order of arrival.

The entry with the largest (seq, value) stands, so replays, late queues and two tabs cannot change the
result. One integer holds both, so that comparing entries is comparing integers.

Four forms of the same facts: the *cold* rows (a large journal as it was read, until it is warmed up), the *base*
(arrays sorted by participant, made in one go from a journal), the *log* (arrays that grow at the end, what
stood at each moment since), and the *hands* (a dictionary for each participant who is active here, made from
the base when they first come). A copy costs nothing to take and is resolved in another thread.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from essaim.live.records import RETRACTED

Target = TypeVar("Target", bound=Hashable)
Ints = npt.NDArray[np.int64]
CODES: Final = 128
"""An entry is seq x 128 + code; the code of a value is value + 2, so that 0 is a vote taken back."""
CODE: Final = CODES - 1
_CHUNK: Final = 65_536
_NOTHING: Final[dict[int, int]] = {}


@dataclass(frozen=True)
class Columns:
    """What stands: `target` is the number of the statement, or of the (item, scale) of a rating."""

    participant: Ints
    target: Ints
    value: npt.NDArray[np.int8]
    at: Ints

    def where(self, choice: npt.NDArray[np.bool_] | Ints) -> Columns:
        """Take some of the entries, by a mask or in an order."""
        return Columns(self.participant[choice], self.target[choice], self.value[choice], self.at[choice])


@dataclass(frozen=True)
class Rows:
    """Entries as arrays of equal length, `number` being that of the target."""

    participant: Ints
    number: Ints
    entry: Ints
    at: Ints

    def where(self, choice: npt.NDArray[np.bool_] | Ints | slice) -> Rows:
        return Rows(self.participant[choice], self.number[choice], self.entry[choice], self.at[choice])

    @staticmethod
    def joined(parts: Sequence[Rows]) -> Rows:
        parts = [one for one in parts if len(one.at)] or [EMPTY]
        if len(parts) == 1:
            return parts[0]
        return Rows(
            np.concatenate([one.participant for one in parts]),
            np.concatenate([one.number for one in parts]),
            np.concatenate([one.entry for one in parts]),
            np.concatenate([one.at for one in parts]),
        )


EMPTY: Final = Rows(*(np.zeros(0, dtype=np.int64) for _ in range(4)))


def _no_rows() -> Rows:
    return EMPTY


@dataclass(frozen=True)
class Copy:
    """What stood at one moment, not yet resolved; may be read in any thread while the room goes on."""

    parts: tuple[Rows, ...]
    cold: Callable[[], Rows]

    def standing(self, rank: Ints | None = None) -> Columns:
        """Resolve: one entry a pair, those taken back left out, by participant, then by `rank` of the target.

        rank: (T,) place of each target number in the wanted order; the order of numbers without it.
        """
        rows = _resolved(Rows.joined([self.cold(), *self.parts]), rank)
        rows = rows.where((rows.entry & CODE) != 0)
        value = ((rows.entry & CODE) + RETRACTED).astype(np.int8)
        return Columns(rows.participant, rows.number, value, rows.at)


class Standing(Generic[Target]):
    """What stands for each (participant, target): value, with the seq and the time that brought it."""

    def __init__(self) -> None:
        self.numbers: dict[Target, int] = {}
        self.targets: list[Target] = []
        self.live = 0
        self._hands: dict[int, dict[int, int]] = {}
        self._cold: Callable[[], Rows] = _no_rows
        self._base = EMPTY
        self._starts = np.zeros(1, dtype=np.int64)
        self._sealed: list[Rows] = []
        self._begin_chunk()

    def number(self, target: Target) -> int:
        """Give the number of a target, a new one at first sight."""
        number = self.numbers.get(target)
        if number is None:
            number = self.numbers[target] = len(self.targets)
            self.targets.append(target)
        return number

    def hand(self, participant: int) -> dict[int, int]:
        """Give {target number: entry} of a participant; the caller does not change it."""
        hand = self._hands.get(participant)
        if hand is None:
            # While the rows are cold everybody is new: what they send again is kept again, which changes nothing.
            hand = self._dealt(participant)
            if hand:
                self._hands[participant] = hand
        return hand

    def would_change(self, participant: int, target: Target, seq: int, value: int) -> bool:
        """Say whether this entry would change what stands."""
        number = self.numbers.get(target)
        if number is None:
            return True
        return seq * CODES + value - RETRACTED > self.hand(participant).get(number, -1)

    def put(self, participant: int, target: Target, seq: int, value: int, at: int) -> tuple[int | None, bool]:
        """Apply one entry; give what stood before (None: nothing) and whether this one stands now."""
        number = self.number(target)
        hand = self.hand(participant)
        if hand is _NOTHING:
            hand = self._hands[participant] = {}
        entry = seq * CODES + value - RETRACTED
        known = hand.get(number, -1)
        before = None if known < 0 else (known & CODE) + RETRACTED
        if entry < known:
            return before, False
        # The same entry again (a record applied twice) goes into the log for its time: the earliest counts.
        self._participant.append(participant)
        self._number.append(number)
        self._entry.append(entry)
        self._at.append(at)
        if len(self._at) >= _CHUNK:
            self._seal()
        if entry == known:
            return before, False
        hand[number] = entry
        self.live += (value != RETRACTED) - (before is not None and before != RETRACTED)
        return before, True

    def load(self, rows: Rows) -> None:
        """Take many entries at once, in any order, into a store that holds nothing yet."""
        rows = self._base = _resolved(rows, None)
        people = int(rows.participant.max(initial=-1)) + 1
        self._starts = np.zeros(people + 1, dtype=np.int64)
        np.cumsum(np.bincount(rows.participant, minlength=people), out=self._starts[1:])
        self.live = int(((rows.entry & CODE) != 0).sum())

    def of(self, participant: int) -> dict[Target, int]:
        """Give what stands of one participant, without what was taken back."""
        targets = self.targets
        return {
            targets[number]: (entry & CODE) + RETRACTED
            for number, entry in self.hand(participant).items()
            if entry & CODE
        }

    def count(self, participant: int) -> int:
        """Give how many targets this participant answered, those taken back included."""
        return len(self.hand(participant))

    def last_seq(self, participant: int) -> int:
        """Give the largest seq that stands for this participant, 0 if none."""
        return max(self.hand(participant).values(), default=0) // CODES

    def copy(self) -> Copy:
        """Take a copy (at most one chunk is really copied: fit for the event loop)."""
        return Copy((self._base, *self.log()), self._cold)

    def log(self, first: int = 0) -> tuple[Rows, ...]:
        """Give what was applied since the base, from row `first` on (the last chunk is copied)."""
        parts, found = (*self._sealed, self._open_chunk()), []
        for part in parts:
            if first < len(part.at):
                found.append(part.where(slice(first, None)) if first > 0 else part)
            first -= len(part.at)
        return tuple(found)

    @property
    def log_size(self) -> int:
        """How many rows the log holds."""
        return sum(len(one.at) for one in self._sealed) + len(self._at)

    # Inside

    def _dealt(self, participant: int) -> dict[int, int]:
        if participant + 1 >= len(self._starts):
            return _NOTHING
        first, last = self._starts[participant], self._starts[participant + 1]
        if first == last:
            return _NOTHING
        number, entry = self._base.number[first:last], self._base.entry[first:last]
        return dict(zip(number.tolist(), entry.tolist(), strict=True))

    def _begin_chunk(self) -> None:
        self._participant, self._number = array("q"), array("q")
        self._entry, self._at = array("q"), array("q")

    def _open_chunk(self) -> Rows:
        return Rows(
            np.array(self._participant, dtype=np.int64),
            np.array(self._number, dtype=np.int64),
            np.array(self._entry, dtype=np.int64),
            np.array(self._at, dtype=np.int64),
        )

    def _seal(self) -> None:
        self._sealed.append(self._open_chunk())
        self._begin_chunk()


class Votes(Standing[int]):
    """Votes on statements, with tallies: four counts a statement number, by code (0: taken back)."""

    def __init__(self) -> None:
        super().__init__()
        self.tallies: list[int] = []

    def number(self, target: int) -> int:
        """Give the number of a statement, a new one at first sight."""
        number = super().number(target)
        if 4 * number == len(self.tallies):
            self.tallies += (0, 0, 0, 0)
        return number

    def put(self, participant: int, target: int, seq: int, value: int, at: int) -> tuple[int | None, bool]:
        """Apply one vote; give what stood before (None: nothing) and whether this one stands now."""
        before, stands = super().put(participant, target, seq, value, at)
        if stands:
            place = 4 * self.numbers[target] - RETRACTED
            self.tallies[place + value] += 1
            if before is not None:
                self.tallies[place + before] -= 1
        return before, stands

    def cast(
        self, participant: int, seq: int, at: int, votes: Sequence[tuple[int, int]], numbers: Sequence[int]
    ) -> list[tuple[int, int]]:
        """Apply the votes of one batch, whose statements have these numbers; give those that changed anything.

        The same as `put` for each that would change something, in one pass: this is the hot path.
        """
        hand = self.hand(participant)
        if hand is _NOTHING:
            hand = self._hands[participant] = {}
        changed = []
        fresh, tallies = seq * CODES - RETRACTED, self.tallies
        for vote, number in zip(votes, numbers, strict=True):
            entry = fresh + vote[1]
            known = hand.get(number, -1)
            if entry <= known:
                continue
            hand[number] = entry
            place = 4 * number
            tallies[place + (entry & CODE)] += 1
            if known >= 0:
                tallies[place + (known & CODE)] -= 1
                self.live -= (known & CODE) != 0
            self.live += (entry & CODE) != 0
            self._participant.append(participant)
            self._number.append(number)
            self._entry.append(entry)
            self._at.append(at)
            changed.append(vote)
        if len(self._at) >= _CHUNK:
            self._seal()
        return changed

    def load(self, rows: Rows) -> None:
        """Take many votes at once, in any order, into a store that holds nothing yet."""
        super().load(rows)
        rows = self._base
        cells = rows.number * 4 + (rows.entry & CODE)
        self.tallies = np.bincount(cells, minlength=4 * len(self.targets)).tolist()

    # Warming up: a room serves at once after a restart, while a thread sorts the millions of votes it had

    @property
    def is_cold(self) -> bool:
        """Whether rows wait to be warmed up: until then counts are those of the rows, and tallies too small."""
        return self._cold is not _no_rows

    def load_cold(self, rows: Callable[[], Rows], count: int) -> None:
        """Keep `count` votes as they were read, into a store that holds nothing yet; `rows` makes their rows."""
        self._cold = rows
        self.live = count

    def warmed(self, log: tuple[Rows, ...]) -> Votes:
        """Make the same votes with cold rows and `log` sorted; costly, for a thread (it reads what never changes)."""
        warm = Votes()
        warm.numbers, warm.targets = self.numbers, self.targets  # shared: statements keep their numbers
        warm.load(Rows.joined([self._cold(), *log]))
        return warm

    def follow(self, log: tuple[Rows, ...]) -> None:
        """Apply what another store of the same statements logged."""
        self.tallies += [0] * (4 * len(self.targets) - len(self.tallies))
        for rows in log:
            columns = (rows.participant.tolist(), rows.number.tolist(), rows.entry.tolist(), rows.at.tolist())
            for participant, number, entry, at in zip(*columns, strict=True):
                value = (entry & CODE) + RETRACTED
                self.put(participant, self.targets[number], entry // CODES, value, at)


def _resolved(rows: Rows, rank: Ints | None) -> Rows:
    """Keep one entry of each (participant, number): the largest, at its earliest time; sorted by both."""
    count = len(rows.entry)
    if not count:
        return rows
    place = rows.number if rank is None else rank[rows.number]
    key = rows.participant * (int(place.max()) + 1) + place
    if count > 1 and not bool(np.all(key[1:] > key[:-1])):
        bits = count.bit_length()
        if int(key.max()) < 1 << (62 - bits):  # key and position in one word: a plain sort is enough
            packed = np.sort(key << bits | np.arange(count))
            key, order = packed >> bits, packed & ((1 << bits) - 1)
        else:
            order = np.argsort(key, kind="stable")
            key = key[order]
        rows = rows.where(order)
    again = key[1:] == key[:-1]
    if not bool(again.any()):
        return rows
    # Only the pairs met more than once need a closer look: few, for most people vote once.
    several = np.zeros(count, dtype=bool)
    several[1:] |= again
    several[:-1] |= again
    spots = np.flatnonzero(several)
    order = np.lexsort((-rows.at[spots], rows.entry[spots], key[spots]))
    best = spots[order]
    last = np.ones(len(best), dtype=bool)
    last[:-1] = key[best[1:]] != key[best[:-1]]
    keep = np.flatnonzero(~several)
    return rows.where(np.sort(np.concatenate([keep, best[last]])))
