"""What the journal holds: joins and batches, as compact tagged arrays. No address, no user agent, ever.

A batch record holds only the entries that changed something when they came, each with its final form (ids
already given), so that records can be applied in any order, any number of times, with the same result.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

RETRACTED: Final = -2
"""The stored value of a vote taken back; the smallest, so that a vote wins a tie in `seq` against it."""


class JoinRecord(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """A participant came in. `subject` only in identified rooms, `name` never in anonymous ones."""

    participant: int
    at: int
    lang: str
    unit: int | None = None
    name: str | None = None
    subject: str | None = None


class IdeaRecord(msgspec.Struct, frozen=True, array_like=True):
    """A contribution: `id` given by the room, `mark` made by the client (the same for every retry)."""

    id: int
    mark: str
    item: int | None
    kind: str | None
    text: str
    re: int | None = None


class BatchRecord(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """What one batch changed: votes (statement, value), ratings (item, scale, value), ideas."""

    participant: int
    seq: int
    at: int
    votes: tuple[tuple[int, int], ...] = ()
    ratings: tuple[tuple[int, str, int], ...] = ()
    ideas: tuple[IdeaRecord, ...] = ()


Record = JoinRecord | BatchRecord

_decoder = msgspec.msgpack.Decoder(list[Record])
_encoder = msgspec.msgpack.Encoder()


def encode(records: Sequence[Record]) -> bytes:
    """Give the payload of one journal block."""
    return _encoder.encode(records)


def decode(payload: bytes | memoryview) -> Iterable[Record]:
    """Read the records of one block; raises msgspec.DecodeError if it does not hold records."""
    return _decoder.decode(payload)
