"""The store of one machine: a folder. `<data>/live/<room>/` holds of each room

spec.json                       what the facilitators decided
key, key.destroyed              the secret behind its tickets; the trace of its destruction
journal-<worker>-<segment>.log  what each worker took in; lock-<worker>: held by who writes it
claims                          which participant numbers belong to which worker
burnt                           the seals of the invitation codes that were used
published                       the latest snapshot of the lease's holder
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import struct
import time
import zlib
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import Final

from essaim.live import burnt
from essaim.live.errors import KeyDestroyedError, LockedError, StoreError, UnknownRoomError
from essaim.live.examine import Count, JournalReport, examine_files
from essaim.live.files import Lock, locked, read_all, replace, sync_dir, write_all
from essaim.live.journal import SEGMENT_BYTES, FileJournal, FileTail, segments
from essaim.live.spec import RoomSpec, SpecError, decode, encode, is_room
from essaim.live.tickets import KEY_BYTES

LIVE: Final = "live"
SPEC: Final = "spec.json"
KEY: Final = "key"
DESTROYED: Final = "key.destroyed"
CLAIMS: Final = "claims"
BURNT: Final = "burnt"
PUBLISHED: Final = "published"
LARGEST_NUMBER: Final = 2**32 - 1
_GUARD: Final = ".publish"
_SNAPSHOT: Final = struct.Struct(">QQI")
_CLAIM: Final = re.compile(rb"([0-9]+) ([0-9]+) ([0-9]+) ([0-9a-f]{8})\n")


class FileStore:
    """The rooms in a data folder, shared by the processes of one machine (not over a network file system)."""

    poll_s = 0.25
    """How often to look for what other processes changed: `listen` tells nothing here."""

    def __init__(self, data_dir: Path | str, *, segment_bytes: int = SEGMENT_BYTES) -> None:
        self.address = str(data_dir)
        self._folder = Path(data_dir) / LIVE
        self._segment_bytes = segment_bytes

    # Rooms

    def rooms(self) -> list[str]:
        """List the rooms that have a specification."""
        return sorted(path.parent.name for path in self._folder.glob(f"*/{SPEC}"))

    def folder(self, room: str) -> Path:
        """Give the folder of a room; a name that could leave the data folder is refused."""
        if not is_room(room):
            raise UnknownRoomError(room)
        return self._folder / room

    def read_spec(self, room: str) -> RoomSpec:
        """Read the specification of a room, or raise UnknownRoomError or SpecError."""
        path = self.folder(room) / SPEC
        try:
            spec = decode(path.read_bytes())
        except FileNotFoundError:
            raise UnknownRoomError(room) from None
        if spec.room != room:
            raise SpecError(f"{path} holds the specification of {spec.room}")
        return spec

    def write_spec(self, spec: RoomSpec) -> bool:
        """Write a specification atomically and durably; an older revision never replaces a newer (False)."""
        data = encode(spec)
        folder = self.folder(spec.room)
        folder.mkdir(parents=True, exist_ok=True)
        # Two writers may publish at once: who compares must also be who writes.
        with locked(folder / _GUARD):
            with contextlib.suppress(UnknownRoomError, SpecError):
                if self.read_spec(spec.room).rev > spec.rev:
                    return False
            replace(folder / SPEC, data, 0o644)
        return True

    def spec_stamp(self, room: str) -> Hashable:
        """Give what changes when the specification changes, without reading it."""
        return _stamp(self.folder(room) / SPEC)

    # Keys

    def key(self, room: str) -> bytes:
        """Give the 32 secret bytes of a room, made at first need (0600); KeyDestroyedError once destroyed."""
        folder = self.folder(room)
        path = folder / KEY
        if not (folder / DESTROYED).exists():
            with contextlib.suppress(FileNotFoundError):
                return _whole_key(path)
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder / _GUARD):
            if (folder / DESTROYED).exists():
                _shred(path)  # in case the destruction was cut short
                raise KeyDestroyedError(room)
            if not path.exists():
                replace(path, secrets.token_bytes(KEY_BYTES), 0o600)
            return _whole_key(path)

    def destroy_key(self, room: str) -> None:
        """Overwrite and remove the key for good: afterwards nobody can make or check a ticket of this room."""
        folder = self.folder(room)
        if not (folder / SPEC).exists():
            raise UnknownRoomError(room)
        with locked(folder / _GUARD):
            # First what forbids a new key: a destruction cut short is finished when the key is next asked for.
            replace(folder / DESTROYED, b"", 0o644)
            _shred(folder / KEY)

    # Journals

    def journal(self, room: str, worker: int) -> FileJournal:
        """Open the journal of a worker for writing, exclusively: LockedError while anybody else has it."""
        folder = self._known(room)
        now = time.time_ns() // 1_000_000
        return FileJournal(folder, worker, now=now, segment_bytes=self._segment_bytes)

    def tail(self, room: str) -> FileTail:
        """Follow the journals of all workers from their beginning, touching nothing."""
        return FileTail(self.folder(room))

    def journal_stamp(self, room: str) -> Hashable:
        """Give what changes when anything is added to the journal of a room, without reading it."""
        known = segments(self.folder(room))
        return tuple((path.name, _stamp(path)) for chain in known.values() for _, path in chain[-1:])

    def examine(self, room: str, count: Count) -> list[JournalReport]:
        """Read every journal of a room and say what was found, touching nothing."""
        return examine_files(self.folder(room), room, count)

    # Numbers

    def claim(self, room: str, worker: int, count: int, *, above: int = 0) -> range:
        """Give `count` participant numbers, none below `above`, that nobody else gets; durable on return.

        Raises ValueError when there are not as many numbers left, StoreError when it cannot be made durable.
        """
        folder = self._known(room)
        path = folder / CLAIMS
        new = not path.exists()
        with locked(path) as file:
            data = read_all(file, os.fstat(file).st_size, 0)
            claims, end = _claims(data)
            first = max([above, *(taken.stop for _, taken in claims)])
            if count < 1 or first + count > LARGEST_NUMBER:
                raise ValueError(f"{count} participant numbers cannot be claimed from {first} on")
            fields = b"%d %d %d" % (first, count, worker)
            try:
                os.ftruncate(file, end)
                write_all(file, b"%b %08x\n" % (fields, zlib.crc32(fields)), end)
                os.fdatasync(file)
                if new:
                    sync_dir(folder)
            except OSError as error:
                with contextlib.suppress(OSError):
                    os.ftruncate(file, end)
                raise StoreError(error.errno, f"{path}: {error.strerror}") from error
        return range(first, first + count)

    def claimed(self, room: str, worker: int) -> list[range]:
        """List the numbers a worker has claimed, in the order claimed."""
        try:
            data = (self.folder(room) / CLAIMS).read_bytes()
        except FileNotFoundError:
            return []
        return [taken for owner, taken in _claims(data)[0] if owner == worker]

    # Invitation codes

    def burn(self, room: str, seals: Sequence[tuple[int, bytes]]) -> list[bytes]:
        """Keep each (index of a code, seal) whose index has none; give the seals that stand, durable on return."""
        return burnt.burn(self._known(room) / BURNT, seals)

    def burnt(self, room: str) -> int:
        """Count the codes that were burnt."""
        return burnt.count(self.folder(room) / BURNT)

    # The lease and what its holder publishes

    def lease(self, name: str = "ranker") -> FileLease:
        """Give the lease of this name (not yet acquired)."""
        self._folder.mkdir(parents=True, exist_ok=True)
        return FileLease(self._folder, name)

    def publish(self, room: str, epoch: int, data: bytes) -> bool:
        """Replace what is published for a room; False when a larger epoch has published."""
        folder = self._known(room)
        path = folder / PUBLISHED
        with locked(folder / _GUARD):
            known = _snapshot(path, None)
            latest, serial = known[0] if known is not None else (0, 0)
            if latest > epoch:
                return False
            head = _SNAPSHOT.pack(epoch, serial + 1, zlib.crc32(data))
            # Not durable: after a power cut the next holder publishes anew.
            replace(path, head + data, 0o600, durable=False)
        return True

    def published(self, room: str, known: Hashable = None) -> tuple[Hashable, bytes] | None:
        """Give (stamp, what is published), None when nothing is or when `known` is already its stamp."""
        return _snapshot(self.folder(room) / PUBLISHED, known)

    def listen(self, heard: Callable[[str, str], None]) -> Callable[[], None]:
        """Tell nothing (look every `poll_s` instead); gives what ends the listening."""
        return lambda: None

    def close(self) -> None:
        """Nothing is held open."""

    def _known(self, room: str) -> Path:
        folder = self.folder(room)
        if not (folder / SPEC).exists():
            raise UnknownRoomError(room)
        return folder


class FileLease:
    """One holder at a time on this machine; given back with the process, however it ends.

    A holder that is stopped, not dead, keeps it. Each time it is acquired its epoch grows, durably.
    """

    renew_s = 0.5

    def __init__(self, folder: Path, name: str) -> None:
        self._path, self._epochs = folder / f"lease-{name}", folder / f"epoch-{name}"
        self._lock: Lock | None = None

    def acquire(self) -> int | None:
        """Give the new epoch (1 or more), None while somebody else holds it."""
        if self._lock is not None:
            raise RuntimeError("this lease is already held")
        try:
            lock = Lock(self._path)
        except LockedError:
            return None
        try:
            epoch = 1 + (int(self._epochs.read_text()) if self._epochs.exists() else 0)
            replace(self._epochs, b"%d\n" % epoch, 0o644)
        except BaseException:
            lock.release()
            raise
        self._lock = lock
        return epoch

    def renew(self) -> bool:
        """Say whether the lease is still held; call it every `renew_s` seconds."""
        if self._lock is None or not self._lock.is_at(self._path):
            self.release()
            return False
        return True

    def release(self) -> None:
        """Give it back."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None


def _claims(data: bytes) -> tuple[list[tuple[int, range]], int]:
    """Read (worker, numbers) of every good line; and where the last one ends: what follows was never given."""
    found, end = [], 0
    for line in _CLAIM.finditer(data):
        if int(line[4], 16) == zlib.crc32(line[0][:-10]):
            first, count, worker = int(line[1]), int(line[2]), int(line[3])
            found.append((worker, range(first, first + count)))
            end = line.end()
    return found, end


def _snapshot(path: Path, known: Hashable) -> tuple[tuple[int, int], bytes] | None:
    try:
        file = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        head = os.pread(file, _SNAPSHOT.size, 0)
        if len(head) < _SNAPSHOT.size:
            return None
        epoch, serial, checksum = _SNAPSHOT.unpack(head)
        if (epoch, serial) == known:
            return None
        data = read_all(file, os.fstat(file).st_size, _SNAPSHOT.size)
    finally:
        os.close(file)
    return ((epoch, serial), data) if zlib.crc32(data) == checksum else None


def _whole_key(path: Path) -> bytes:
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise ValueError(f"{path} does not hold {KEY_BYTES} bytes: restore it from a backup or remove it")
    return key


def _shred(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        file = os.open(path, os.O_WRONLY)
        try:
            write_all(file, secrets.token_bytes(os.fstat(file).st_size), 0)
            os.fsync(file)
        finally:
            os.close(file)
        path.unlink()
        sync_dir(path.parent)


def _stamp(path: Path) -> tuple[int, ...]:
    try:
        known = path.stat()
    except FileNotFoundError:
        return ()
    return (known.st_ino, known.st_size, known.st_mtime_ns)
