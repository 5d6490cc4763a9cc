"""The journal in files: for each worker a chain of append-only segments, the truth of what participants sent.

Segment: header = magic (8), marker (8 random bytes), CRC-32 of both (4); then blocks. Block = marker (8), length
(4), CRC-32 of length and payload (4), payload (opaque here). The marker is unknown to participants, so no text
of theirs can pass for a block. A bad stretch in the middle (a flipped bit) loses only itself: reading goes on
at the next good block, which is sound because what blocks hold applies in any order. A torn tail was never
acknowledged: it is cut off and kept aside with a report. A segment is never written again once the next exists.
"""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from essaim.live.errors import JournalError
from essaim.live.files import Lock, read_all, sync_dir, write_all

SEGMENT_BYTES: Final = 64 * 1024 * 1024
LARGEST_BLOCK: Final = 64 * 1024 * 1024
HEADER: Final = 20
_MAGIC: Final = b"ESSAIMJ1"
_BLOCK: Final = struct.Struct(">8sII")
# journal-0.log is the whole journal of a room made before there were workers and segments.
_NAME: Final = re.compile(r"journal-([0-9]+)(?:-([0-9]+))?\.log")
_log = logging.getLogger(__name__)


@dataclass
class Scan:
    """What reading a segment found: its marker, the end of its last good block, damaged stretches before."""

    marker: bytes = b""
    good_end: int = 0
    size: int = 0
    blocks: int = 0
    damaged: list[tuple[int, int]] = field(default_factory=list)

    @property
    def torn(self) -> int:
        """Bytes behind the last good block."""
        return self.size - self.good_end


def segments(folder: Path) -> dict[int, list[tuple[int, Path]]]:
    """Give the segments of each worker, (number, path), in the order written."""
    found: dict[int, list[tuple[int, Path]]] = {}
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return found
    for name in names:
        parts = _NAME.fullmatch(name)
        if parts is not None:
            found.setdefault(int(parts[1]), []).append((int(parts[2] or 0), folder / name))
    return {worker: sorted(found[worker]) for worker in sorted(found)}


def read(path: Path, found: Scan | None = None) -> Iterator[memoryview]:
    """Walk over the payloads of every good block of a segment, touching nothing; `found` tells what was met."""
    found = found if found is not None else Scan()
    try:
        # Not mapped into memory: reading a map of a file that its writer shortens ends the process.
        data = path.read_bytes()
    except FileNotFoundError:
        return
    found.size = len(data)
    found.marker = marker(data)
    if found.marker:
        found.good_end = HEADER
        yield from walk(data, HEADER, 0, found)


def walk(data: bytes, start: int, base: int, found: Scan) -> Iterator[memoryview]:
    """Walk over the good blocks of `data` from `start`; `data` begins at offset `base` of the segment."""
    view = memoryview(data)
    position = good = start
    while position < len(data):
        end = _block_end(view, position, found.marker)
        if end is None:
            position = data.find(found.marker, position + 1)
            if position < 0:
                return
            continue
        if position > good:
            found.damaged.append((base + good, base + position))
        payload = view[position + _BLOCK.size : end]
        position = good = end
        found.blocks += 1
        found.good_end = base + end
        yield payload


def marker(data: bytes) -> bytes:
    """Give the marker of a segment: from its header, or if that is damaged from the first block behind it."""
    head = data[:HEADER]
    if (
        len(head) == HEADER
        and head[:8] == _MAGIC
        and zlib.crc32(head[:16]) == struct.unpack(">I", head[16:])[0]
    ):
        return head[8:16]
    second = data[HEADER : HEADER + 8]
    if len(second) == 8 and _block_end(memoryview(data), HEADER, second) is not None:
        return second
    return b""


def whole_block(path: Path, found: Scan) -> bool:
    """Say whether a block that was written to its end, but is damaged, follows the last good one."""
    with path.open("rb") as file:
        file.seek(found.good_end)
        head = file.read(_BLOCK.size)
    if len(head) < _BLOCK.size or not head.startswith(found.marker):
        return False
    return int(_BLOCK.unpack(head)[1]) <= found.torn - _BLOCK.size


class FileJournal:
    """The journal of one worker, open for writing; whoever opens it a second time gets LockedError.

    Opening scans the last segment and cuts a torn tail (kept aside with a report, named after `now` in ms).
    Raises JournalError if the last segment cannot be recognised, OSError if it cannot be opened.
    """

    def __init__(self, folder: Path, worker: int, *, now: int, segment_bytes: int = SEGMENT_BYTES) -> None:
        self._folder, self._worker, self._segment_bytes = folder, worker, segment_bytes
        self._file = -1
        self._end = 0
        self._rotating = False
        self._lock = Lock(folder / f"lock-{worker}")
        try:
            known = segments(folder).get(worker)
            self._segment, self.path = known[-1] if known else (1, self._path(1))
            self._open(now)
        except BaseException:
            self.close()
            raise

    def append(self, payload: bytes) -> None:
        """Write one block and wait for the disk. On failure (JournalError) nothing of it is left behind."""
        if len(payload) > LARGEST_BLOCK:
            raise ValueError(f"a block holds at most {LARGEST_BLOCK} bytes, not {len(payload)}")
        if self._file < 0:
            raise JournalError(f"journal {self.path} is closed")
        try:
            if self._rotating or HEADER < self._end > self._segment_bytes - _BLOCK.size - len(payload):
                self._rotate()
            head = struct.pack(">I", len(payload))
            checksum = zlib.crc32(payload, zlib.crc32(head))
            block = _BLOCK.pack(self._marker, len(payload), checksum) + payload
            write_all(self._file, block, self._end)
            os.fdatasync(self._file)
        except OSError as error:
            self._cut_failed()
            raise JournalError(error.errno, f"journal {self.path}: {error.strerror}") from error
        self._end += len(block)

    def close(self) -> None:
        """Close the file and give back the right to write."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        self._lock.release()

    def _path(self, segment: int) -> Path:
        return self._folder / f"journal-{self._worker}-{segment:06}.log"

    def _open(self, now: int) -> None:
        found = Scan()
        for _payload in read(self.path, found):
            pass
        if not found.marker and found.size > HEADER:
            # Blocks are only written behind a durable header, so acknowledged data may be in there.
            raise JournalError(f"{self.path} cannot be recognised as a journal: restore it, or move it away")
        if found.damaged:
            _log.error("journal %s: damaged stretches %s were passed over", self.path, found.damaged)
        if not found.marker:
            self._file, self._marker = _begin(self.path)
            self._end = HEADER
            return
        self._file = os.open(self.path, os.O_RDWR)
        self._marker, self._end = found.marker, found.good_end
        if found.torn:
            self._keep_aside(found, now)
        # A block whose writer died before its fdatasync returned is taken as written: now it must be.
        os.fdatasync(self._file)

    def _rotate(self) -> None:
        # Once tried it must succeed: readers take the existence of the next segment for the end of this one.
        self._rotating = True
        path = self._path(self._segment + 1)
        begun = _begin(path)
        os.close(self._file)
        (self._file, self._marker), self._end = begun, HEADER
        self._segment, self.path = self._segment + 1, path
        self._rotating = False

    def _cut_failed(self) -> None:
        """Take back a block that was not acknowledged, so that nothing in it is ever met again."""
        try:
            os.ftruncate(self._file, self._end)
            os.fdatasync(self._file)
        except OSError:
            _log.exception("journal %s: could not take back an unwritten block", self.path)

    def _keep_aside(self, found: Scan, now: int) -> None:
        side = self.path.with_name(f"{self.path.name}.torn-{now}")
        report = {
            "journal": self.path.name,
            "from": found.good_end,
            "bytes": found.torn,
            "at": now,
            "kept": side.name,
        }
        try:
            with side.open("wb") as file:
                file.write(read_all(self._file, found.torn, found.good_end))
                file.flush()
                os.fsync(file.fileno())
            side.with_suffix(f"{side.suffix}.json").write_text(json.dumps(report))
        except OSError:
            # A full disk must not keep the room shut: the tail was never acknowledged to anybody.
            _log.exception("journal %s: the torn tail could not be kept aside", self.path)
        _log.warning("journal %s: torn tail of %d bytes cut at %d", self.path, found.torn, found.good_end)
        os.ftruncate(self._file, found.good_end)
        os.fdatasync(self._file)


@dataclass
class _Place:
    """How far one worker's journal was read: up to `position` of `segment`; `looked`: its size and time then."""

    segment: int
    position: int = 0
    marker: bytes = b""
    looked: tuple[int, int] = (-1, 0)


class FileTail:
    """Follows the journals of all workers of a room, touching nothing.

    A block may come twice (after its writer took back one that could not be made durable): what blocks hold
    must apply any number of times.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._places: dict[int, _Place] = {}

    def read(self, *, but: int | None = None) -> list[memoryview]:
        """Give the whole good payloads written since the last call by all workers except `but`."""
        return list(self.blocks(but=but))

    def blocks(self, *, but: int | None = None) -> Iterator[memoryview]:
        """Walk over what `read` gives, holding one segment in memory at a time."""
        for worker, known in segments(self._folder).items():
            if worker != but:
                yield from self._follow(worker, known)

    def _follow(self, worker: int, known: list[tuple[int, Path]]) -> Iterator[memoryview]:
        place = self._places.setdefault(worker, _Place(known[0][0]))
        for segment, path in known:
            if segment < place.segment:
                continue
            if segment > place.segment:
                # Listed before the one before it was read: that one was at its end.
                place = self._places[worker] = _Place(segment)
            yield from self._grown(place, path)

    def _grown(self, place: _Place, path: Path) -> list[memoryview]:
        try:
            file = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            return []
        try:
            seen = os.fstat(file)
            looked = (seen.st_size, seen.st_mtime_ns)
            if looked == place.looked:
                return []
            payloads, found = _scanned(file, place, seen.st_size)
            if seen.st_size <= place.position or found.damaged or _astray(file, found):
                # A block half written while it was read, a stretch cut and written anew, or real damage:
                # the second look, from the beginning, tells. What it gives again does no harm.
                place.position = 0
                payloads, found = _scanned(file, place, os.fstat(file).st_size)
                if found.damaged:
                    _log.error("journal %s: damaged stretches %s were passed over", path, found.damaged)
            place.position, place.marker, place.looked = found.good_end, found.marker, looked
            return payloads
        finally:
            os.close(file)


def _scanned(file: int, place: _Place, size: int) -> tuple[list[memoryview], Scan]:
    """Read from the place on; nothing while the segment has no header yet."""
    base = place.position
    data = read_all(file, max(0, size - base), base)
    found = Scan(place.marker, base, base + len(data))
    if base == 0:
        found.marker = marker(data)
        if not found.marker:
            return [], found
        found.good_end = HEADER
    return list(walk(data, found.good_end - base, base, found)), found


def _astray(file: int, found: Scan) -> bool:
    """Say whether what follows the last good block is not the beginning of a block."""
    return bool(found.marker) and not found.marker.startswith(os.pread(file, 8, found.good_end))


def _begin(path: Path) -> tuple[int, bytes]:
    """Make a segment with a durable header and a durable name; give its descriptor and its marker."""
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        head = _MAGIC + secrets.token_bytes(8)
        os.ftruncate(file, 0)
        write_all(file, head + struct.pack(">I", zlib.crc32(head)), 0)
        os.fdatasync(file)
        sync_dir(path.parent)
    except BaseException:
        os.close(file)
        raise
    return file, head[8:]


def _block_end(data: memoryview, position: int, marker: bytes) -> int | None:
    start = position + _BLOCK.size
    if start > len(data) or data[position : position + 8] != marker:
        return None
    _, length, checksum = _BLOCK.unpack_from(data, position)
    end: int = start + length
    if length > LARGEST_BLOCK or end > len(data):
        return None
    good = zlib.crc32(data[start:end], zlib.crc32(data[position + 8 : position + 12])) == checksum
    return end if good else None
