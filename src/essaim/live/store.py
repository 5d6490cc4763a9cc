"""Where rooms are kept. `open_store` gives the store behind an address: a folder, or PostgreSQL.

Payloads are opaque here. A store may be used by any thread, and must be opened after a process has forked.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from essaim.live.errors import StoreError
from essaim.live.examine import Count, JournalReport
from essaim.live.file_store import FileStore
from essaim.live.spec import RoomSpec

Payload = bytes | memoryview


class Journal(Protocol):
    """The journal of one worker of a room, open for writing by it alone."""

    def append(self, payload: bytes) -> None:
        """Write one block; durable on return. JournalError: nothing of it stands, or ever will be met by chance."""

    def close(self) -> None:
        """Give back the right to write."""


class Tail(Protocol):
    """Follows the journals of all workers of a room, touching nothing. A block may come more than once."""

    def read(self, *, but: int | None = None) -> Sequence[Payload]:
        """Give the whole good payloads written since the last call by all workers except `but`."""

    def blocks(self, *, but: int | None = None) -> Iterator[Payload]:
        """Walk over what `read` gives, without holding all of it in memory."""


class Lease(Protocol):
    """A right held by one holder of all processes and machines at a time."""

    renew_s: float
    """How often the holder must call `renew` (seconds)."""

    def acquire(self) -> int | None:
        """Give the new epoch, larger than all before; None while somebody else holds it."""

    def renew(self) -> bool:
        """Keep it; False when it was lost: stop publishing, and acquire it again."""

    def release(self) -> None:
        """Give it back."""


class Store(Protocol):
    """What rooms need of the place where they are kept.

    A store that cannot be reached raises StoreError (an OSError); a room that is not there UnknownRoomError.
    """

    address: str
    poll_s: float
    """How often to look for news that `listen` may have missed (seconds)."""

    def rooms(self) -> list[str]:
        """List the rooms that have a specification."""

    def read_spec(self, room: str) -> RoomSpec:
        """Read the specification of a room, or raise UnknownRoomError or SpecError."""

    def write_spec(self, spec: RoomSpec) -> bool:
        """Write a specification durably; an older revision never replaces a newer (False)."""

    def spec_stamp(self, room: str) -> Hashable:
        """Give what changes when the specification changes, cheaply."""

    def key(self, room: str) -> bytes:
        """Give the 32 secret bytes of a room, made at first need; KeyDestroyedError once destroyed."""

    def destroy_key(self, room: str) -> None:
        """Destroy the key for good: afterwards nobody can make or check a ticket of this room."""

    def journal(self, room: str, worker: int) -> Journal:
        """Open the journal of a worker for writing, exclusively: LockedError while anybody else has it."""

    def tail(self, room: str) -> Tail:
        """Follow the journals of all workers from their beginning."""

    def journal_stamp(self, room: str) -> Hashable:
        """Give what changes when anything is added to the journal of a room, cheaply."""

    def examine(self, room: str, count: Count) -> list[JournalReport]:
        """Read every journal of a room and say what was found, touching nothing."""

    def claim(self, room: str, worker: int, count: int, *, above: int = 0) -> range:
        """Give `count` participant numbers, none below `above`, that nobody else gets; durable on return."""

    def claimed(self, room: str, worker: int) -> list[range]:
        """List the numbers a worker has claimed, in the order claimed."""

    def burn(self, room: str, seals: Sequence[tuple[int, bytes]]) -> list[bytes]:
        """Keep each (index of a code, seal) whose index has none; give the seals that stand, durable on return."""

    def burnt(self, room: str) -> int:
        """Count the codes that were burnt."""

    def lease(self, name: str = "ranker") -> Lease:
        """Give the lease of this name (not yet acquired)."""

    def publish(self, room: str, epoch: int, data: bytes) -> bool:
        """Replace what is published for a room; False when a larger epoch has published."""

    def published(self, room: str, known: Hashable = None) -> tuple[Hashable, bytes] | None:
        """Give (stamp, what is published), None when nothing is or when `known` is already its stamp."""

    def listen(self, heard: Callable[[str, str], None]) -> Callable[[], None]:
        """Call `heard(topic, room)` in another thread when a "spec" or a "snapshot" changes; gives what ends it."""

    def close(self) -> None:
        """Close connections."""


def open_store(address: Path | str | Store) -> Store:
    """Open the store at an address: the data folder, or postgresql://…, with #redis://… behind it if there is one.

    A store is given back as it is. Raises StoreError if the address is wrong or an extra package is missing; connects later.
    """
    if not isinstance(address, Path | str):
        return address
    database, _, bus = str(address).partition("#")
    if not database.startswith(("postgresql://", "postgres://")):
        return FileStore(address)
    try:
        from essaim.live.postgres_store import PostgresStore
    except ImportError as error:
        raise StoreError("PostgreSQL needs the extra package: pip install 'essaim[postgres]'") from error
    if not bus:
        return PostgresStore(database)
    try:
        from essaim.live.redis_bus import RedisBus
    except ImportError as error:
        raise StoreError("Redis needs the extra package: pip install 'essaim[redis]'") from error
    return PostgresStore(database, RedisBus(bus))


def shared_store(address: Path | str) -> Store:
    """Give the store of this process at an address, opened at the first call after a fork."""
    return _shared(str(address), os.getpid())


@lru_cache(maxsize=8)
def _shared(address: str, _process: int) -> Store:
    return open_store(address)
