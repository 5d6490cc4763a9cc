"""Writing into a room's journal without a server. Refused while a hub has the room open."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from essaim.live import reader, records
from essaim.live.records import BatchRecord, JoinRecord, Record
from essaim.live.store import Journal, shared_store

_BLOCK: Final = 20_000
_WORKER: Final = 0
LARGEST_LABEL: Final = 10_000_000


def append_records(address: Path | str, room: str, new: Sequence[Record]) -> None:
    """Append records to the journal of a room, durably; their participant numbers become its own.

    Raises LockedError while a hub has the room, UnknownRoomError if there is no such room.
    """
    with _writing(address, room) as journal:
        known = reader.read_room(shared_store(address), room).people.next_number
        _own(address, room, known, 1 + max((one.participant for one in new), default=-1))
        _append(journal, new)


def load_votes(address: Path | str, room: str, votes: Iterable[tuple[int, int, int, int]]) -> dict[int, int]:
    """Append votes given elsewhere as (participant label, statement id, vote, time in ms), in their order.

    The last vote of a pair wins. In an empty room each label becomes the participant of that number;
    otherwise labels are numbered after those already there. The numbers are returned. Raises ValueError for
    an unknown statement, a vote that is not 1, 0 or -1, or a label that no room could hold (nothing is
    written then), and what `append_records` raises.
    """
    with _writing(address, room) as journal:
        target = reader.read_room(shared_store(address), room)
        given: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
        for label, statement, vote, at in votes:
            if vote not in (1, 0, -1):
                raise ValueError(f"a vote is 1 (agree), -1 (disagree) or 0 (pass), not {vote!r}")
            if statement not in target.statements.votable:
                raise ValueError(f"statement {statement} is not in room {room}")
            if not 0 <= label <= LARGEST_LABEL:
                raise ValueError(f"participant {label} is not between 0 and {LARGEST_LABEL}")
            given[label].append((statement, vote, at))
        first = target.people.next_number
        labels = sorted(given)
        numbers = {label: first + place if first else label for place, label in enumerate(labels)}
        _own(address, room, first, 1 + max(numbers.values(), default=-1))
        new: list[Record] = []
        for label in labels:
            who = numbers[label]
            new.append(JoinRecord(who, given[label][0][2], target.spec.lang))
            # One record a vote: each keeps its own time, its place among the person's says which is last.
            new += [
                BatchRecord(who, seq, at, ((statement, vote),), (), ())
                for seq, (statement, vote, at) in enumerate(given[label], 1)
            ]
        _append(journal, new)
    return numbers


def read_records(address: Path | str, room: str) -> list[Record]:
    """Return every record of a room's journals, touching nothing."""
    return [one for block in reader.blocks(shared_store(address).tail(room).blocks()) for one in block]


@contextmanager
def _writing(address: Path | str, room: str) -> Iterator[Journal]:
    journal = shared_store(address).journal(room, _WORKER)
    try:
        yield journal
    finally:
        journal.close()


def _own(address: Path | str, room: str, first: int, end: int) -> None:
    """Claim the numbers from `first` to `end`, so that no worker hands them out."""
    store = shared_store(address)
    owned = max((one.stop for one in store.claimed(room, _WORKER)), default=0)
    start = max(first, owned)
    if end > start:
        store.claim(room, _WORKER, end - start, above=start)


def _append(journal: Journal, new: Sequence[Record]) -> None:
    for start in range(0, len(new), _BLOCK):
        journal.append(records.encode(new[start : start + _BLOCK]))
