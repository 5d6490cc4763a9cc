"""Group commit: one block for all that arrived together, and nobody is told before it is on the disk."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from essaim.live import records
from essaim.live.commits import GroupCommit
from essaim.live.errors import JournalError
from essaim.live.journal import FileJournal, FileTail
from essaim.live.records import JoinRecord, Record
from tests.live.rooms import NOW


def test_one_block_for_all_that_arrived_together(tmp_path: Path) -> None:
    async def scenario() -> list[list[Record]]:
        settled: list[list[Record]] = []
        file = FileJournal(tmp_path, 0, now=NOW)
        with ThreadPoolExecutor(1) as pool:
            queue = GroupCommit(file, pool, tick_ms=5, on_settled=settled.append, on_failed=lambda: None)
            await queue.durable()  # nothing waits: nothing to wait for

            async def one(number: int) -> None:
                queue.add(JoinRecord(number, NOW, "fr"))
                await queue.durable()
                assert any(JoinRecord(number, NOW, "fr") in block for block in settled)

            await asyncio.gather(*(one(number) for number in range(100)))
            waiter = asyncio.ensure_future(one(100))
            await asyncio.sleep(0)
            waiter.cancel()  # a client that leaves must not take the others' answers with it
            await asyncio.gather(one(101), one(102))
            queue.add(JoinRecord(103, NOW, "fr"))
            await queue.close()
        return settled

    settled = asyncio.run(scenario())
    assert len(settled[0]) == 100
    kept = [record for payload in FileTail(tmp_path).blocks() for record in records.decode(payload)]
    assert sorted(record.participant for record in kept) == list(range(104))


def test_a_failed_commit_fails_all_that_wait_and_all_that_come(tmp_path: Path) -> None:
    async def scenario() -> int:
        calls = []
        file = FileJournal(tmp_path, 0, now=NOW)
        os.close(file._file)
        with ThreadPoolExecutor(1) as pool:
            queue = GroupCommit(
                file, pool, tick_ms=1, on_settled=lambda _: None, on_failed=lambda: calls.append(1)
            )

            async def one(number: int) -> None:
                queue.add(JoinRecord(number, NOW, "fr"))
                await queue.durable()

            results = await asyncio.gather(*(one(number) for number in range(5)), return_exceptions=True)
            assert all(isinstance(result, JournalError) for result in results)
            with pytest.raises(JournalError):
                await one(6)
            with pytest.raises(JournalError):
                await queue.durable()
        return len(calls)

    assert asyncio.run(scenario()) == 1
