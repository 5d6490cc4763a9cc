"""The journal: every acknowledged block is read again, whatever happened to the end of the file."""

from __future__ import annotations

import asyncio
import errno
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from essaim.live import journal, records
from essaim.live.commits import GroupCommit
from essaim.live.files import (
    Lock,
    LockedError,
    UnknownRoomError,
    read_spec,
    room_dir,
    room_key,
    write_spec,
)
from essaim.live.journal import JournalError, JournalFile, Scan
from essaim.live.records import BatchRecord, JoinRecord, Record
from essaim.live.spec import SpecError
from tests.live.rooms import NOW, make_spec

BLOCKS: list[list[Record]] = [
    [JoinRecord(0, NOW, "fr"), JoinRecord(1, NOW, "en", 2, "Zoë")],
    [BatchRecord(0, 1, NOW, ((1, 1), (2, -2)))],
    [BatchRecord(1, 7, NOW, (), ((2, "maturity", 3),))],
]


def written(path: Path, blocks: list[list[Record]] = BLOCKS) -> bytes:
    file = JournalFile(path)
    assert list(file.open(NOW)) == []
    for block in blocks:
        file.append(records.encode(block))
    file.close()
    return path.read_bytes()


def reopened(path: Path) -> tuple[list[list[Record]], Scan]:
    file = JournalFile(path)
    blocks = list(file.open(NOW))
    file.close()
    return blocks, file.scan


def test_reads_what_was_written_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "journal-0.log"
    written(path)
    file = JournalFile(path)
    assert list(file.open(NOW)) == BLOCKS
    file.append(records.encode([JoinRecord(2, NOW, "fr")]))
    file.close()
    assert reopened(path)[0] == [*BLOCKS, [JoinRecord(2, NOW, "fr")]]
    assert list(tmp_path.iterdir()) == [path]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_tail_torn_at_any_byte_is_cut_and_kept_aside(tmp_path: Path) -> None:
    whole = written(tmp_path / "whole.log")
    start = len(written(tmp_path / "before.log", BLOCKS[:-1]))
    for end in range(start, len(whole)):
        folder = tmp_path / str(end)
        folder.mkdir()
        path = folder / "journal-0.log"
        path.write_bytes(whole[:end])
        blocks, scan = reopened(path)
        assert blocks == BLOCKS[:-1]
        assert path.read_bytes() == whole[:start]
        assert scan.torn == end - start
        if end > start:
            side = folder / f"journal-0.log.torn-{NOW}"
            assert side.read_bytes() == whole[start:end]
            report = json.loads(side.with_name(side.name + ".json").read_text())
            assert (report["from"], report["bytes"], report["kept"]) == (start, end - start, side.name)
        file = JournalFile(path)
        assert list(file.open(NOW)) == BLOCKS[:-1]
        file.append(records.encode(BLOCKS[-1]))
        file.close()
        assert reopened(path)[0] == BLOCKS


def test_a_file_torn_at_its_creation_begins_anew(tmp_path: Path) -> None:
    header = written(tmp_path / "whole.log", [])
    for end in range(len(header)):
        path = tmp_path / f"journal-{end}.log"
        path.write_bytes(header[:end])
        assert reopened(path)[0] == []
        assert len(path.read_bytes()) == len(header)


def test_any_flipped_byte_loses_at_most_its_own_block(tmp_path: Path) -> None:
    whole = written(tmp_path / "whole.log")
    first = len(written(tmp_path / "first.log", BLOCKS[:1]))
    second = len(written(tmp_path / "second.log", BLOCKS[:2]))
    for place in range(len(whole)):
        path = tmp_path / f"flip-{place}.log"
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x41]) + whole[place + 1 :])
        found = Scan()
        blocks = list(journal.read(path, found))
        if place < 20:
            assert blocks == BLOCKS, "a damaged header is made up for by the first block"
        elif place < first:
            assert blocks == BLOCKS[1:]
            assert found.damaged == [(20, first)]
        elif place < second:
            assert blocks == [BLOCKS[0], BLOCKS[2]]
            assert found.damaged == [(first, second)]
        else:
            assert blocks == BLOCKS[:2]
            assert found.torn == len(whole) - second


def test_a_damaged_middle_is_not_cut(tmp_path: Path) -> None:
    path = tmp_path / "journal-0.log"
    whole = bytearray(written(path))
    whole[60] ^= 1
    path.write_bytes(whole)
    blocks, scan = reopened(path)
    assert blocks == BLOCKS[1:]
    assert len(scan.damaged) == 1
    assert path.read_bytes() == bytes(whole)


def test_what_is_no_journal_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "journal-0.log"
    path.write_bytes(b"something else entirely" * 10)
    with pytest.raises(JournalError, match="cannot be recognised"):
        reopened(path)
    assert path.read_bytes() == b"something else entirely" * 10


def test_text_of_participants_cannot_pass_for_a_block(tmp_path: Path) -> None:
    path = tmp_path / "journal-0.log"
    other = written(tmp_path / "other.log")
    # Another journal's blocks inside a damaged payload: their marker is not this file's.
    file = JournalFile(path)
    list(file.open(NOW))
    file.append(records.encode([JoinRecord(9, NOW, "fr")]) + other[20:])
    file.close()
    assert reopened(path)[0] == []


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "journal-0.log"
    before = written(path, BLOCKS[:1])
    file = JournalFile(path)
    list(file.open(NOW))
    real = os.pwrite

    def half(handle: int, data: bytes, offset: int) -> int:
        if len(data) > 10:
            return real(handle, bytes(data)[:10], offset)
        raise OSError(errno.ENOSPC, "No space left on device")

    for name, fake in (("pwrite", half), ("fdatasync", failing)):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, fake)
            with pytest.raises(JournalError):
                file.append(records.encode(BLOCKS[1]))
        assert path.read_bytes() == before
    file.append(records.encode(BLOCKS[1]))
    file.close()
    assert reopened(path)[0] == BLOCKS[:2]


def failing(*_: object) -> None:
    raise OSError(errno.EIO, "Input/output error")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")
def test_a_full_device(tmp_path: Path) -> None:
    path = tmp_path / "journal-0.log"
    file = JournalFile(path)
    list(file.open(NOW))
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, file._file)
    os.close(full)
    with pytest.raises(JournalError) as caught:
        file.append(records.encode(BLOCKS[0]))
    assert caught.value.errno == errno.ENOSPC
    file.close()
    assert reopened(path)[0] == []


def test_one_block_for_all_that_arrived_together(tmp_path: Path) -> None:
    async def scenario() -> list[list[Record]]:
        settled: list[list[Record]] = []
        file = JournalFile(tmp_path / "journal-0.log")
        list(file.open(NOW))
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
    kept = [record for block in reopened(tmp_path / "journal-0.log")[0] for record in block]
    assert sorted(record.participant for record in kept) == list(range(104))


def test_a_failed_commit_fails_all_that_wait_and_all_that_come(tmp_path: Path) -> None:
    async def scenario() -> int:
        calls = []
        file = JournalFile(tmp_path / "journal-0.log")
        list(file.open(NOW))
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


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    lock = Lock(tmp_path / "room")
    with pytest.raises(LockedError):
        Lock(tmp_path / "room")
    lock.release()
    lock.release()
    Lock(tmp_path / "room").release()


def test_specifications_on_disk(tmp_path: Path) -> None:
    with pytest.raises(UnknownRoomError):
        read_spec(tmp_path, "room-1")
    assert write_spec(tmp_path, make_spec(rev=3))
    assert not write_spec(tmp_path, make_spec(rev=2, title="older"))
    assert write_spec(tmp_path, make_spec(rev=3, title="same revision"))
    assert read_spec(tmp_path, "room-1").title == "same revision"
    folder = room_dir(tmp_path, "room-1")
    (folder / "spec.json").write_bytes(b"{")
    with pytest.raises(SpecError):
        read_spec(tmp_path, "room-1")
    assert write_spec(tmp_path, make_spec(rev=1)), "what cannot be read does not stand in the way"
    assert not list(folder.glob(".new-*"))
    for name in ("../x", "..", "", "a/b"):
        with pytest.raises(UnknownRoomError):
            room_dir(tmp_path, name)


def test_the_key_is_made_once_and_is_private(tmp_path: Path) -> None:
    key = room_key(tmp_path, "room-1")
    assert len(key) == 32
    assert room_key(tmp_path, "room-1") == key != room_key(tmp_path, "room-2")
    path = room_dir(tmp_path, "room-1") / "key"
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_bytes(b"short")
    with pytest.raises(ValueError, match="32 bytes"):
        room_key(tmp_path, "room-1")
