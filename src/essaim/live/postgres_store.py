"""The store of several machines: PostgreSQL, in the schema essaim_live.

It needs sessions of its own (no pooler that hands a session from one transaction to the next), at most
`LANES` + 5 of them for each process.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import zlib
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Final

from essaim.live.bus import SNAPSHOT, SPEC, Bus, Heard, Listener
from essaim.live.errors import KeyDestroyedError, StoreError, UnknownRoomError
from essaim.live.examine import Count, JournalReport
from essaim.live.postgres_journal import Lane, PostgresJournal, PostgresTail, examine_rows, last_rows
from essaim.live.postgres_sessions import Connection, Sessions, notices
from essaim.live.spec import RoomSpec, decode, encode, is_room
from essaim.live.tickets import KEY_BYTES

LANES: Final = 4
CHANNEL: Final = "essaim_live"
LARGEST_NUMBER: Final = 2**32 - 1
LEASE_S: Final = 1.5
_log = logging.getLogger(__name__)


class PostgresBus:
    """LISTEN and NOTIFY: for those who have no Redis."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def notify(self, topic: str, room: str) -> None:
        """Tell everybody who listens."""
        with contextlib.suppress(StoreError):  # they look from time to time
            self._sessions.run(
                lambda connection: connection.execute(
                    "SELECT pg_notify(%s, %s)", (CHANNEL, f"{topic} {room}")
                )
            )

    def listen(self, heard: Heard) -> Callable[[], None]:
        """Call `heard` for every notice from now on; gives what ends it."""
        return Listener(lambda: notices(self._sessions, CHANNEL), heard).close

    def keep(self, room: str, stamp: tuple[int, int], data: bytes) -> None:
        """The snapshot is in its table."""

    def kept(self, room: str, stamp: tuple[int, int]) -> bytes | None:
        """The snapshot is in its table."""
        return None

    def close(self) -> None:
        """Nothing is held open."""


class PostgresStore:
    """The rooms in a database; any thread may use it, after its process has forked."""

    poll_s = 1.0

    def __init__(self, address: str, bus: Bus | None = None) -> None:
        self.address = address
        self._sessions = Sessions(address)
        self._bus: Bus = bus or PostgresBus(self._sessions)
        self._lanes = [Lane(self._sessions) for _ in range(LANES)]

    # Rooms

    def rooms(self) -> list[str]:
        """List the rooms that have a specification."""
        return [str(row[0]) for row in self._rows("SELECT room FROM essaim_live.rooms ORDER BY room")]

    def read_spec(self, room: str) -> RoomSpec:
        """Read the specification of a room, or raise UnknownRoomError, SpecError or StoreError."""
        rows = self._rows("SELECT spec FROM essaim_live.rooms WHERE room = %s", _checked(room))
        if not rows:
            raise UnknownRoomError(room)
        return decode(rows[0][0])

    def write_spec(self, spec: RoomSpec) -> bool:
        """Write a specification; an older revision never replaces a newer (False)."""
        rows = self._rows(
            """INSERT INTO essaim_live.rooms AS r (room, rev, stamp, spec)
            VALUES (%s, %s, nextval('essaim_live.stamps'), %b)
            ON CONFLICT (room) DO UPDATE SET rev = excluded.rev, stamp = excluded.stamp, spec = excluded.spec
            WHERE r.rev <= excluded.rev RETURNING 1""",
            _checked(spec.room), spec.rev, encode(spec),
        )  # fmt: skip
        if rows:
            self._bus.notify(SPEC, spec.room)
        return bool(rows)

    def spec_stamp(self, room: str) -> Hashable:
        """Give what changes when the specification changes."""
        rows = self._rows("SELECT stamp FROM essaim_live.rooms WHERE room = %s", _checked(room))
        return rows[0][0] if rows else None

    # Keys

    def key(self, room: str) -> bytes:
        """Give the 32 secret bytes of a room, made at first need; KeyDestroyedError once destroyed."""
        find = "SELECT key FROM essaim_live.keys WHERE room = %s"
        rows = self._rows(find, _checked(room))
        if not rows:
            new = secrets.token_bytes(KEY_BYTES)
            self._rows(
                "INSERT INTO essaim_live.keys VALUES (%s, %b) ON CONFLICT DO NOTHING RETURNING 1", room, new
            )
            rows = self._rows(find, room)
        if rows[0][0] is None:
            raise KeyDestroyedError(room)
        return bytes(rows[0][0])

    def destroy_key(self, room: str) -> None:
        """Destroy the key for good. The server's own log and backups hold it until they are recycled."""
        self._room(room)
        for key in (secrets.token_bytes(KEY_BYTES), None):
            self._rows(
                """INSERT INTO essaim_live.keys AS k VALUES (%s, %b) ON CONFLICT (room) DO UPDATE
                SET key = excluded.key WHERE k.key IS NOT NULL RETURNING 1""",
                room, key,
            )  # fmt: skip
        try:
            self._sessions.run(lambda connection: connection.execute("VACUUM essaim_live.keys"))
        except StoreError as error:
            _log.warning("the destroyed key of %s stays in dead rows until the next vacuum: %s", room, error)

    # Journals

    def journal(self, room: str, worker: int) -> PostgresJournal:
        """Open the journal of a worker for writing, exclusively: LockedError while anybody else has it."""
        return PostgresJournal(self._lanes[zlib.crc32(room.encode()) % LANES], _checked(room), worker)

    def tail(self, room: str) -> PostgresTail:
        """Follow the journals of all workers from their beginning, touching nothing."""
        return PostgresTail(self._sessions, _checked(room))

    def journal_stamp(self, room: str) -> Hashable:
        """Give what changes when anything is added to the journal of a room."""
        return tuple(self._sessions.run(lambda connection: last_rows(connection, room)))

    def examine(self, room: str, count: Count) -> list[JournalReport]:
        """Read every journal of a room and say what was found, touching nothing."""
        return examine_rows(self._sessions, room, count)

    # Numbers

    def claim(self, room: str, worker: int, count: int, *, above: int = 0) -> range:
        """Give `count` participant numbers, none below `above`, that nobody else gets; durable on return."""
        if count < 1 or above + count > LARGEST_NUMBER:
            raise ValueError(f"{count} participant numbers cannot be claimed from {above} on")
        rows = self._rows(
            """WITH taken AS (
                UPDATE essaim_live.rooms SET next_number = greatest(next_number, %s) + %s
                WHERE room = %s AND greatest(next_number, %s) + %s <= %s
                RETURNING room, next_number - %s AS first)
            INSERT INTO essaim_live.claims SELECT room, first, %s, %s FROM taken RETURNING first""",
            above, count, room, above, count, LARGEST_NUMBER, count, count, worker,
        )  # fmt: skip
        if not rows:
            self._room(room)
            raise ValueError(f"{count} participant numbers are not left in {room}")
        first = int(rows[0][0])
        return range(first, first + count)

    def claimed(self, room: str, worker: int) -> list[range]:
        """List the numbers a worker has claimed, in the order claimed."""
        rows = self._rows(
            "SELECT first, count FROM essaim_live.claims WHERE room = %s AND worker = %s ORDER BY first",
            room, worker,
        )  # fmt: skip
        return [range(first, first + count) for first, count in rows]

    # Invitation codes

    def burn(self, room: str, seals: Sequence[tuple[int, bytes]]) -> list[bytes]:
        """Keep each (index of a code, seal) whose index has none; give the seals that stand, durable on return."""
        indexes = [index for index, _ in seals]

        def run(connection: Connection) -> list[tuple[Any, ...]]:
            # In one order, so that two who burn the same codes never wait for each other. The second statement sees
            # what others committed while the first one waited for them.
            connection.execute(
                """INSERT INTO essaim_live.burnt SELECT room, given.index, given.seal FROM essaim_live.rooms,
                unnest(%s::integer[], %s::bytea[]) WITH ORDINALITY AS given (index, seal, place)
                WHERE room = %s ORDER BY given.index, given.place ON CONFLICT DO NOTHING""",
                (indexes, [seal for _, seal in seals], room),
            )
            return connection.execute(
                "SELECT index, seal FROM essaim_live.burnt WHERE room = %s AND index = ANY(%s)",
                (room, indexes),
            ).fetchall()

        stand = {int(index): bytes(seal) for index, seal in self._sessions.run(run)}
        if seals and not stand:
            self._room(room)
        return [stand[index] for index in indexes]

    def burnt(self, room: str) -> int:
        """Count the codes that were burnt."""
        return int(self._rows("SELECT count(*) FROM essaim_live.burnt WHERE room = %s", room)[0][0])

    # The lease and what its holder publishes

    def lease(self, name: str = "ranker") -> PostgresLease:
        """Give the lease of this name (not yet acquired)."""
        return PostgresLease(self._sessions, name)

    def publish(self, room: str, epoch: int, data: bytes) -> bool:
        """Replace what is published for a room; False when a larger epoch has published."""
        rows = self._rows(
            """INSERT INTO essaim_live.published AS p
            SELECT room, %s, nextval('essaim_live.stamps'), %b FROM essaim_live.rooms WHERE room = %s
            ON CONFLICT (room) DO UPDATE SET epoch = excluded.epoch, serial = excluded.serial, data = excluded.data
            WHERE p.epoch <= excluded.epoch RETURNING serial""",
            epoch, data, room,
        )  # fmt: skip
        if not rows:
            self._room(room)
            return False
        self._bus.keep(room, (epoch, int(rows[0][0])), data)
        self._bus.notify(SNAPSHOT, room)
        return True

    def published(self, room: str, known: Hashable = None) -> tuple[Hashable, bytes] | None:
        """Give (stamp, what is published), None when nothing is or when `known` is already its stamp."""
        rows = self._rows("SELECT epoch, serial FROM essaim_live.published WHERE room = %s", room)
        if not rows or tuple(rows[0]) == known:
            return None
        stamp = (int(rows[0][0]), int(rows[0][1]))
        data = self._bus.kept(room, stamp)
        if data is not None:
            return stamp, data
        rows = self._rows("SELECT epoch, serial, data FROM essaim_live.published WHERE room = %s", room)
        return ((int(rows[0][0]), int(rows[0][1])), bytes(rows[0][2])) if rows else None

    def listen(self, heard: Heard) -> Callable[[], None]:
        """Call `heard(topic, room)` in another thread when a "spec" or a "snapshot" changes; gives what ends it."""
        return self._bus.listen(heard)

    def close(self) -> None:
        """Close connections."""
        self._bus.close()
        for lane in self._lanes:
            with lane.guard:
                lane.end()
        self._sessions.forget()

    def _room(self, room: str) -> None:
        if not self._rows("SELECT 1 FROM essaim_live.rooms WHERE room = %s", _checked(room)):
            raise UnknownRoomError(room)

    def _rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        def run(connection: Connection) -> list[tuple[Any, ...]]:
            return connection.cursor(binary=True).execute(statement, values).fetchall()

        return self._sessions.run(run)


class PostgresLease:
    """One holder at a time by the clock of the database: whoever does not renew it for `LEASE_S` loses it.

    A database that cannot be reached neither gives nor keeps it. Each time it is acquired its epoch grows.
    """

    renew_s = 0.5

    def __init__(self, sessions: Sessions, name: str) -> None:
        self._sessions, self._name = sessions, name
        self._holder = secrets.token_hex(8)
        self._epoch = 0

    def acquire(self) -> int | None:
        """Give the new epoch (1 or more), None while somebody else holds it."""
        epoch = self._one(
            """INSERT INTO essaim_live.leases AS l
            VALUES (%s, 1, %s, clock_timestamp() + make_interval(secs => %s))
            ON CONFLICT (name) DO UPDATE
            SET epoch = l.epoch + 1, holder = excluded.holder, expires = excluded.expires
            WHERE l.expires < clock_timestamp() RETURNING epoch""",
            self._name, self._holder, LEASE_S,
        )  # fmt: skip
        if epoch is not None:
            self._epoch = epoch
        return epoch

    def renew(self) -> bool:
        """Keep it; False when it was lost. Call it every `renew_s` seconds."""
        return self._last(LEASE_S)

    def release(self) -> None:
        """Give it back."""
        self._last(-1.0)
        self._epoch = 0

    def _last(self, seconds: float) -> bool:
        kept = self._one(
            """UPDATE essaim_live.leases SET expires = clock_timestamp() + make_interval(secs => %s)
            WHERE name = %s AND holder = %s AND epoch = %s RETURNING 1""",
            seconds, self._name, self._holder, self._epoch,
        )  # fmt: skip
        return kept is not None

    def _one(self, statement: str, *values: object) -> int | None:
        try:
            row = self._sessions.run(lambda connection: connection.execute(statement, values).fetchone())
        except StoreError as error:
            _log.warning("the lease %s cannot be asked for: %s", self._name, error)
            return None
        return int(row[0]) if row is not None else None


def _checked(room: str) -> str:
    if not is_room(room):
        raise UnknownRoomError(room)
    return room
