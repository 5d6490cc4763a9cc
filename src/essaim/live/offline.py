"""Writing into a room's journal without a server. Refused while a hub holds the room."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from essaim.live import journal, reader, records
from essaim.live.files import JOURNAL, Lock, read_spec, room_dir
from essaim.live.journal import JournalFile
from essaim.live.limits import WIDE
from essaim.live.records import BatchRecord, JoinRecord, Record
from essaim.live.room import Room

_BLOCK: Final = 20_000
LARGEST_LABEL: Final = 10_000_000


def append_records(data_dir: Path | str, room: str, new: Sequence[Record], *, now: int) -> None:
    """Append records to the journal of a room, durably.

    Raises LockedError while a hub holds the room, UnknownRoomError if there is no such room.
    """
    with _writing(data_dir, room, now) as (_target, file):
        _append(file, new)


def load_votes(
    data_dir: Path | str, room: str, votes: Iterable[tuple[int, int, int, int]], *, now: int
) -> dict[int, int]:
    """Append votes given elsewhere as (participant label, statement id, vote, time in ms), in their order.

    The last vote of a pair wins. In an empty room each label becomes the participant of that number;
    otherwise labels are numbered after those already there. The numbers are returned. Raises ValueError for
    an unknown statement, a vote that is not 1, 0 or -1, or a label that no room could hold (nothing is
    written then), and what `append_records` raises.
    """
    with _writing(data_dir, room, now) as (target, file):
        given: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
        for label, statement, vote, at in votes:
            if vote not in (1, 0, -1):
                raise ValueError(f"a vote is 1 (agree), -1 (disagree) or 0 (pass), not {vote!r}")
            if not target.statements.votable(statement):
                raise ValueError(f"statement {statement} is not in room {room}")
            if not 0 <= label <= LARGEST_LABEL:
                raise ValueError(f"participant {label} is not between 0 and {LARGEST_LABEL}")
            given[label].append((statement, vote, at))
        first = target.next_participant
        labels = sorted(given)
        numbers = {label: first + place if first else label for place, label in enumerate(labels)}
        new: list[Record] = []
        for label in labels:
            who = numbers[label]
            new.append(JoinRecord(who, given[label][0][2], target.spec.lang))
            # One record a vote: each keeps its own time, its place among the person's says which is last.
            new += [
                BatchRecord(who, seq, at, ((statement, vote),), (), ())
                for seq, (statement, vote, at) in enumerate(given[label], 1)
            ]
        _append(file, new)
    return numbers


def read_records(data_dir: Path | str, room: str) -> list[Record]:
    """Return every record of a room's journal in the order written, touching nothing."""
    return [record for block in journal.read(room_dir(data_dir, room) / JOURNAL) for record in block]


@contextmanager
def _writing(data_dir: Path | str, room: str, now: int) -> Iterator[tuple[Room, JournalFile]]:
    read_spec(data_dir, room)
    lock = Lock(room_dir(data_dir, room))
    try:
        target, file = reader.open_room(data_dir, room, WIDE, now)
        try:
            yield target, file
        finally:
            file.close()
    finally:
        lock.release()


def _append(file: JournalFile, new: Sequence[Record]) -> None:
    for start in range(0, len(new), _BLOCK):
        file.append(records.encode(new[start : start + _BLOCK]))
