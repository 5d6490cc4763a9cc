"""Where a room lives on disk: <data>/live/<room>/{spec.json, key, lock, journal-0.log}."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from essaim.live.spec import RoomSpec, SpecError, decode, encode, is_room
from essaim.live.tickets import KEY_BYTES

LIVE: Final = "live"
SPEC: Final = "spec.json"
JOURNAL: Final = "journal-0.log"


class LockedError(RuntimeError):
    """Another process (or hub) writes this room."""


class UnknownRoomError(LookupError):
    """There is no room of this name (or code)."""


def room_dir(data_dir: Path | str, room: str) -> Path:
    """Give the folder of a room; a name that could leave the data folder is refused."""
    if not is_room(room):
        raise UnknownRoomError(room)
    return Path(data_dir) / LIVE / room


def rooms(data_dir: Path | str) -> list[str]:
    """List the rooms that have a specification."""
    return sorted(path.parent.name for path in (Path(data_dir) / LIVE).glob(f"*/{SPEC}"))


def read_spec(data_dir: Path | str, room: str) -> RoomSpec:
    """Read the specification of a room, or raise UnknownRoomError or SpecError."""
    path = room_dir(data_dir, room) / SPEC
    try:
        spec = decode(path.read_bytes())
    except FileNotFoundError:
        raise UnknownRoomError(room) from None
    if spec.room != room:
        raise SpecError(f"{path} holds the specification of {spec.room}")
    return spec


def write_spec(data_dir: Path | str, spec: RoomSpec) -> bool:
    """Write a specification atomically and durably; an older revision never replaces a newer (False)."""
    data = encode(spec)
    folder = room_dir(data_dir, spec.room)
    folder.mkdir(parents=True, exist_ok=True)
    # Two writers may publish at once: who compares must also be who writes.
    with _locked(folder / ".publish"):
        with contextlib.suppress(UnknownRoomError, SpecError):
            if read_spec(data_dir, spec.room).rev > spec.rev:
                return False
        _replace(folder / SPEC, data, 0o644)
    return True


def room_key(data_dir: Path | str, room: str) -> bytes:
    """Give the 32 secret bytes of a room, made at first need (0600); without them every ticket is void."""
    path = room_dir(data_dir, room) / "key"
    with contextlib.suppress(FileNotFoundError):
        return _whole_key(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _locked(path.parent / ".publish"):
        if not path.exists():
            _replace(path, secrets.token_bytes(KEY_BYTES), 0o600)
    return _whole_key(path)


class Lock:
    """The right to write a room's journal: held by one hub or import at a time, released with the process."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._file)
            raise LockedError(f"the room {folder.name} is being written by another process") from error

    def release(self) -> None:
        """Give the right back."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def sync_dir(folder: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _whole_key(path: Path) -> bytes:
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise ValueError(f"{path} does not hold {KEY_BYTES} bytes: restore it from a backup or remove it")
    return key


def _replace(path: Path, data: bytes, mode: int) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        raise
    sync_dir(path.parent)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
