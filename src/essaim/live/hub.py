"""The hub of a process: opens rooms when they are first asked for and keeps their views for the pages.

One event loop runs it; `publish`, `view` and `running` may be called from any thread. Each worker has a hub of
its own with a number of its own; any of them may take any request. One of all hubs holds the lease: it ranks.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from essaim.live import reader
from essaim.live.clock import clock as clock
from essaim.live.errors import LockedError, UnknownRoomError
from essaim.live.limits import Limits
from essaim.live.live_room import LiveRoom, Threads
from essaim.live.problems import RefusalError
from essaim.live.projections import RoomView
from essaim.live.spec import RoomSpec, SpecError
from essaim.live.store import Store, open_store, shared_store

RESCAN_S: Final = 1.0
PATIENCE_S: Final = 5.0
_log = logging.getLogger(__name__)
_running: Hub | None = None
_guard = threading.Lock()


class Hub:
    """The open rooms of one store, in one process.

    worker: the number of this worker among those that share the store; None only follows what they write.
    ranks: try to hold the lease (leave it to a process of its own where there are many people).
    """

    def __init__(
        self,
        address: Path | str | Store,
        *,
        worker: int | None = 0,
        ranks: bool = True,
        limits: Limits | None = None,
        clock: Callable[[], int] = clock,
    ) -> None:
        self.store = open_store(address) if isinstance(address, str | Path) else address
        self.worker, self.ranks = worker, ranks
        self.limits = limits or Limits()
        self.clock = clock
        self.loop: asyncio.AbstractEventLoop | None = None
        self.epoch: int | None = None
        self._rooms: dict[str, LiveRoom] = {}
        self._opening: dict[str, asyncio.Task[LiveRoom]] = {}
        self._codes: dict[str, str] = {}
        self._scanned = float("-inf")
        self._leasing: asyncio.Task[None] | None = None

    # Life

    async def start(self) -> None:
        """Begin to serve on the running loop; from now on `running()` gives this hub."""
        global _running
        self.loop = asyncio.get_running_loop()
        self._threads = Threads(ThreadPoolExecutor(4, "live-disk"), ThreadPoolExecutor(2, "live-work"))
        with _guard:
            _running = self
        if self.ranks:
            self._lease = self.store.lease()
            await self._hold()
            self._leasing = asyncio.create_task(self._hold_for_ever())

    async def close(self) -> None:
        """Write everything that waits, close all rooms, forget them."""
        global _running
        with _guard:
            if _running is self:
                _running = None
        for task in list(self._opening.values()):
            with contextlib.suppress(Exception):
                await task
        if self._leasing is not None:
            self._leasing.cancel()
            await asyncio.gather(self._leasing, return_exceptions=True)
        await asyncio.gather(*(live.close() for live in self._rooms.values()))
        self._rooms.clear()
        if self.epoch is not None:
            self.epoch = None
            await asyncio.to_thread(self._lease.release)
        self.loop = None
        self._threads.disk.shutdown()
        self._threads.work.shutdown()

    def gauges(self) -> dict[str, float]:
        """Give what is so now, for monitoring."""
        rooms = self._rooms.values()
        return {
            "rooms": len(rooms),
            "streams": sum(len(live.stream) for live in rooms),
            "queue_records": sum(live.commits.waiting for live in rooms),
            "waiting_joins": sum(live.valves.waiting() for live in rooms),
        }

    def end_streams(self) -> None:
        """End the open streams, so that a server can stop without waiting for readers that never leave."""
        for live in self._rooms.values():
            live.stream.end()

    # Rooms

    async def room(self, name: str) -> LiveRoom:
        """Give an open room, opening it if needed; refuse with unknown-room or unavailable."""
        live = self._rooms.get(name)
        if live is not None:
            return live
        task = self._opening.get(name)
        if task is None:
            task = self._opening[name] = asyncio.create_task(self._open(name))
            task.add_done_callback(lambda _: self._opening.pop(name, None))
        try:
            return await asyncio.shield(task)
        except UnknownRoomError:
            raise RefusalError("unknown-room") from None
        except (OSError, LockedError, SpecError) as error:
            raise RefusalError("unavailable", f"The room cannot be opened: {error}", retry_after=5) from error

    def opened(self, name: str) -> LiveRoom | None:
        """Give a room if it is open already."""
        return self._rooms.get(name)

    async def room_by_code(self, code: str) -> LiveRoom:
        """Give the room of the code people type, whatever its case."""
        code = code.upper()
        name = self._codes.get(code)
        if name is None and time.monotonic() - self._scanned >= RESCAN_S:
            # The valve is on the clock, not on the code: guesses cost one scan a second, all together.
            self._scanned = time.monotonic()
            self._codes |= await asyncio.to_thread(_codes, self.store)
            name = self._codes.get(code)
        if name is None:
            raise RefusalError("unknown-room")
        live = await self.room(name)
        if live.room.spec.code.upper() != code:  # the facilitators changed it since
            self._codes.pop(code, None)
            raise RefusalError("unknown-room")
        return live

    async def leave(self, name: str) -> None:
        """Close a room; it is opened again when somebody asks for it."""
        live = self._rooms.pop(name, None)
        if live is not None:
            await live.close()

    def current_view(self, name: str) -> RoomView | None:
        """Give the view of an open room, None if it is not open here (any thread)."""
        live, loop = self._rooms.get(name), self.loop
        if live is None or loop is None:
            return None
        if _on(loop):
            return live.view()
        asked = asyncio.run_coroutine_threadsafe(_viewed(live), loop)
        return asked.result(PATIENCE_S)

    async def published(self, spec: RoomSpec) -> None:
        """Take a specification that was just written."""
        self._codes[spec.code.upper()] = spec.room
        live = self._rooms.get(spec.room)
        if live is not None:
            live.use(spec)
            await live.refresh()
            live.view(fresh=True)

    async def _hold(self) -> None:
        """Keep the lease, or try to get it."""
        try:
            if self.epoch is None:
                self.epoch = await asyncio.to_thread(self._lease.acquire)
                if self.epoch is not None:
                    rooms = [live.refresh() for live in self._rooms.values()]
                    await asyncio.gather(*rooms, return_exceptions=True)  # each says by itself what is wrong
            elif not await asyncio.to_thread(self._lease.renew):
                _log.warning("the lease was lost: another process ranks from now on")
                self.epoch = None
        except OSError as error:
            _log.warning("the lease could not be renewed: %s", error)
            self.epoch = None

    async def _hold_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._lease.renew_s)
            await self._hold()

    async def _open(self, name: str) -> LiveRoom:
        # Asked first: opening makes a folder for the lock, and a guessed name must not leave one behind.
        spec = await asyncio.to_thread(self.store.read_spec, name)
        live = LiveRoom(
            self.store,
            name,
            self.limits,
            self.clock,
            self._threads,
            worker=self.worker,
            epoch=lambda: self.epoch,
        )
        await live.open()
        self._codes[spec.code.upper()] = name
        self._rooms[name] = live
        return live


def running() -> Hub | None:
    """Give the hub that runs in this process, if any."""
    with _guard:
        return _running


def publish(address: Path | str, spec: RoomSpec) -> None:
    """Write a specification (atomic, durable, never an older over a newer) and let the running hub take it.

    When it returns, the views of this process follow it. A session that has ended for good loses its key.
    Raises SpecError if the specification is not usable.
    """
    store = shared_store(address)
    if not store.write_spec(spec):
        return
    if spec.plan.ended_at is not None:
        store.destroy_key(spec.room)
    hub, loop = _hub_of(address)
    if hub is None or loop is None:
        return
    with contextlib.suppress(RuntimeError):  # the loop closed in the meantime
        done = asyncio.run_coroutine_threadsafe(hub.published(spec), loop)
        if _on(loop):
            return  # called on the loop itself: waiting here would stop what is waited for
        try:
            done.result(PATIENCE_S)
        except concurrent.futures.TimeoutError:
            _log.warning("room %s: the hub is busy, it takes the new plan at its next poll", spec.room)


def view(address: Path | str, room: str) -> RoomView:
    """Give the latest view of a room: the running hub's, or one rebuilt read-only from its store.

    Raises UnknownRoomError if there is no such room, SpecError if what is kept cannot be used.
    """
    hub, _ = _hub_of(address)
    known = hub.current_view(room) if hub is not None else None
    return known if known is not None else reader.read_view(address, room, clock())


async def _viewed(live: LiveRoom) -> RoomView:
    return live.view()


def _codes(store: Store) -> dict[str, str]:
    codes = {}
    for name in store.rooms():
        try:
            codes[store.read_spec(name).code.upper()] = name
        except (SpecError, UnknownRoomError, OSError) as error:
            _log.error("room %s cannot be found by its code: %s", name, error)
    return codes


def _hub_of(address: Path | str) -> tuple[Hub | None, asyncio.AbstractEventLoop | None]:
    hub = running()
    if hub is None or hub.loop is None or hub.store.address != str(address):
        return None, None
    return hub, hub.loop


def _on(loop: asyncio.AbstractEventLoop) -> bool:
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False
