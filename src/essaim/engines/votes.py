"""Who answered what to which statement, in one canonical sparse form.

Two streams of the same ballots, in whatever order they arrived, give byte-identical matrices as long as the
last vote of each pair is the same. Everything computed from a `VoteMatrix` inherits that.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

Ints = npt.NDArray[np.int64]
Votes = npt.NDArray[np.int8]

AGREE, DISAGREE, PASS = 1, -1, 0


@dataclass(frozen=True, eq=False)
class VoteMatrix:
    """Participants x statements, compressed by rows; a pair that is not stored was never answered.

    participants: (P,) int64, ascending ids.        statements: (C,) int64, ascending ids.
    indptr: (P+1,) int64, where each row starts.    indices: (N,) int32 columns, ascending in a row.
    values: (N,) int8, +1 agree, -1 disagree, 0 pass. A pass is a vote; not having seen is not.
    """

    participants: Ints
    statements: Ints
    indptr: Ints
    indices: npt.NDArray[np.int32]
    values: Votes

    @property
    def shape(self) -> tuple[int, int]:
        """(participants, statements)."""
        return len(self.participants), len(self.statements)

    @property
    def count(self) -> int:
        """Number of votes that stand (one a pair)."""
        return len(self.values)

    @property
    def votes_of_participant(self) -> Ints:
        """(P,) votes cast by each participant, passes included."""
        return np.diff(self.indptr)

    def rows(self) -> npt.NDArray[np.int32]:
        """(N,) row of every stored vote."""
        return np.repeat(np.arange(self.shape[0], dtype=np.int32), self.votes_of_participant)

    def with_values(self, values: npt.NDArray[Any]) -> csr_array[Any]:
        """A scipy matrix with this pattern and other values (N,), sharing the index arrays."""
        matrix = csr_array((values, self.indices, self.indptr), shape=self.shape)
        matrix.has_sorted_indices = True
        matrix.has_canonical_format = True
        return matrix


def from_triples(
    participant: npt.ArrayLike,
    statement: npt.ArrayLike,
    vote: npt.ArrayLike,
    *,
    statements: Iterable[int] | None = None,
    participants: Iterable[int] | None = None,
) -> VoteMatrix:
    """The matrix of a stream of votes, where the last vote of a pair (in the given order) wins.

    participant, statement, vote: (N,) integers of equal length, any ids, votes in {-1, 0, +1}.
    statements, participants: further ids that exist without any vote (empty columns and rows).
    Raises ValueError for unequal lengths, ids that are not integers, or another vote value.
    """
    people, cards, values = _ids(participant, "participant"), _ids(statement, "statement"), _ids(vote, "vote")
    if not len(people) == len(cards) == len(values):
        raise ValueError(
            f"unequal lengths: {len(people)} participants, {len(cards)} statements, {len(values)} votes"
        )
    wrong = np.flatnonzero((values < -1) | (values > 1))
    if len(wrong):
        at = int(wrong[0])
        raise ValueError(f"a vote is 1 (agree), -1 (disagree) or 0 (pass); got {values[at]} at position {at}")
    row_ids, row = _coded(people, participants)
    column_ids, column = _coded(cards, statements)
    keep = _last_of_each(row * max(len(column_ids), 1) + column)
    row, column = row[keep], column[keep]
    indptr = np.zeros(len(row_ids) + 1, dtype=np.int64)
    np.cumsum(np.bincount(row, minlength=len(row_ids)), out=indptr[1:])
    return _frozen(row_ids, column_ids, indptr, column.astype(np.int32), values[keep].astype(np.int8))


def _frozen(
    row_ids: Ints, column_ids: Ints, indptr: Ints, indices: npt.NDArray[np.int32], values: Votes
) -> VoteMatrix:
    for array in (row_ids, column_ids, indptr, indices, values):
        array.flags.writeable = False
    return VoteMatrix(row_ids, column_ids, indptr, indices, values)


def _ids(given: npt.ArrayLike, name: str) -> Ints:
    array = np.asarray(given)
    if array.ndim != 1:
        raise ValueError(f"{name}: a one-dimensional array is needed, got shape {array.shape}")
    if not len(array):
        return np.zeros(0, dtype=np.int64)
    if array.dtype.kind not in "iu":
        raise ValueError(f"{name}: integers are needed, got {array.dtype}")
    return array.astype(np.int64)


def _coded(ids: Ints, extra: Iterable[int] | None) -> tuple[Ints, Ints]:
    """Distinct ids in ascending order (with `extra`), and the place of each given id among them."""
    others = np.fromiter((int(i) for i in extra), dtype=np.int64) if extra is not None else ids[:0]
    low = int(min(ids.min(initial=0), others.min(initial=0)))
    span = int(max(ids.max(initial=0), others.max(initial=0))) - low + 1
    if span <= 8 * (len(ids) + len(others)) + 65536:  # a table is far quicker than sorting
        present = np.zeros(span, dtype=bool)
        present[ids - low] = True
        present[others - low] = True
        distinct = np.flatnonzero(present)
        place = np.cumsum(present) - 1
        return distinct + low, place[ids - low]
    distinct = np.unique(np.concatenate([ids, others]))
    return distinct, np.searchsorted(distinct, ids).astype(np.int64)


def _last_of_each(key: Ints) -> Ints:
    """Positions of the last occurrence of every key, in ascending order of key."""
    count = len(key)
    if count < 2:
        return np.arange(count)
    if bool(np.all(key[1:] > key[:-1])):
        return np.arange(count)
    bits = count.bit_length()
    if int(key.max()) < 1 << (62 - bits):  # key and position packed in one word: a plain sort is enough
        packed = np.sort(key << bits | np.arange(count))
        ordered, position = packed >> bits, packed & ((1 << bits) - 1)
    else:
        position = np.argsort(key, kind="stable")
        ordered = key[position]
    last = np.ones(count, dtype=bool)
    last[:-1] = ordered[1:] != ordered[:-1]
    return position[last]
