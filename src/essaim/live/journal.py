"""The journal of a room: an append-only file of blocks, the truth of what participants sent.

File: header = magic (8), marker (8 random bytes), CRC-32 of both (4). Block = marker (8), length (4),
CRC-32 of length and payload (4), payload. The marker is unknown to participants, so no text of theirs can
pass for a block. A bad stretch in the middle (a flipped bit) loses only itself: reading goes on at the next
good block, which is sound because records apply in any order. A torn tail was never acknowledged: it is cut
off and kept aside with a report.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from essaim.live import records
from essaim.live.files import sync_dir
from essaim.live.records import Record

_MAGIC: Final = b"ESSAIMJ1"
_HEADER: Final = 20
_BLOCK: Final = struct.Struct(">8sII")
_LARGEST: Final = 64 * 1024 * 1024
_log = logging.getLogger(__name__)


class JournalError(OSError):
    """The journal could not be written: what waited for it is not durable."""


@dataclass
class Scan:
    """What reading a journal found: its marker, the end of its last good block, damaged stretches before."""

    marker: bytes = b""
    good_end: int = 0
    size: int = 0
    blocks: int = 0
    damaged: list[tuple[int, int]] = field(default_factory=list)

    @property
    def torn(self) -> int:
        """Bytes behind the last good block."""
        return self.size - self.good_end


def read(path: Path, found: Scan | None = None) -> Iterator[list[Record]]:
    """Walk over the records of every good block of a file, touching nothing; `found` tells what was met."""
    found = found if found is not None else Scan()
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return
    found.size = len(data)
    found.marker = _marker(data)
    if not found.marker:
        return
    position = found.good_end = _HEADER
    view = memoryview(data)
    while position < len(data):
        end = _block_end(data, position, found.marker)
        block = None if end is None else _records(view[position + _BLOCK.size : end])
        if end is not None and block is not None:
            if position > found.good_end:
                found.damaged.append((found.good_end, position))
            found.blocks += 1
            found.good_end = position = end
            yield block
            continue
        position = data.find(found.marker, position + 1)
        if position < 0:
            return


class JournalFile:
    """The journal open for writing by its single writer (see `files.Lock`)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.scan = Scan()
        self._file = -1
        self._end = 0

    def open(self, now: int) -> Iterator[list[Record]]:
        """Walk over all good blocks, then cut a torn tail (kept aside, with a report); append may follow."""
        yield from read(self.path, self.scan)
        if not self.scan.marker and self.scan.size > _HEADER:
            # Blocks are only written behind a durable header, so acknowledged data may be in there.
            raise JournalError(f"{self.path} cannot be recognised as a journal: restore it, or move it away")
        new = not self.path.exists()
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if self.scan.damaged:
            _log.error("journal %s: damaged stretches %s were passed over", self.path, self.scan.damaged)
        if self.scan.torn:
            self._keep_aside(now)
        if not self.scan.marker:
            head = _MAGIC + secrets.token_bytes(8)
            os.ftruncate(self._file, 0)
            _write_all(self._file, head + struct.pack(">I", zlib.crc32(head)), 0)
            os.fdatasync(self._file)
            self.scan.marker, self.scan.good_end = head[8:], _HEADER
        if new:
            sync_dir(self.path.parent)
        self._end = self.scan.good_end

    def append(self, payload: bytes) -> None:
        """Write one block and wait for the disk. On failure nothing of it is left behind."""
        head = struct.pack(">I", len(payload))
        checksum = zlib.crc32(payload, zlib.crc32(head))
        block = _BLOCK.pack(self.scan.marker, len(payload), checksum) + payload
        try:
            _write_all(self._file, block, self._end)
            os.fdatasync(self._file)
        except OSError as error:
            self._cut_failed()
            raise JournalError(error.errno, f"journal {self.path}: {error.strerror}") from error
        self._end += len(block)

    def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _cut_failed(self) -> None:
        """Take back a block that was not acknowledged, so that no number in it is ever met again."""
        try:
            os.ftruncate(self._file, self._end)
            os.fdatasync(self._file)
        except OSError:
            _log.exception("journal %s: could not take back an unwritten block", self.path)

    def _keep_aside(self, now: int) -> None:
        start, size = self.scan.good_end, self.scan.size
        side = self.path.with_name(f"{self.path.name}.torn-{now}")
        tail = os.pread(self._file, size - start, start)
        report = {
            "journal": self.path.name,
            "from": start,
            "bytes": size - start,
            "at": now,
            "kept": side.name,
        }
        try:
            side.write_bytes(tail)
            side.with_suffix(f"{side.suffix}.json").write_text(json.dumps(report))
        except OSError:
            # A full disk must not keep the room shut: the tail was never acknowledged to anybody.
            _log.exception("journal %s: the torn tail could not be kept aside", self.path)
        _log.warning("journal %s: torn tail of %d bytes cut at %d", self.path, size - start, start)
        os.ftruncate(self._file, start)
        os.fdatasync(self._file)


def _marker(data: bytes) -> bytes:
    """Give the marker of a file: from its header, or if that is damaged from the first block behind it."""
    head = data[:_HEADER]
    if (
        len(head) == _HEADER
        and head[:8] == _MAGIC
        and zlib.crc32(head[:16]) == struct.unpack(">I", head[16:])[0]
    ):
        return head[8:16]
    second = data[_HEADER : _HEADER + 8]
    if len(second) == 8 and _block_end(data, _HEADER, second) is not None:
        return second
    return b""


def _block_end(data: bytes, position: int, marker: bytes) -> int | None:
    start = position + _BLOCK.size
    if start > len(data) or data[position : position + 8] != marker:
        return None
    _, length, checksum = _BLOCK.unpack_from(data, position)
    end: int = start + length
    if length > _LARGEST or end > len(data):
        return None
    good = zlib.crc32(memoryview(data)[start:end], zlib.crc32(struct.pack(">I", length))) == checksum
    return end if good else None


def _records(payload: memoryview) -> list[Record] | None:
    try:
        return list(records.decode(payload))
    except msgspec.DecodeError:
        _log.exception("journal: a block with a good checksum does not hold records")
        return None


def _write_all(file: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(file, view, offset)
        view, offset = view[written:], offset + written
