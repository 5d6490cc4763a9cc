"""The journal in PostgreSQL: one row a block, numbered by the only writer it has.

The right to write is an advisory lock of the session that writes, so it cannot outlive it; and the primary key
(room, worker, n) refuses a second block of the same number, whoever tries. A block is one INSERT, in a transaction
of its own: for a single row COPY is no quicker (0.4 ms against 0.5 ms for 16 kB, both durable).
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import zlib
from collections.abc import Iterator
from typing import Final

import psycopg

from essaim.live.errors import JournalError, LockedError, StoreError, UnknownRoomError
from essaim.live.examine import Count, Damage, JournalReport
from essaim.live.journal import LARGEST_BLOCK
from essaim.live.postgres_sessions import Connection, Sessions

ROWS: Final = 256
_LOCK: Final = "hashtextextended('essaim_live journal ' || {} || ' ' || {}, 0)"
_TRY: Final = f"SELECT pg_try_advisory_lock({_LOCK.format('%s', '%s')})"
_FREE: Final = f"SELECT pg_advisory_unlock({_LOCK.format('%s', '%s')})"
_WRITERS: Final = f"""
SELECT worker, EXISTS (
    SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted
    AND (classid::bigint << 32 | objid::bigint) = {_LOCK.format("room", "worker")})
FROM essaim_live.writers WHERE room = %s ORDER BY worker
"""  # noqa: S608
_NEXT: Final = """
SELECT w.worker, j.n, j.checksum, j.payload
FROM essaim_live.writers AS w
LEFT JOIN unnest(%s::integer[], %s::bigint[]) AS known (worker, n) USING (worker)
CROSS JOIN LATERAL (
    SELECT n, checksum, payload FROM essaim_live.journal
    WHERE room = w.room AND worker = w.worker AND n > coalesce(known.n, 0) ORDER BY n LIMIT %s) AS j
WHERE w.room = %s AND w.worker IS DISTINCT FROM %s
ORDER BY w.worker, j.n
"""
_log = logging.getLogger(__name__)


class Lane:
    """A session that writes the journals of some rooms, one block at a time; the caller holds `guard`."""

    def __init__(self, sessions: Sessions) -> None:
        self.guard = threading.Lock()
        self.number = 0
        self.held: set[tuple[str, int]] = set()
        self.connection: Connection | None = None
        self._sessions = sessions
        self._process = os.getpid()

    def begin(self) -> Connection:
        """Give the connection, made anew if it was lost."""
        if self._process != os.getpid():
            raise RuntimeError("a store must be opened after the process has forked")
        if self.connection is None or self.connection.closed:
            self.end()
            self.connection = self._sessions.connect()
        return self.connection

    def end(self) -> None:
        """End the session, and its locks with it; every journal that was open on it must be opened again."""
        if self.connection is not None:
            with contextlib.suppress(psycopg.Error):
                self.connection.close()
        self.connection = None
        self.number += 1
        self.held.clear()


class PostgresJournal:
    """The journal of one worker, open for writing."""

    def __init__(self, lane: Lane, room: str, worker: int) -> None:
        self._lane, self._room, self._worker = lane, room, worker
        with lane.guard:
            connection = lane.begin()
            if (room, worker) in lane.held:
                raise LockedError(f"the journal {worker} of {room} is open in this process")
            try:
                self._last = _opened(connection, room, worker)
            except psycopg.Error as error:
                lane.end()
                raise StoreError(f"PostgreSQL: {error}") from error
            lane.held.add((room, worker))
            self._session = lane.number

    def append(self, payload: bytes) -> None:
        """Write one block, durable on return.

        On JournalError it is not there; but if the connection broke while it was being written, it may be found
        after opening the journal again (it is never written twice).
        """
        if len(payload) > LARGEST_BLOCK:
            raise ValueError(f"a block holds at most {LARGEST_BLOCK} bytes, not {len(payload)}")
        lane = self._lane
        with lane.guard:
            connection = lane.connection
            if connection is None or lane.number != self._session:
                raise JournalError(f"the session that wrote {self._room} is over: open its journal again")
            values = (self._room, self._worker, self._last + 1, zlib.crc32(payload), payload)
            try:
                connection.execute("INSERT INTO essaim_live.journal VALUES (%s, %s, %s, %s, %b)", values)
            except psycopg.Error as error:
                if connection.closed:
                    lane.end()
                raise JournalError(f"PostgreSQL: {error}") from error
            self._last += 1

    def close(self) -> None:
        """Give back the right to write."""
        lane = self._lane
        with lane.guard:
            connection = lane.connection
            if connection is None or lane.number != self._session:
                return
            self._session = -1
            lane.held.discard((self._room, self._worker))
            try:
                connection.execute(_FREE, (self._room, str(self._worker)))
            except psycopg.Error:
                lane.end()


class PostgresTail:
    """Follows the journals of all workers. Blocks of one worker appear in the order of their numbers."""

    def __init__(self, sessions: Sessions, room: str) -> None:
        self._sessions, self._room = sessions, room
        self._known: dict[int, int] = {}

    def read(self, *, but: int | None = None) -> list[bytes]:
        """Give the whole good payloads written since the last call by all workers except `but`."""
        return list(self.blocks(but=but))

    def blocks(self, *, but: int | None = None) -> Iterator[bytes]:
        """Walk over what `read` gives, holding a few hundred blocks of each worker in memory at a time."""
        for worker, n, checksum, payload in _rows(self._sessions, self._room, self._known, but):
            self._known[worker] = n
            if zlib.crc32(payload) != checksum:
                _log.error("journal %d of %s: block %d is damaged and was passed over", worker, self._room, n)
                continue
            yield payload


def examine_rows(sessions: Sessions, room: str, count: Count) -> list[JournalReport]:
    """Read every journal of a room and say what was found."""
    known = sessions.run(lambda connection: connection.execute(_WRITERS, (room,)).fetchall())
    reports = {
        worker: JournalReport(room=room, worker=worker, writing=writing, segments=1)
        for worker, writing in known
    }
    places: dict[int, int] = {}
    for worker, n, checksum, payload in _rows(sessions, room, places, None):
        report = reports.setdefault(worker, JournalReport(room=room, worker=worker, writing=True, segments=1))
        expected = places.get(worker, 0) + 1
        places[worker] = n
        if n > expected:
            report.damaged.append(Damage("blocks", expected, n, "missing"))
        report.bytes += len(payload)
        if zlib.crc32(payload) != checksum:
            report.damaged.append(Damage("blocks", n, n + 1, "wrong checksum"))
            continue
        report.blocks += 1
        try:
            report.records += count(payload)
        except ValueError as error:
            report.damaged.append(Damage("blocks", n, n + 1, str(error)))
    return list(reports.values())


def last_rows(connection: Connection, room: str) -> list[tuple[int, int]]:
    """Give the number of the last block of every worker."""
    rows = connection.execute(
        """SELECT w.worker, j.n FROM essaim_live.writers AS w CROSS JOIN LATERAL (
            SELECT n FROM essaim_live.journal WHERE room = w.room AND worker = w.worker ORDER BY n DESC LIMIT 1
        ) AS j WHERE w.room = %s ORDER BY w.worker""",
        (room,),
    ).fetchall()
    return [(worker, n) for worker, n in rows]


def _rows(
    sessions: Sessions, room: str, known: dict[int, int], but: int | None
) -> Iterator[tuple[int, int, int, bytes]]:
    """Walk over the rows behind those `known`, which the caller keeps up to date."""
    more = True
    while more:
        values = (list(known), list(known.values()), ROWS, room, but)
        rows = sessions.run(
            lambda connection, values=values: (  # type: ignore[misc]
                connection.cursor(binary=True).execute(_NEXT, values).fetchall()
            )
        )
        got: dict[int, int] = {}
        for row in rows:
            got[row[0]] = got.get(row[0], 0) + 1
            yield row
        more = ROWS in got.values()


def _opened(connection: Connection, room: str, worker: int) -> int:
    """Take the lock of a journal and give the number of its last block."""
    if connection.execute("SELECT FROM essaim_live.rooms WHERE room = %s", (room,)).fetchone() is None:
        raise UnknownRoomError(room)
    # The old session of a writer that lost its connection may still be committing: it holds the lock meanwhile.
    row = connection.execute(_TRY, (room, str(worker))).fetchone()
    if row is None or not row[0]:
        raise LockedError(f"the journal {worker} of {room} is written by another process")
    connection.execute(
        "INSERT INTO essaim_live.writers VALUES (%s, %s) ON CONFLICT DO NOTHING", (room, worker)
    )
    last = connection.execute(
        "SELECT max(n) FROM essaim_live.journal WHERE room = %s AND worker = %s", (room, worker)
    ).fetchone()
    return int(last[0] or 0) if last is not None else 0
