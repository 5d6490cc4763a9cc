"""Stores to test with: a folder, and real PostgreSQL and Redis where they are installed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from essaim.live.file_store import FileStore
from essaim.live.postgres_store import PostgresStore
from essaim.live.store import Store
from tests.live.rooms import make_spec
from tests.live.servers import AbsentError, PostgresServer, RedisServer, running

ROOM = "room-1"


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server for the whole run; tests take a database each."""
    try:
        with running(PostgresServer) as server:
            yield server
    except AbsentError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A Redis server for the whole run."""
    try:
        with running(RedisServer) as server:
            yield server
    except AbsentError as error:
        pytest.skip(str(error))


@pytest.fixture(params=["file", "postgres"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty store."""
    if request.param == "file":
        return str(tmp_path)
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.address(f"test_{uuid4().hex[:12]}")


@pytest.fixture
def stores(address: str) -> Iterator[Callable[[], Store]]:
    """Makes stores at one address, as several processes would have them, with a room in it."""
    opened: list[Store] = []

    def make() -> Store:
        opened.append(FileStore(address) if address.startswith("/") else PostgresStore(address))
        return opened[-1]

    make().write_spec(make_spec())
    yield make
    for store in opened:
        store.close()


@pytest.fixture
def store(stores: Callable[[], Store]) -> Store:
    """A store with a room."""
    return stores()


def until(true: Callable[[], object], seconds: float = 30) -> None:
    """Wait until something is true; fails when it has not become so after a long time."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)
