"""Connections to PostgreSQL that fail quickly, come back by themselves and never cross a fork."""

from __future__ import annotations

import contextlib
import logging
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict

from essaim.live.errors import StoreError

Connection = psycopg.Connection[tuple[Any, ...]]
T = TypeVar("T")
STATEMENT_S: Final = 5
VERSION: Final = 1
_IDLE: Final = 4
_LOCK: Final = 0x65737361696D  # "essaim"
_SCHEMA: Final = """
CREATE SCHEMA IF NOT EXISTS essaim_live;
CREATE TABLE essaim_live.about (version integer NOT NULL);
CREATE SEQUENCE essaim_live.stamps;
CREATE TABLE essaim_live.rooms (
    room text PRIMARY KEY, rev bigint NOT NULL, stamp bigint NOT NULL, spec bytea NOT NULL,
    next_number bigint NOT NULL DEFAULT 0);
-- A key of NULL is one that was destroyed.
CREATE TABLE essaim_live.keys (room text PRIMARY KEY, key bytea);
CREATE TABLE essaim_live.writers (room text, worker integer, PRIMARY KEY (room, worker));
CREATE TABLE essaim_live.journal (
    room text, worker integer, n bigint, checksum bigint NOT NULL, payload bytea NOT NULL,
    PRIMARY KEY (room, worker, n));
ALTER TABLE essaim_live.journal ALTER payload SET STORAGE EXTERNAL;
CREATE TABLE essaim_live.claims (
    room text, first bigint, count bigint NOT NULL, worker integer NOT NULL, PRIMARY KEY (room, first));
CREATE TABLE essaim_live.leases (
    name text PRIMARY KEY, epoch bigint NOT NULL, holder text NOT NULL, expires timestamptz NOT NULL);
-- Made again by the holder of the lease after a crash of the server.
CREATE UNLOGGED TABLE essaim_live.published (
    room text PRIMARY KEY, epoch bigint NOT NULL, serial bigint NOT NULL, data bytea NOT NULL);
ALTER TABLE essaim_live.published ALTER data SET STORAGE EXTERNAL;
INSERT INTO essaim_live.about VALUES (1);
"""
_ADDED: Final = """
CREATE TABLE IF NOT EXISTS essaim_live.burnt (
    room text, index integer, seal bytea NOT NULL, PRIMARY KEY (room, index));
"""
_log = logging.getLogger(__name__)
_inherited: list[Connection] = []


class Sessions:
    """The connections of one process to one database; any thread may use it."""

    def __init__(self, address: str) -> None:
        self._parameters = _parameters(address)
        self._guard = threading.Lock()
        self._idle: list[Connection] = []
        self._process = os.getpid()
        self._prepared = False
        self._delay, self._down_until = 0.1, 0.0

    def run(self, work: Callable[[Connection], T]) -> T:
        """Do something on a connection, again on a new one if an old one turns out to be lost.

        `work` must do no harm when done twice. Raises StoreError.
        """
        while True:
            connection, fresh = self.take()
            try:
                result = work(connection)
            except psycopg.Error as error:
                lost = connection.broken or connection.closed
                self.give_back(connection)
                if lost and not fresh:
                    self.forget()
                    continue
                raise StoreError(f"PostgreSQL: {error}") from error
            except BaseException:
                self.give_back(connection)
                raise
            self.give_back(connection)
            return result

    def take(self) -> tuple[Connection, bool]:
        """Give a connection for the caller alone, and whether it is a new one."""
        with self._guard:
            if self._process != os.getpid():
                # The parent's: closing them here, or letting them be collected, would end its sessions.
                _inherited.extend(self._idle)
                self._idle, self._process = [], os.getpid()
            if self._idle:
                return self._idle.pop(), False
        return self.connect(), True

    def give_back(self, connection: Connection) -> None:
        """Keep a connection for the next who needs one."""
        usable = not connection.closed and (
            connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        )
        with self._guard:
            if usable and len(self._idle) < _IDLE:
                self._idle.append(connection)
                return
        with contextlib.suppress(psycopg.Error):
            connection.close()

    def forget(self) -> None:
        """Close what is idle: when one connection was lost the others were too."""
        with self._guard:
            idle, self._idle = self._idle, []
        for connection in idle:
            with contextlib.suppress(psycopg.Error):
                connection.close()

    def connect(self) -> Connection:
        """Open a connection (the tables are made at the first one); at once StoreError just after a failure."""
        with self._guard:
            if time.monotonic() < self._down_until:
                raise StoreError("PostgreSQL could not be reached a moment ago")
        try:
            connection: Connection = psycopg.connect(autocommit=True, **self._parameters)
            try:
                connection.execute(
                    "SELECT set_config('synchronous_commit', 'on', false)"
                    " WHERE current_setting('synchronous_commit') = 'off'"
                )
                if not self._prepared:
                    _prepare(connection)
                    self._prepared = True
            except BaseException:
                connection.close()
                raise
        except psycopg.Error as error:
            with self._guard:
                self._down_until = time.monotonic() + random.uniform(0, self._delay)  # noqa: S311
                self._delay = min(2 * self._delay, 1.0)
            raise StoreError(f"PostgreSQL cannot be reached: {error}") from error
        self._delay = 0.1
        return connection


@contextlib.contextmanager
def notices(sessions: Sessions, channel: str) -> Iterator[Iterator[str | None]]:
    """Listen on a channel; None comes when nothing else did for half a second."""
    connection = sessions.connect()
    try:
        connection.execute(f'LISTEN "{channel}"')

        def heard() -> Iterator[str | None]:
            while True:
                for notice in connection.notifies(timeout=0.5):
                    yield notice.payload
                yield None

        yield heard()
    finally:
        connection.close()


def _parameters(address: str) -> dict[str, Any]:
    """Give the connection's parameters: what the operator wrote in the address goes before ours."""
    try:
        given = conninfo_to_dict(address)
    except psycopg.Error as error:
        raise StoreError(f"not the address of a PostgreSQL database: {error}") from error
    limits = {
        "statement_timeout": f"{STATEMENT_S}s",
        "lock_timeout": "3s",
        "idle_in_transaction_session_timeout": "10s",
        # The server must notice as well that a machine is gone: the lock on its journals ends with its session.
        "tcp_keepalives_idle": "3",
        "tcp_keepalives_interval": "1",
        "tcp_keepalives_count": "4",
        "tcp_user_timeout": "8000",
    }
    ours = " ".join(f"-c {name}={value}" for name, value in limits.items())
    defaults = {
        "application_name": "essaim",
        "connect_timeout": 3,
        "keepalives_idle": 3,
        "keepalives_interval": 1,
        "keepalives_count": 4,
        "tcp_user_timeout": 8000,
        "target_session_attrs": "read-write",
    }
    options = f"{ours} {given.pop('options', '') or ''}".strip()
    return {**defaults, **given, "options": options}


def _prepare(connection: Connection) -> None:
    """Make the tables if they are not there; StoreError if a newer Essaim made them."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        row = connection.execute("SELECT to_regclass('essaim_live.about') IS NOT NULL").fetchone()
        if row is None or not row[0]:
            connection.execute(_SCHEMA + _ADDED)
            return
        version = connection.execute("SELECT version FROM essaim_live.about").fetchone()
        if version is not None and version[0] == VERSION:
            connection.execute(_ADDED)
    if version is None or version[0] != VERSION:
        raise StoreError(
            f"the tables in essaim_live are of version {version and version[0]}, this program knows {VERSION}"
        )
