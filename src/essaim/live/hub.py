"""The hub of a process: opens rooms when they are first asked for and keeps their views for the pages.

One event loop runs it; `publish`, `view` and `running` may be called from any thread. Exactly one process
writes a room (a lock file says which); others read it from disk.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from essaim.live import files, offline, reader
from essaim.live.files import LockedError, UnknownRoomError, read_spec
from essaim.live.limits import Limits
from essaim.live.live_room import LiveRoom, Threads
from essaim.live.problems import RefusalError
from essaim.live.projections import RoomView
from essaim.live.spec import RoomSpec, SpecError

RESCAN_S: Final = 1.0
PATIENCE_S: Final = 5.0
_log = logging.getLogger(__name__)
_running: Hub | None = None
_guard = threading.Lock()


def clock() -> int:
    """Give the present time in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


class Hub:
    """The open rooms of one data folder, in one process."""

    def __init__(
        self, data_dir: Path | str, *, limits: Limits | None = None, clock: Callable[[], int] = clock
    ) -> None:
        self.data_dir = Path(data_dir)
        self.limits = limits or Limits()
        self.clock = clock
        self.loop: asyncio.AbstractEventLoop | None = None
        self._rooms: dict[str, LiveRoom] = {}
        self._opening: dict[str, asyncio.Task[LiveRoom]] = {}
        self._codes: dict[str, str] = {}
        self._scanned = float("-inf")

    # Life

    async def start(self) -> None:
        """Begin to serve on the running loop; from now on `running()` gives this hub."""
        global _running
        self.loop = asyncio.get_running_loop()
        self._threads = Threads(ThreadPoolExecutor(4, "live-disk"), ThreadPoolExecutor(2, "live-work"))
        with _guard:
            _running = self

    async def close(self) -> None:
        """Write everything that waits, close all rooms, forget them."""
        global _running
        with _guard:
            if _running is self:
                _running = None
        for task in list(self._opening.values()):
            with contextlib.suppress(Exception):
                await task
        await asyncio.gather(*(live.close() for live in self._rooms.values()))
        self._rooms.clear()
        self.loop = None
        self._threads.disk.shutdown()
        self._threads.work.shutdown()

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

    async def room_by_code(self, code: str) -> LiveRoom:
        """Give the room of the code people type, whatever its case."""
        code = code.upper()
        name = self._codes.get(code)
        if name is None and time.monotonic() - self._scanned >= RESCAN_S:
            # The valve is on the clock, not on the code: guesses cost one scan a second, all together.
            self._scanned = time.monotonic()
            self._codes |= await asyncio.to_thread(_codes, self.data_dir)
            name = self._codes.get(code)
        if name is None:
            raise RefusalError("unknown-room")
        live = await self.room(name)
        if live.room.spec.code.upper() != code:  # the facilitators changed it since
            del self._codes[code]
            raise RefusalError("unknown-room")
        return live

    def current_view(self, name: str) -> RoomView | None:
        """Give the latest view of an open room, None if it is not open here (any thread)."""
        live = self._rooms.get(name)
        return None if live is None else live.view

    async def published(self, spec: RoomSpec) -> None:
        """Take a specification that was just written."""
        self._codes[spec.code.upper()] = spec.room
        live = self._rooms.get(spec.room)
        if live is not None:
            live.use(spec)
            await live.refresh()

    async def _open(self, name: str) -> LiveRoom:
        # Asked first: opening makes a folder for the lock, and a guessed name must not leave one behind.
        spec = await asyncio.to_thread(read_spec, self.data_dir, name)
        live = LiveRoom(self.data_dir, name, self.limits, self.clock, self._threads)
        await live.open()
        self._codes[spec.code.upper()] = name
        self._rooms[name] = live
        return live


def running() -> Hub | None:
    """Give the hub that runs in this process, if any."""
    with _guard:
        return _running


def publish(data_dir: Path | str, spec: RoomSpec) -> None:
    """Write a specification (atomic, durable, never an older over a newer) and let the running hub take it.

    When it returns, the views of this process follow it. Raises SpecError if the specification is not usable.
    """
    if not files.write_spec(data_dir, spec):
        return
    hub, loop = _hub_of(data_dir)
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


def view(data_dir: Path | str, room: str) -> RoomView:
    """Give the latest view of a room: the running hub's, or one rebuilt read-only from disk.

    Raises UnknownRoomError if there is no such room, SpecError if what is on disk cannot be used.
    """
    hub, _ = _hub_of(data_dir)
    known = hub.current_view(room) if hub is not None else None
    return known if known is not None else reader.read_view(data_dir, room, clock())


def load_votes(
    data_dir: Path | str, room: str, triples: Iterable[tuple[int, int, int]], *, now: int | None = None
) -> dict[int, int]:
    """Write votes into the journal of a room: (participant label, statement id, vote), in order.

    The last vote of a pair wins; all of them came at `now`. Gives the participant of each label, and raises,
    as `offline.load_votes` does.
    """
    at = clock() if now is None else now
    votes = ((int(label), int(statement), int(vote), at) for label, statement, vote in triples)
    return offline.load_votes(data_dir, room, votes, now=at)


def _codes(data_dir: Path) -> dict[str, str]:
    codes = {}
    for name in files.rooms(data_dir):
        try:
            codes[read_spec(data_dir, name).code.upper()] = name
        except (SpecError, UnknownRoomError, OSError) as error:
            _log.error("room %s cannot be found by its code: %s", name, error)
    return codes


def _hub_of(data_dir: Path | str) -> tuple[Hub | None, asyncio.AbstractEventLoop | None]:
    hub = running()
    if hub is None or hub.loop is None or hub.data_dir.resolve() != Path(data_dir).resolve():
        return None, None
    return hub, hub.loop


def _on(loop: asyncio.AbstractEventLoop) -> bool:
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False
