"""Rebuilding a room from disk: for its hub when it opens, and read-only for whoever only wants to look."""

from __future__ import annotations

import dataclasses
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Final

from essaim.live import journal
from essaim.live.files import JOURNAL, SPEC, read_spec, room_dir, room_key
from essaim.live.journal import JournalFile
from essaim.live.limits import Limits
from essaim.live.projections import RoomView, build, map_opinion, refreshed, snapshot
from essaim.live.room import Room

_KEPT: Final = 8
_Stamp = tuple[int, ...]
_cache: OrderedDict[tuple[str, str], tuple[_Stamp, RoomView]] = OrderedDict()
_guard = threading.Lock()


def open_room(data_dir: Path | str, name: str, limits: Limits, now: int) -> tuple[Room, JournalFile]:
    """Rebuild a room and open its journal for appending; the caller holds the room's lock."""
    room = Room(read_spec(data_dir, name), room_key(data_dir, name), limits)
    file = JournalFile(room_dir(data_dir, name) / JOURNAL)
    for block in file.open(now):
        for record in block:
            room.apply(record)
        room.settle(block)
    return room, file


def read_room(data_dir: Path | str, name: str) -> Room:
    """Rebuild a room from what is on disk, touching nothing, also while another process writes it."""
    room = Room(read_spec(data_dir, name), b"")  # no key: nobody is let in or checked here
    for block in journal.read(room_dir(data_dir, name) / JOURNAL):
        for record in block:
            room.apply(record)
        room.settle(block)
    return room


def read_view(data_dir: Path | str, name: str, now: int) -> RoomView:
    """Rebuild the view of a room from disk; the last few are kept while their files do not change."""
    folder = room_dir(data_dir, name)
    key = (str(folder), name)
    # Stamped before reading: a file that grows meanwhile is read again at the next call.
    stamp = (*_stamp(folder / SPEC), *_stamp(folder / JOURNAL))
    with _guard:
        known = _cache.get(key)
        if known is not None and known[0] == stamp:
            _cache.move_to_end(key)
            return refreshed(known[1], now, 0)
    view = build(snapshot(read_room(data_dir, name), now), None)
    opinion = map_opinion(view)
    if opinion is not None:
        view = dataclasses.replace(view, opinion=opinion)
    with _guard:
        _cache[key] = (stamp, view)
        while len(_cache) > _KEPT:
            _cache.popitem(last=False)
    return view


def _stamp(path: Path) -> _Stamp:
    try:
        known = path.stat()
    except FileNotFoundError:
        return (0, 0, 0)
    return (known.st_ino, known.st_size, known.st_mtime_ns)
