"""Group commit: one block and one fdatasync for everything that arrived since the last one.

Nobody's answer leaves before the block that holds it is on the disk. The first record of a quiet moment
waits a few milliseconds for company; while a block is being written the next one gathers.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Protocol

from essaim.live import metrics, records
from essaim.live.errors import JournalError
from essaim.live.records import Record

Told = Callable[[JournalError | None], None]
_log = logging.getLogger(__name__)


async def awaited(then: Callable[[Told], None]) -> None:
    """Wait for what `then` tells; raises the JournalError it tells."""
    done = asyncio.get_running_loop().create_future()

    def told(error: JournalError | None) -> None:
        if done.done():
            return  # the request was cancelled: its client left
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)

    then(told)
    await done


class Appending(Protocol):
    """A journal open for writing: what `append` returned from is durable."""

    def append(self, payload: bytes) -> None: ...

    def close(self) -> None: ...


class GroupCommit:
    """The queue in front of one journal; belongs to one event loop."""

    def __init__(
        self,
        journal: Appending,
        executor: Executor,
        *,
        tick_ms: float,
        on_settled: Callable[[list[Record]], None],
        on_failed: Callable[[], None],
    ) -> None:
        self._journal, self._executor, self._tick = journal, executor, tick_ms / 1000
        self._on_settled, self._on_failed = on_settled, on_failed
        # The block that gathers, who waits for it, and when its first record came.
        self._gathering: list[Record] = []
        self._asking: list[Told] = []
        self._since = 0.0
        # Who waits for the block that is being written (None: none is).
        self._writing: list[Told] | None = None
        self._task: asyncio.Task[None] | None = None
        self.waiting = 0
        self.oldest = 0.0
        """When the oldest record that waits came, by `time.perf_counter`; 0 if none waits."""
        self.failed: JournalError | None = None

    def add(self, record: Record) -> None:
        """Put a record into the next block."""
        if self.failed is not None:
            raise self.failed
        if not self._gathering:
            self._since = time.perf_counter()
            self.oldest = self.oldest or self._since
            if self._task is None:
                self._task = asyncio.get_running_loop().create_task(self._run())
        self._gathering.append(record)
        self.waiting += 1

    def then(self, told: Told) -> None:
        """Call `told(None)` once everything added so far is on the disk, or `told(error)` if it will not be.

        At once if nothing waits, otherwise on the loop, in the order of the calls. Also for answers that add
        nothing: what they acknowledge again may still be on its way.
        """
        if self.failed is not None:
            told(self.failed)
        elif self._gathering:
            self._asking.append(told)
        elif self._writing is not None:
            self._writing.append(told)
        else:
            told(None)

    async def durable(self) -> None:
        """Wait until everything added so far is on the disk; raises JournalError if it will not be."""
        await awaited(self.then)

    async def close(self) -> None:
        """Write what is left, then close the file."""
        while self._task is not None:
            await asyncio.shield(self._task)
        self._journal.close()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._gathering:
                await asyncio.sleep(max(0.0, self._since + self._tick - time.perf_counter()))
                batch, self._gathering = self._gathering, []
                asking, self._asking = self._asking, []
                self._writing = asking
                try:
                    payload = records.encode(batch)
                    begun = time.perf_counter()
                    await loop.run_in_executor(self._executor, self._journal.append, payload)
                except Exception as error:
                    self._fail(error)
                    return
                metrics.here.commit_seconds.add(time.perf_counter() - begun)
                self._writing = None
                self.waiting -= len(batch)
                self.oldest = self._since if self._gathering else 0.0
                self._on_settled(batch)
                _tell(asking, None)
        finally:
            self._task = None

    def _fail(self, error: Exception) -> None:
        """Everything that waits fails together: later blocks may build on what this one did not keep."""
        self.failed = error if isinstance(error, JournalError) else JournalError(str(error))
        _log.error("group commit failed: %s", self.failed)
        asking = [*(self._writing or ()), *self._asking]
        self._writing, self._asking, self._gathering = None, [], []
        self.waiting, self.oldest = 0, 0.0
        self._on_failed()
        _tell(asking, self.failed)


def _tell(asking: list[Told], error: JournalError | None) -> None:
    for told in asking:
        try:
            told(error)
        except Exception:  # one answer that cannot be made must not keep the others back
            _log.exception("an answer could not be given")
