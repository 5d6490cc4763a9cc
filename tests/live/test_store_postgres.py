"""PostgreSQL that stops, breaks connections or fills up: nothing acknowledged is lost, nothing is there twice."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest

from essaim.live.errors import JournalError, LockedError, StoreError
from essaim.live.postgres_store import PostgresStore
from essaim.live.store import open_store
from tests.live.rooms import make_spec
from tests.live.servers import PostgresServer, free_port
from tests.live.stores import ROOM, until
from tests.live.test_store import SOURCE


@pytest.fixture
def address(postgres: PostgresServer) -> str:
    """An empty database."""
    return postgres.address(f"test_{uuid4().hex[:12]}")


@pytest.fixture
def store(address: str) -> Iterator[PostgresStore]:
    """A store with a room."""
    store = PostgresStore(address)
    store.write_spec(make_spec())
    yield store
    store.close()


def kept(store: PostgresStore) -> list[bytes]:
    return store.tail(ROOM).read()


def execute(address: str, *statements: str) -> None:
    with psycopg.connect(address, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


CUT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


class Writer(threading.Thread):
    """Writes numbered blocks for ever, as a room does: after a failure it opens its journal again."""

    def __init__(self, store: PostgresStore) -> None:
        super().__init__()
        self.store = store
        self.acknowledged: list[int] = []
        self.failures = 0
        self.ended = threading.Event()

    def run(self) -> None:
        journal, n = None, 0
        while not self.ended.is_set():
            try:
                journal = journal or self.store.journal(ROOM, 0)
                n += 1
                journal.append(b"%d" % n)
                self.acknowledged.append(n)
            except (StoreError, LockedError):
                self.failures += 1
                if journal is not None:
                    journal.close()
                journal = None
                self.ended.wait(0.02)
        if journal is not None:
            journal.close()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT, "cut"])
def test_the_server_goes_away_and_comes_back(
    postgres: PostgresServer, store: PostgresStore, address: str, how: signal.Signals | str
) -> None:
    writer = Writer(store)
    writer.start()
    try:
        for _ in range(3):
            so_far = len(writer.acknowledged)
            until(lambda so_far=so_far: len(writer.acknowledged) > so_far + 50)
            failures = writer.failures
            if isinstance(how, str):
                execute(address, CUT)
            else:
                postgres.stop(how)
                until(lambda failures=failures: writer.failures > failures + 3)
                with pytest.raises(StoreError):
                    store.rooms()
                assert store.lease().acquire() is None
                postgres.start()
            until(lambda failures=failures: writer.failures > failures)
        so_far = len(writer.acknowledged)
        until(lambda: len(writer.acknowledged) > so_far + 50)
    finally:
        writer.ended.set()
        writer.join()
    found = [int(payload) for payload in kept(store)]
    assert set(writer.acknowledged) <= set(found)
    assert len(found) == len(set(found))
    assert store.rooms() == [ROOM]
    (report,) = store.examine(ROOM, lambda _: 1)
    assert report.damaged == []


def test_a_writer_whose_session_ended_is_refused(address: str, store: PostgresStore) -> None:
    journal = store.journal(ROOM, 0)
    journal.append(b"one")
    execute(address, CUT)
    other = PostgresStore(address)
    until(lambda: "essaim" not in holders(address))
    successor = other.journal(ROOM, 0)
    successor.append(b"two")
    for _ in range(2):
        with pytest.raises(JournalError):
            journal.append(b"late")
    with pytest.raises(LockedError):
        store.journal(ROOM, 0)
    assert kept(store) == [b"one", b"two"]
    successor.close()
    again = store.journal(ROOM, 0)
    again.append(b"three")
    assert kept(store) == [b"one", b"two", b"three"]
    other.close()


def holders(address: str) -> list[str]:
    with psycopg.connect(address) as connection:
        rows = connection.execute(
            "SELECT application_name FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory'"
            " AND datname = current_database()"
        ).fetchall()
    return [str(row[0]) for row in rows]


def test_no_number_is_written_twice(address: str, store: PostgresStore) -> None:
    journal = store.journal(ROOM, 0)
    journal.append(b"one")
    execute(
        address, f"INSERT INTO essaim_live.journal VALUES ('{ROOM}', 0, 2, 0, 'by somebody without the lock')"
    )
    with pytest.raises(JournalError, match="journal_pkey"):
        journal.append(b"two")
    journal.close()


def test_a_full_disk(address: str, store: PostgresStore) -> None:
    execute(
        address,
        "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$",
    )
    journal = store.journal(ROOM, 0)
    journal.append(b"before")
    execute(
        address,
        "CREATE TRIGGER full_disk AFTER INSERT ON essaim_live.journal FOR EACH ROW EXECUTE FUNCTION full_disk()",
    )
    for _ in range(2):
        with pytest.raises(JournalError, match="could not extend file"):
            journal.append(b"while it is full")
    execute(address, "DROP TRIGGER full_disk ON essaim_live.journal")
    journal.append(b"after")
    assert kept(store) == [b"before", b"after"]


def test_damage_is_found_and_passed_over(address: str, store: PostgresStore) -> None:
    journal = store.journal(ROOM, 3)
    for n in range(600):
        journal.append(b"%d" % n)
    execute(
        address,
        "DELETE FROM essaim_live.journal WHERE n BETWEEN 300 AND 302",
        "UPDATE essaim_live.journal SET payload = 'x' WHERE n = 10",
    )
    (report,) = store.examine(ROOM, lambda _: 2)
    assert [(one.start, one.end, one.why) for one in report.damaged] == [
        (10, 11, "wrong checksum"),
        (300, 303, "missing"),
    ]
    assert (report.worker, report.writing, report.blocks, report.records) == (3, True, 596, 1192)
    done = subprocess.run(
        [sys.executable, "-m", "essaim.cli", "journal", "verify", ROOM, "--store", address],
        env={"PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "worker 3: DAMAGED blocks from 300 to 303: missing" in done.stdout
    assert [int(one) for one in kept(store)] == [n for n in range(600) if n != 9 and not 299 <= n <= 301]


@pytest.mark.parametrize("topic", ["spec", "snapshot"])
def test_notices(address: str, store: PostgresStore, topic: str) -> None:
    other = PostgresStore(address)
    heard: list[tuple[str, str]] = []
    end = other.listen(lambda *notice: heard.append(notice))

    def tell() -> None:
        store.write_spec(make_spec()) if topic == "spec" else store.publish(ROOM, 1, b"")

    until(lambda: tell() or heard)
    assert set(heard) == {(topic, ROOM)}
    execute(address, CUT)
    heard.clear()
    until(lambda: tell() or heard)
    end()
    other.close()


def test_many_processes_make_the_tables_at_once(address: str) -> None:
    stores = [PostgresStore(address) for _ in range(8)]
    found: list[list[str]] = []
    threads = [threading.Thread(target=lambda store=store: found.append(store.rooms())) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [[]] * 8
    for store in stores:
        store.close()


def test_tables_of_another_version_are_left_alone(address: str, store: PostgresStore) -> None:
    execute(address, "UPDATE essaim_live.about SET version = 99")
    with pytest.raises(StoreError, match="version 99"):
        PostgresStore(address).rooms()
    execute(address, "UPDATE essaim_live.about SET version = 1")


FORKED = """
import os, sys
from essaim.live.store import shared_store
store = shared_store(sys.argv[1])
journal = store.journal("room-1", 0)
journal.append(b"parent")
assert store.rooms() == ["room-1"]
child = os.fork()
if not child:
    assert store.rooms() == ["room-1"]
    assert shared_store(sys.argv[1]) is not store
    try:
        shared_store(sys.argv[1]).journal("room-1", 0)
    except RuntimeError:
        os._exit(0)
    os._exit(1)
assert os.waitpid(child, 0)[1] == 0
journal.append(b"parent again")
assert store.rooms() == ["room-1"]
"""


def test_connections_do_not_cross_a_fork(address: str, store: PostgresStore) -> None:
    subprocess.run([sys.executable, "-c", FORKED, address], env={"PYTHONPATH": str(SOURCE)}, check=True)
    assert kept(store) == [b"parent", b"parent again"]


def test_addresses_that_lead_nowhere() -> None:
    store = open_store(f"postgresql://essaim@127.0.0.1:{free_port()}/nothing")
    for ask in (
        store.rooms,
        lambda: store.read_spec(ROOM),
        lambda: store.journal(ROOM, 0),
        lambda: store.key(ROOM),
    ):
        with pytest.raises(StoreError):
            ask()
    with pytest.raises(StoreError, match="not the address"):
        open_store("postgresql://[")
    with pytest.raises(StoreError, match="Redis"):
        open_store("postgresql://127.0.0.1/x#http://127.0.0.1")
