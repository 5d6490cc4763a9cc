"""The store of one machine: every acknowledged block is read again, whatever happened to the files."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from essaim.live import journal
from essaim.live.errors import JournalError, KeyDestroyedError, LockedError, StoreError, UnknownRoomError
from essaim.live.file_store import FileStore
from essaim.live.journal import FileJournal, FileTail, Scan, read, segments
from essaim.live.spec import SpecError
from tests.live.rooms import NOW, make_spec
from tests.live.test_store import SOURCE

BLOCKS = [b"the first block", b"2", b"the third " * 5]
FIRST = "journal-0-000001.log"


def write(folder: Path, blocks: list[bytes] = BLOCKS, **options: int) -> Path:
    folder.mkdir(exist_ok=True)
    file = FileJournal(folder, 0, now=NOW, **options)
    for block in blocks:
        file.append(block)
    file.close()
    return file.path


def kept(folder: Path) -> list[bytes]:
    return payloads(FileTail(folder))


def payloads(tail: FileTail, but: int | None = None) -> list[bytes]:
    return [bytes(one) for one in tail.read(but=but)]


def test_reads_what_was_written_and_goes_on(tmp_path: Path) -> None:
    write(tmp_path)
    write(tmp_path, [b"later"])
    assert kept(tmp_path) == [*BLOCKS, b"later"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [FIRST, "lock-0"]
    assert (tmp_path / FIRST).stat().st_mode & 0o777 == 0o600


def test_a_tail_torn_at_any_byte_is_cut_and_kept_aside(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole").read_bytes()
    start = len(write(tmp_path / "before", BLOCKS[:-1]).read_bytes())
    for end in range(start, len(whole)):
        folder = tmp_path / str(end)
        folder.mkdir()
        path = folder / FIRST
        path.write_bytes(whole[:end])
        assert kept(folder) == BLOCKS[:-1]
        write(folder, [])
        assert path.read_bytes() == whole[:start]
        if end > start:
            side = folder / f"{FIRST}.torn-{NOW}"
            assert side.read_bytes() == whole[start:end]
            report = json.loads(side.with_name(side.name + ".json").read_text())
            assert (report["from"], report["bytes"], report["kept"]) == (start, end - start, side.name)
        write(folder, BLOCKS[-1:])
        assert kept(folder) == BLOCKS


def test_a_segment_torn_at_its_creation_begins_anew(tmp_path: Path) -> None:
    header = write(tmp_path / "whole", []).read_bytes()
    for end in range(len(header)):
        folder = tmp_path / str(end)
        folder.mkdir()
        (folder / FIRST).write_bytes(header[:end])
        assert kept(folder) == []
        write(folder, BLOCKS)
        assert kept(folder) == BLOCKS


def test_any_flipped_byte_loses_at_most_its_own_block(tmp_path: Path) -> None:
    ends = [len(write(tmp_path / f"whole-{n}", BLOCKS[:n]).read_bytes()) for n in range(3)]
    whole = write(tmp_path / "whole").read_bytes()
    for place in range(len(whole)):
        folder = tmp_path / f"flip-{place}"
        folder.mkdir()
        path = folder / FIRST
        # Other journals were other files: the marker is this one's.
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x41]) + whole[place + 1 :])
        found = Scan()
        blocks = [bytes(payload) for payload in read(path, found)]
        if place < ends[0]:
            assert blocks == BLOCKS, "a damaged header is made up for by the first block"
        elif place < ends[1]:
            assert blocks == BLOCKS[1:]
            assert found.damaged == [(ends[0], ends[1])]
        elif place < ends[2]:
            assert blocks == [BLOCKS[0], BLOCKS[2]]
            assert found.damaged == [(ends[1], ends[2])]
        else:
            assert blocks == BLOCKS[:2]
            assert found.torn == len(whole) - ends[2]
        assert kept(folder) == blocks


def test_a_damaged_middle_is_not_cut(tmp_path: Path) -> None:
    path = write(tmp_path)
    whole = bytearray(path.read_bytes())
    whole[40] ^= 1
    path.write_bytes(whole)
    write(tmp_path, [])
    assert path.read_bytes() == bytes(whole)
    assert kept(tmp_path) == BLOCKS[1:]


def test_what_is_no_journal_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / FIRST
    path.write_bytes(b"something else entirely" * 10)
    with pytest.raises(JournalError, match="cannot be recognised"):
        write(tmp_path)
    assert path.read_bytes() == b"something else entirely" * 10


def test_text_of_participants_cannot_pass_for_a_block(tmp_path: Path) -> None:
    other = write(tmp_path / "other").read_bytes()
    path = write(tmp_path / "room", [b"text" + other[20:]])
    whole = bytearray(path.read_bytes())
    whole[36] ^= 1
    path.write_bytes(whole)
    assert kept(tmp_path / "room") == [], "blocks of another journal in a damaged payload have another marker"


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = FileJournal(tmp_path, 0, now=NOW)
    file.append(BLOCKS[0])
    before = file.path.read_bytes()
    real = os.pwrite

    def half(handle: int, data: bytes, offset: int) -> int:
        if len(data) > 10:
            return real(handle, bytes(data)[:10], offset)
        raise OSError(errno.ENOSPC, "No space left on device")

    def failing(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    for name, fake in (("pwrite", half), ("fdatasync", failing)):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, fake)
            with pytest.raises(JournalError):
                file.append(BLOCKS[1])
        assert file.path.read_bytes() == before
    file.append(BLOCKS[1])
    file.close()
    assert kept(tmp_path) == BLOCKS[:2]


FULL = """
import resource, sys
from pathlib import Path
from essaim.live.errors import JournalError
from essaim.live.journal import FileJournal
folder, room = Path(sys.argv[1]), int(sys.argv[2])
file = FileJournal(folder, 0, now=1, segment_bytes=int(sys.argv[3]))
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (room, most))
taken, refused = 0, 0
for n in range(100):
    try:
        file.append(b"%03d" % n * 10)
    except JournalError as error:
        assert error.errno in (27, 28), error
        refused += 1
        if refused == 3:
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    else:
        print(n)
"""


@pytest.mark.parametrize(("size", "segment"), [(1000, 10_000), (1, 200), (40, 200), (150, 10_000)])
def test_a_full_disk_refuses_and_recovers(tmp_path: Path, size: int, segment: int) -> None:
    write(tmp_path, [])
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path), str(size), str(segment)],
        env={"PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        check=True,
    )
    taken = [int(line) for line in done.stdout.split()]
    assert len(taken) == 97
    assert kept(tmp_path) == [b"%03d" % n * 10 for n in taken]


def test_segments_follow_each_other(tmp_path: Path) -> None:
    tail = FileTail(tmp_path)
    blocks = [b"%d" % n * 20 for n in range(40)]
    file = FileJournal(tmp_path, 0, now=NOW, segment_bytes=200)
    for block in blocks:
        file.append(block)
        assert payloads(tail) == [block]
    large = b"x" * 1000
    file.append(large)
    file.append(b"behind")
    file.close()
    names = [path.name for _, path in segments(tmp_path)[0]]
    assert len(names) > 5
    assert names == [f"journal-0-{n:06}.log" for n in range(1, len(names) + 1)]
    assert payloads(tail) == [large, b"behind"]
    assert kept(tmp_path) == [*blocks, large, b"behind"]
    write(tmp_path, [b"again"], segment_bytes=200)
    assert payloads(tail) == [b"again"]


def test_a_rotation_cut_short_at_any_byte(tmp_path: Path) -> None:
    header = write(tmp_path / "whole", []).read_bytes()
    for end in range(len(header) + 1):
        folder = tmp_path / str(end)
        write(folder)
        tail = FileTail(folder)
        assert payloads(tail) == BLOCKS
        (folder / "journal-0-000002.log").write_bytes(header[:end])
        assert payloads(tail) == []
        write(folder, [b"later"])
        assert payloads(tail) == [b"later"]
        assert kept(folder) == [*BLOCKS, b"later"]
        assert (folder / "journal-0-000002.log").stat().st_size > len(header)


def test_a_journal_from_before_there_were_segments(tmp_path: Path) -> None:
    write(tmp_path / "old").rename(tmp_path / "journal-0.log")
    write(tmp_path, [b"later"], segment_bytes=150)
    write(tmp_path, [b"much later" * 10], segment_bytes=150)
    assert kept(tmp_path) == [*BLOCKS, b"later", b"much later" * 10]
    assert (tmp_path / FIRST).exists()


def test_a_block_half_written_comes_when_it_is_whole(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole").read_bytes()
    folder = tmp_path / "room"
    folder.mkdir()
    tail = FileTail(folder)
    seen: list[bytes] = []
    for end in range(len(whole) + 1):
        (folder / FIRST).write_bytes(whole[:end])
        seen += payloads(tail)
    assert seen == BLOCKS


def test_a_torn_tail_that_is_cut_and_written_anew(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole").read_bytes()
    start = len(write(tmp_path / "before", BLOCKS[:-1]).read_bytes())
    for end in range(start, len(whole)):
        folder = tmp_path / str(end)
        folder.mkdir()
        (folder / FIRST).write_bytes(whole[:end])
        tail = FileTail(folder)
        assert payloads(tail) == BLOCKS[:-1]
        write(folder, [b"z" * n for n in range(1, 60)])
        assert payloads(tail) == [b"z" * n for n in range(1, 60)]


@pytest.mark.parametrize("size", [1, 30, 31, 49, 50, 51, 500])
def test_a_block_taken_back_after_it_was_read(tmp_path: Path, size: int) -> None:
    path = write(tmp_path)
    tail = FileTail(tmp_path)
    assert payloads(tail) == BLOCKS
    before = path.stat().st_size - 16 - len(BLOCKS[-1])
    os.truncate(path, before)  # what a writer does whose fdatasync failed
    write(tmp_path, [b"n" * size])
    assert b"n" * size in payloads(tail), "what comes twice is allowed, what is missing is not"
    write(tmp_path, [b"next"])
    assert payloads(tail)[-1] == b"next"


def test_a_damaged_stretch_met_while_following(tmp_path: Path) -> None:
    path = write(tmp_path, BLOCKS[:1])
    tail = FileTail(tmp_path)
    assert payloads(tail) == BLOCKS[:1]
    start = path.stat().st_size
    write(tmp_path, BLOCKS[1:])
    whole = bytearray(path.read_bytes())
    whole[start + 3] ^= 1
    path.write_bytes(whole)
    assert BLOCKS[2] in payloads(tail)
    write(tmp_path, [b"later"])
    assert payloads(tail) == [b"later"]


def test_the_report_of_a_damaged_journal(tmp_path: Path) -> None:
    store = FileStore(tmp_path, segment_bytes=200)
    store.write_spec(make_spec())
    folder = store.folder("room-1")
    writer = store.journal("room-1", 0)
    for n in range(12):
        writer.append(b"%d" % n * 30)
    with writer.path.open("ab") as file:
        file.write(b"torn")
    (report,) = store.examine("room-1", len)
    assert (report.writing, report.torn, report.damaged) == (True, 4, [])
    writer.close()
    first = folder / FIRST
    data = bytearray(first.read_bytes())
    data[-1] ^= 1
    first.write_bytes(data)
    last = segments(folder)[0][-1][1]
    store.journal("room-1", 0).close()
    (report,) = store.examine("room-1", len)
    assert report.segments == len(segments(folder)[0]) > 2
    assert [(one.where, one.end) for one in report.damaged] == [(FIRST, len(data))]
    assert len(report.kept) == 1 and report.kept[0].startswith(f"{last.name}.torn-")
    assert report.blocks == 11
    data = bytearray(last.read_bytes())
    data[-1] ^= 1
    last.write_bytes(data)
    (report,) = store.examine("room-1", len)
    assert [one.where for one in report.damaged] == [FIRST, last.name], (
        "a whole block that is bad was not torn"
    )


def test_specifications_on_disk(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    with pytest.raises(UnknownRoomError):
        store.read_spec("room-1")
    store.write_spec(make_spec(rev=3))
    folder = store.folder("room-1")
    (folder / "spec.json").write_bytes(b"{")
    with pytest.raises(SpecError):
        store.read_spec("room-1")
    assert store.write_spec(make_spec(rev=1)), "what cannot be read does not stand in the way"
    assert not list(folder.glob(".new-*"))
    for name in ("../x", "..", "", "a/b"):
        with pytest.raises(UnknownRoomError):
            store.folder(name)


def test_the_key_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FileStore(tmp_path)
    store.write_spec(make_spec())
    path = store.folder("room-1") / "key"
    key = store.key("room-1")
    assert path.read_bytes() == key
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_bytes(b"short")
    with pytest.raises(ValueError, match="32 bytes"):
        store.key("room-1")
    path.write_bytes(key)
    (tmp_path / "link").hardlink_to(path)
    with monkeypatch.context() as patch:
        patch.setattr("essaim.live.file_store._shred", lambda _: None)
        store.destroy_key("room-1")  # cut short before the key itself was touched
    with pytest.raises(KeyDestroyedError):
        store.key("room-1")
    assert not path.exists()
    assert (tmp_path / "link").read_bytes() != key, "overwritten, not only unlinked"


def test_claims_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FileStore(tmp_path)
    store.write_spec(make_spec())
    assert store.claim("room-1", 0, 10) == range(10)
    path = store.folder("room-1") / "claims"
    first = path.read_bytes()
    assert store.claim("room-1", 1, 10) == range(10, 20)
    whole = path.read_bytes()
    for end in range(len(first), len(whole)):
        path.write_bytes(whole[:end])
        assert store.claimed("room-1", 1) == []
        assert store.claim("room-1", 1, 10) == range(10, 20), "a torn claim was never given"
        assert path.read_bytes() == whole

    def failing(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", failing)
        with pytest.raises(StoreError):
            store.claim("room-1", 1, 10)
    assert path.read_bytes() == whole


def test_a_lease_whose_file_was_removed_is_lost(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    one, other = store.lease(), store.lease()
    assert one.acquire() == 1
    (tmp_path / "live/lease-ranker").unlink()
    assert other.acquire() == 2
    assert not one.renew()
    assert other.renew()
    with pytest.raises(RuntimeError):
        other.acquire()


def test_a_snapshot_cut_short_is_none(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    store.write_spec(make_spec())
    store.publish("room-1", 1, b"snapshot")
    path = store.folder("room-1") / "published"
    whole = path.read_bytes()
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        assert store.published("room-1") is None
    assert store.publish("room-1", 1, b"snapshot")


def test_a_block_has_a_largest_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "LARGEST_BLOCK", 100)
    file = FileJournal(tmp_path, 0, now=NOW)
    with pytest.raises(ValueError, match="at most 100 bytes"):
        file.append(b"x" * 101)
    file.append(b"x" * 100)
    with pytest.raises(LockedError):
        FileJournal(tmp_path, 0, now=NOW)
    file.close()
    assert kept(tmp_path) == [b"x" * 100]
