"""Files that survive a crash: replaced atomically, locked between processes, their names made durable."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from essaim.live.errors import LockedError


class Lock:
    """A right held by one holder at a time, released with the process (but shared with children it forks)."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._file)
            raise LockedError(f"{path.parent.name}/{path.name} is held by another process") from error

    def is_at(self, path: Path) -> bool:
        """Say whether the lock is held and `path` still names the file it is on."""
        try:
            return self._file >= 0 and os.path.samestat(os.fstat(self._file), path.stat())
        except OSError:
            return False

    def release(self) -> None:
        """Give the right back."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


@contextlib.contextmanager
def locked(path: Path) -> Iterator[int]:
    """Wait for the exclusive use of a file, made if absent; gives its descriptor."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle
    finally:
        os.close(handle)


def replace(path: Path, data: bytes, mode: int, *, durable: bool = True) -> None:
    """Write a file so that a reader sees all of the old or all of the new, whatever happens meanwhile."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            if durable:
                os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        raise
    if durable:
        sync_dir(path.parent)


def sync_dir(folder: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_all(file: int, data: bytes, offset: int) -> None:
    """Write all of `data` at `offset`; raises OSError, and then any part of it may have been written."""
    view = memoryview(data)
    while view:
        written = os.pwrite(file, view, offset)
        view, offset = view[written:], offset + written


def read_all(file: int, size: int, offset: int) -> bytes:
    """Read `size` bytes at `offset`, fewer at the end of the file."""
    data = os.pread(file, size, offset)
    if len(data) == size or not data:
        return data
    parts, got = [data], len(data)
    while got < size and (more := os.pread(file, size - got, offset + got)):
        parts.append(more)
        got += len(more)
    return b"".join(parts)
