"""What the journal holds: joins and batches. No address, no user agent, ever.

A batch record holds only the entries that changed something when they came, each with its final form (ids
already given), so that records can be applied in any order, any number of times, with the same result.

In a block, what is frequent and plain (anonymous joins, batches of nothing but votes) is kept as columns: 9
bytes a vote, read back a million at a time. Everything else is kept record by record.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

RETRACTED: Final = -2
"""The stored value of a vote taken back; the smallest, so that a vote wins a tie in `seq` against it."""
LANGUAGES: Final = ("fr", "en")
NO_UNIT: Final = -1
_MOST: Final = 255
_WIDE: Final = 2**32
Ints = npt.NDArray[np.int64]


class JoinRecord(msgspec.Struct, frozen=True, array_like=True, tag=1, gc=False):
    """A participant came in. `subject` only in identified rooms, `name` never in anonymous ones."""

    participant: int
    at: int
    lang: str
    unit: int | None = None
    name: str | None = None
    subject: str | None = None


class IdeaRecord(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A contribution: `id` given by the room, `mark` made by the client (the same for every retry)."""

    id: int
    mark: str
    item: int | None
    kind: str | None
    text: str
    re: int | None = None


class BatchRecord(msgspec.Struct, frozen=True, array_like=True, tag=2, gc=False):
    """What one batch changed: votes (statement, value), ratings (item, scale, value), ideas."""

    participant: int
    seq: int
    at: int
    votes: tuple[tuple[int, int], ...] = ()
    ratings: tuple[tuple[int, str, int], ...] = ()
    ideas: tuple[IdeaRecord, ...] = ()


Record = JoinRecord | BatchRecord


_Joins = tuple[bytes, bytes, bytes, bytes]
_Votes = tuple[bytes, bytes, bytes, bytes, bytes, bytes]


class _Stored(msgspec.Struct, array_like=True):
    joins: _Joins  # participant u4, at i8, language u1, unit i4
    votes: _Votes  # a batch: participant u4, seq i8, at i8, count u1; a vote: statement u4 | i8, value i1
    others: list[Record]


@dataclass(frozen=True)
class VoteColumns:
    """Batches of votes: (B,) participant, seq, at, count, and (N,) statement, value in the order of batches."""

    participant: npt.NDArray[np.uint32]
    seq: Ints
    at: Ints
    count: npt.NDArray[np.uint8]
    statement: npt.NDArray[np.uint32] | Ints
    value: npt.NDArray[np.int8]


@dataclass(frozen=True)
class JoinColumns:
    """Anonymous joins: (J,) participant, at, language (its place in LANGUAGES), unit (-1: none)."""

    participant: Ints
    at: Ints
    language: Ints
    unit: Ints


class Block:
    """The records of one journal block; `others` are those that are not in columns."""

    def __init__(self, stored: _Stored) -> None:
        self.stored = stored
        self.others = stored.others

    def __iter__(self) -> Iterator[Record]:
        """Walk over all records one by one: joins, batches of votes, others."""
        joins, votes = joins_of([self]), votes_of([self])
        rows = (joins.participant.tolist(), joins.at.tolist(), joins.language.tolist(), joins.unit.tolist())
        for who, at, language, unit in zip(*rows, strict=True):
            yield JoinRecord(who, at, LANGUAGES[language], None if unit == NO_UNIT else unit)
        pairs = list(zip(votes.statement.tolist(), votes.value.tolist(), strict=True))
        batches = (votes.participant.tolist(), votes.seq.tolist(), votes.at.tolist(), votes.count.tolist())
        first = 0
        for who, seq, at, count in zip(*batches, strict=True):
            yield BatchRecord(who, seq, at, tuple(pairs[first : first + count]))
            first += count
        yield from self.others


def votes_of(blocks: Sequence[Block]) -> VoteColumns:
    """Give the batches of nothing but votes of many blocks, in their order; nothing is converted that need not be."""
    parts = [block.stored.votes for block in blocks if block.stored.votes[0]]
    participant, seq, at, count, value = (
        np.frombuffer(b"".join([part[place] for part in parts]), dtype)
        for place, dtype in ((0, "<u4"), (1, "<i8"), (2, "<i8"), (3, "u1"), (5, "i1"))
    )
    runs = [np.frombuffer(b"".join(run), dtype) for dtype, run in _runs(parts)]
    statement = runs[0] if len(runs) == 1 else np.concatenate([np.zeros(0, "<i8"), *runs])
    return VoteColumns(participant, seq, at, count, statement, value)


def joins_of(blocks: Sequence[Block]) -> JoinColumns:
    """Give the joins without a name of many blocks, in their order."""
    parts = [block.stored.joins for block in blocks if block.stored.joins[0]]
    columns = (
        np.frombuffer(b"".join([part[place] for part in parts]), dtype).astype(np.int64)
        for place, dtype in enumerate(("<u4", "<i8", "u1", "<i4"))
    )
    return JoinColumns(*columns)


def _runs(parts: Sequence[_Votes]) -> Iterator[tuple[str, list[bytes]]]:
    """Group the statement columns that follow each other in one width, with the type of their numbers."""
    for wide, run in groupby(parts, lambda part: len(part[4]) == 8 * len(part[5]) and len(part[5]) > 0):
        yield "<i8" if wide else "<u4", [part[4] for part in run]


_decoder = msgspec.msgpack.Decoder(_Stored)
_encoder = msgspec.msgpack.Encoder()


def encode(records: Sequence[Record]) -> bytes:
    """Give the payload of one journal block."""
    joins: list[JoinRecord] = []
    batches: list[BatchRecord] = []
    others: list[Record] = []
    for record in records:
        if type(record) is BatchRecord:
            plain = not record.ratings and not record.ideas and len(record.votes) <= _MOST
            (batches if plain else others).append(record)
        elif type(record) is JoinRecord and record.name is None and record.subject is None:
            joins.append(record)
        else:
            others.append(record)
    return _encoder.encode(_Stored(_joins(joins), _votes(batches), others))


def decode(payload: bytes | memoryview) -> Block:
    """Read one block; raises msgspec.DecodeError if it does not hold records."""
    stored = _decoder.decode(payload)
    people, times, languages, units = stored.joins
    participant, seq, at, count, statement, value = stored.votes
    fits = (
        len(people) * 2 == len(times) == len(languages) * 8 == len(units) * 2
        and len(participant) * 2 == len(seq) == len(at) == len(count) * 8
        and len(statement) in (4 * len(value), 8 * len(value))
        and sum(count) == len(value)
        and not any(one >= len(LANGUAGES) for one in languages)
    )
    if not fits:
        raise msgspec.DecodeError("the columns of a block do not fit together")
    return Block(stored)


def _joins(records: list[JoinRecord]) -> _Joins:
    return (
        np.array([one.participant for one in records], dtype="<u4").tobytes(),
        np.array([one.at for one in records], dtype="<i8").tobytes(),
        bytes(LANGUAGES.index(one.lang) for one in records),
        np.array([NO_UNIT if one.unit is None else one.unit for one in records], dtype="<i4").tobytes(),
    )


def _votes(records: list[BatchRecord]) -> _Votes:
    statements = [statement for one in records for statement, _ in one.votes]
    wide = max(statements, default=0) >= _WIDE
    return (
        np.array([one.participant for one in records], dtype="<u4").tobytes(),
        np.array([one.seq for one in records], dtype="<i8").tobytes(),
        np.array([one.at for one in records], dtype="<i8").tobytes(),
        bytes([len(one.votes) for one in records]),
        np.array(statements, dtype="<i8" if wide else "<u4").tobytes(),
        np.array([value for one in records for _, value in one.votes], dtype=np.int8).tobytes(),
    )
