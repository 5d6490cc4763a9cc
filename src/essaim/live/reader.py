"""Rebuilding a room from its store: for whoever takes part in it, and for whoever only wants to look."""

from __future__ import annotations

import dataclasses
import logging
import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterable
from pathlib import Path
from typing import Final

import msgspec

from essaim.live import records
from essaim.live.errors import KeyDestroyedError
from essaim.live.limits import Limits
from essaim.live.numbers import Numbers
from essaim.live.projections import RoomView, build, map_opinion, refreshed, snapshot
from essaim.live.records import Block
from essaim.live.room import Room
from essaim.live.store import Payload, Store, Tail, shared_store

COLD_FROM: Final = 300_000
"""Votes: fewer are sorted in a quarter of a second, before the room opens."""
_KEPT: Final = 8
_cache: OrderedDict[tuple[str, str], tuple[Hashable, RoomView]] = OrderedDict()
_guard = threading.Lock()
_log = logging.getLogger(__name__)


def open_room(store: Store, name: str, limits: Limits, worker: int | None) -> tuple[Room, Tail]:
    """Rebuild a room to take part in it as `worker` (None: only to follow); its journals are followed by the tail."""
    spec = store.read_spec(name)
    try:
        key = store.key(name)
    except KeyDestroyedError:
        key = None
    tail = store.tail(name)
    claimed = None
    if worker is not None:
        # A burnt code may hold a number whose join did not come any more: nobody else gets one of an earlier run.
        burns = spec.codes is not None or store.burnt(name) > 0
        claimed = Numbers(() if burns else store.claimed(name, worker))
    room = Room(spec, key, limits, claimed)
    room.load(blocks(tail.blocks()), cold_from=COLD_FROM)
    if claimed is not None:
        claimed.skip_used(room.people.joined())
    return room, tail


def read_room(store: Store, name: str) -> Room:
    """Rebuild a room, touching nothing, also while others write it; nobody is let in or checked here."""
    room = Room(store.read_spec(name), None)
    room.load(blocks(store.tail(name).blocks()))
    return room


def read_view(address: Path | str, name: str, now: int) -> RoomView:
    """Rebuild the view of a room; the last few are kept while nothing of them changes."""
    store = shared_store(address)
    key = (store.address, name)
    # Stamped before reading: a journal that grows meanwhile is read again at the next call.
    stamp = (store.spec_stamp(name), store.journal_stamp(name))
    with _guard:
        known = _cache.get(key)
        if known is not None and known[0] == stamp:
            _cache.move_to_end(key)
            return refreshed(known[1], now, 0)
    view = build(snapshot(read_room(store, name), now), None)
    opinion = map_opinion(view)
    if opinion is not None:
        view = dataclasses.replace(view, opinion=opinion)
    with _guard:
        _cache[key] = (stamp, view)
        while len(_cache) > _KEPT:
            _cache.popitem(last=False)
    return view


def blocks(payloads: Iterable[Payload]) -> list[Block]:
    """Decode payloads; one that does not hold records (its checksum was good: another program wrote it) is left out."""
    found = []
    for payload in payloads:
        try:
            found.append(records.decode(payload))
        except msgspec.DecodeError:
            _log.exception("journal: a whole block does not hold records")
    return found
