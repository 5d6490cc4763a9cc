"""The process that ranks: it follows the rooms where something happens and, while it holds the lease, publishes.

It takes nothing in, so that no opinion map, however large, makes anybody's vote wait. If it dies another one
takes the lease (on this machine its supervisor starts it again); meanwhile workers go on with the last map.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import time
from collections.abc import Hashable
from pathlib import Path
from typing import Final

from essaim.live import ranking
from essaim.live.errors import UnknownRoomError
from essaim.live.hub import Hub
from essaim.live.plan import REOPENABLE_MS
from essaim.live.problems import RefusalError
from essaim.live.ranking import RankingError
from essaim.live.spec import SpecError

LOOK_S: Final = 1.0
SWEEP_S: Final = 3600.0
NICE: Final = 10
"""A map that comes a second later is better than a vote that does."""
IDLE_S: Final = 600.0
_log = logging.getLogger(__name__)


class Ranker:
    """Follows the rooms of one store; belongs to one event loop."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self._stamps: dict[str, Hashable] = {}
        self._moved: dict[str, float] = {}

    async def look(self) -> None:
        """Open the rooms whose journals grew since the last look, close those where nothing happens any more."""
        now = time.monotonic()
        for room, stamp in (await asyncio.to_thread(self._read_stamps)).items():
            known = self._stamps.get(room)
            self._stamps[room] = stamp
            if stamp == known or (known is None and await asyncio.to_thread(self._is_ranked, room, stamp)):
                continue
            self._moved[room] = now
            try:
                await self.hub.room(room)
            except RefusalError as refusal:
                _log.warning("room %s cannot be followed: %s", room, refusal.detail)
        for room in [one for one, moved in self._moved.items() if now - moved > IDLE_S]:
            del self._moved[room]
            await self.hub.leave(room)

    def sweep(self, now: int) -> None:
        """Destroy the keys of sessions whose tickets have all expired (blocking: for a thread)."""
        store = self.hub.store
        for room in store.rooms():
            try:
                closed = store.read_spec(room).plan.closed_at
                if closed is not None and now - closed > REOPENABLE_MS:
                    store.destroy_key(room)
            except (OSError, SpecError, UnknownRoomError):
                _log.exception("room %s: its key could not be looked after", room)

    def _is_ranked(self, room: str, stamp: Hashable) -> bool:
        """Say whether what is published for a room was made from its journals as they are."""
        found = self.hub.store.published(room)
        try:
            return found is not None and ranking.stamp_of(found[1]) == str(stamp)
        except RankingError:
            return False

    def _read_stamps(self) -> dict[str, Hashable]:
        store, stamps = self.hub.store, {}
        for room in store.rooms():
            with contextlib.suppress(OSError):
                stamps[room] = store.journal_stamp(room)
        return stamps


async def run(address: Path | str, stopped: asyncio.Event) -> None:
    """Rank the rooms of a store until told to stop."""
    hub = Hub(address, worker=None)
    await hub.start()
    ranker, swept = Ranker(hub), float("-inf")
    try:
        while not stopped.is_set():
            try:
                await ranker.look()
                if time.monotonic() - swept > SWEEP_S and hub.epoch is not None:
                    swept = time.monotonic()
                    await asyncio.to_thread(ranker.sweep, hub.clock())
            except OSError as error:
                _log.warning("the store cannot be reached: %s", error)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopped.wait(), LOOK_S)
    finally:
        await hub.close()


def main(address: Path | str) -> None:
    """Rank the rooms of a store in this process until SIGTERM or SIGINT."""

    async def until_told() -> None:
        stopped = asyncio.Event()
        for one in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(one, stopped.set)
        await run(address, stopped)

    os.nice(NICE)
    asyncio.run(until_told())
