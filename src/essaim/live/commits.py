"""Group commit: one block and one fdatasync for everything that arrived since the last one.

Nobody's answer leaves before the block that holds it is on the disk. The first record of a quiet moment
waits a few milliseconds for company; while a block is being written the next one gathers.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Executor

from essaim.live import records
from essaim.live.journal import JournalError, JournalFile
from essaim.live.records import Record

_log = logging.getLogger(__name__)


class GroupCommit:
    """The queue in front of one journal file; belongs to one event loop."""

    def __init__(
        self,
        journal: JournalFile,
        executor: Executor,
        *,
        tick_ms: float,
        on_settled: Callable[[list[Record]], None],
        on_failed: Callable[[], None],
    ) -> None:
        self._journal, self._executor, self._tick = journal, executor, tick_ms / 1000
        self._on_settled, self._on_failed = on_settled, on_failed
        self._gathering: list[Record] = []
        self._gathered: asyncio.Future[None] | None = None
        self._writing: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self.waiting = 0
        self.failed: JournalError | None = None

    def add(self, record: Record) -> None:
        """Put a record into the next block."""
        if self.failed is not None:
            raise self.failed
        self._gathering.append(record)
        self.waiting += 1
        if self._gathered is None:
            self._gathered = _quiet(asyncio.get_running_loop().create_future())
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    async def durable(self) -> None:
        """Wait until everything added so far is on the disk; raises JournalError if it will not be.

        Also for answers that add nothing: what they acknowledge again may still be on its way.
        """
        if self.failed is not None:
            raise self.failed
        future = self._gathered or self._writing
        if future is not None:
            # Shielded: many requests wait for one future, and a server cancels a request whose client left.
            await asyncio.shield(future)

    async def close(self) -> None:
        """Write what is left, then close the file."""
        while self._task is not None:
            await asyncio.shield(self._task)
        self._journal.close()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._gathered is not None:
                await asyncio.sleep(self._tick)
                batch, self._gathering = self._gathering, []
                self._writing, self._gathered = self._gathered, None
                try:
                    payload = records.encode(batch)
                    await loop.run_in_executor(self._executor, self._journal.append, payload)
                except Exception as error:
                    self._fail(error)
                    return
                self.waiting -= len(batch)
                self._on_settled(batch)
                self._writing.set_result(None)
                self._writing = None
        finally:
            self._task = None

    def _fail(self, error: Exception) -> None:
        """Everything that waits fails together: later blocks may build on what this one did not keep."""
        self.failed = error if isinstance(error, JournalError) else JournalError(str(error))
        _log.error("group commit failed: %s", self.failed)
        for future in (self._writing, self._gathered):
            if future is not None:
                future.set_exception(self.failed)
        self._writing = self._gathered = None
        self._gathering = []
        self.waiting = 0
        self._on_failed()


def _quiet(future: asyncio.Future[None]) -> asyncio.Future[None]:
    """A failure that no request waits for any more is not an error of the loop."""
    future.add_done_callback(lambda done: done.cancelled() or done.exception())
    return future
