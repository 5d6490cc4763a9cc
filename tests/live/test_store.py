"""What every store does alike: the folder of one machine and the database of several."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from essaim.live.errors import KeyDestroyedError, LockedError, UnknownRoomError
from essaim.live.store import Store
from tests.live.rooms import make_spec
from tests.live.stores import ROOM, until

SOURCE = Path(__file__).resolve().parents[2] / "src"
Stores = Callable[[], Store]


def read(store: Store) -> list[bytes]:
    return [bytes(payload) for payload in store.tail(ROOM).read()]


def test_specifications(stores: Stores) -> None:
    one, other = stores(), stores()
    assert other.rooms() == [ROOM]
    stamp = other.spec_stamp(ROOM)
    assert one.write_spec(make_spec(rev=3))
    assert other.spec_stamp(ROOM) != stamp
    assert not other.write_spec(make_spec(rev=2, title="older"))
    assert other.write_spec(make_spec(rev=3, title="same revision"))
    assert one.read_spec(ROOM).title == "same revision"
    assert one.spec_stamp(ROOM) == other.spec_stamp(ROOM)
    for missing in ("room-2", "../x", "..", "", "a/b"):
        with pytest.raises(UnknownRoomError):
            one.read_spec(missing)
        for refused in (
            one.destroy_key,
            lambda room: one.journal(room, 0),
            lambda room: one.claim(room, 0, 1),
        ):
            with pytest.raises(UnknownRoomError):
                refused(missing)
    assert one.rooms() == [ROOM]


def test_of_many_who_publish_at_once_the_newest_stands(stores: Stores) -> None:
    threads = [
        threading.Thread(target=stores().write_spec, args=(make_spec(rev=rev),)) for rev in range(2, 12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stores().read_spec(ROOM).rev == 11


def test_the_key_is_made_once(stores: Stores) -> None:
    keys: list[bytes] = []
    threads = [threading.Thread(target=lambda: keys.append(stores().key(ROOM))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == 8
    assert len(set(keys)) == 1
    assert len(keys[0]) == 32
    stores().write_spec(make_spec(room="room-2"))
    assert stores().key("room-2") != keys[0]


def test_a_destroyed_key_never_comes_back(stores: Stores) -> None:
    one, other = stores(), stores()
    one.key(ROOM)
    one.destroy_key(ROOM)
    for store in (one, other, stores()):
        with pytest.raises(KeyDestroyedError):
            store.key(ROOM)
    other.destroy_key(ROOM)
    with pytest.raises(KeyDestroyedError):
        one.key(ROOM)
    one.write_spec(make_spec(room="room-2"))
    one.destroy_key("room-2")  # one that was never made cannot be made any more either
    with pytest.raises(KeyDestroyedError):
        other.key("room-2")


def test_a_journal_is_read_by_all(stores: Stores) -> None:
    writer, reader = stores(), stores()
    journal = writer.journal(ROOM, 0)
    tail = reader.tail(ROOM)
    assert list(tail.read()) == []
    sent = [b"one", b"", b"x" * 100_000, bytes(range(256))]
    for payload in sent:
        journal.append(payload)
        assert [bytes(one) for one in tail.read()] == [payload]
        assert list(tail.read()) == []
    assert read(reader) == sent
    journal.close()
    again = stores().journal(ROOM, 0)
    again.append(b"later")
    assert [bytes(one) for one in tail.read()] == [b"later"]
    assert read(writer) == [*sent, b"later"]
    again.close()


def test_workers_write_side_by_side(stores: Stores) -> None:
    follower = stores().tail(ROOM)
    journals = [stores().journal(ROOM, worker) for worker in range(4)]
    own = stores().tail(ROOM)

    def write(worker: int) -> None:
        for n in range(50):
            journals[worker].append(b"%d %d" % (worker, n))

    threads = [threading.Thread(target=write, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    seen: list[bytes] = []
    others: list[bytes] = []
    while any(thread.is_alive() for thread in threads):
        seen += map(bytes, follower.read())
        others += map(bytes, own.read(but=2))
    seen += map(bytes, follower.read())
    others += map(bytes, own.read(but=2))
    for worker in range(4):
        mine = [b"%d %d" % (worker, n) for n in range(50)]
        assert [one for one in seen if one.startswith(b"%d " % worker)] == mine
        assert [one for one in others if one.startswith(b"%d " % worker)] == (mine if worker != 2 else [])
    assert [bytes(one) for one in own.read()] == [b"2 %d" % n for n in range(50)], "its place was kept"
    for journal in journals:
        journal.close()


def test_one_writer_of_a_journal(stores: Stores) -> None:
    one, other = stores(), stores()
    journal = one.journal(ROOM, 0)
    for store in (one, other):
        with pytest.raises(LockedError):
            store.journal(ROOM, 0)
    other.journal(ROOM, 1).close()
    journal.close()
    journal.close()
    other.journal(ROOM, 0).close()


def test_a_closed_journal_takes_nothing(store: Store) -> None:
    journal = store.journal(ROOM, 0)
    journal.close()
    with pytest.raises(OSError):
        journal.append(b"late")
    assert read(store) == []


def test_the_stamp_of_the_journal(store: Store) -> None:
    journal = store.journal(ROOM, 0)
    stamps = [store.journal_stamp(ROOM)]
    for _ in range(2):
        journal.append(b"one")
        stamps.append(store.journal_stamp(ROOM))
    assert len(set(stamps)) == 3
    assert store.journal_stamp(ROOM) == stamps[-1]
    journal.close()


def test_numbers_belong_to_one_worker(stores: Stores) -> None:
    taken: list[range] = []

    def claim(worker: int) -> None:
        store = stores()
        taken.extend(store.claim(ROOM, worker, 1 + worker) for _ in range(20))

    threads = [threading.Thread(target=claim, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    numbers = [number for one in taken for number in one]
    assert sorted(numbers) == list(range(20 * (1 + 2 + 3 + 4)))
    store = stores()
    assert sorted(one.start for worker in range(4) for one in store.claimed(ROOM, worker)) == sorted(
        one.start for one in taken
    )
    assert [len(one) for one in store.claimed(ROOM, 3)] == [4] * 20
    assert store.claimed(ROOM, 9) == []
    assert store.claim(ROOM, 0, 5, above=1000) == range(1000, 1005)
    assert store.claim(ROOM, 0, 5, above=10) == range(1005, 1010)
    for count, above in ((0, 0), (-1, 0), (1, 2**32)):
        with pytest.raises(ValueError, match="cannot be claimed"):
            store.claim(ROOM, 0, count, above=above)
    with pytest.raises(ValueError):
        store.claim(ROOM, 0, 2**32 - 1)


def test_one_holder_of_the_lease(stores: Stores) -> None:
    one, other, elsewhere = stores().lease(), stores().lease(), stores().lease("another")
    assert one.acquire() == 1
    assert other.acquire() is None
    assert elsewhere.acquire() == 1
    assert one.renew()
    assert not other.renew()
    one.release()
    assert not one.renew()
    assert other.acquire() == 2
    assert one.acquire() is None
    other.release()
    assert one.acquire() == 3
    one.release()
    elsewhere.release()


HOLDER = """
import sys, time
from essaim.live.store import open_store
lease = open_store(sys.argv[1]).lease()
print(lease.acquire(), flush=True)
while lease.renew():
    time.sleep(lease.renew_s)
"""


def test_the_lease_of_a_killed_process_is_taken_over(store: Store) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, store.address],
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": str(SOURCE)},
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"1\n"
    lease = store.lease()
    assert lease.acquire() is None
    assert store.publish(ROOM, 1, b"old")
    holder.kill()
    holder.wait()
    holder.stdout.close()
    epochs: list[int | None] = []
    until(lambda: epochs.append(lease.acquire()) or epochs[-1])
    assert epochs[-1] == 2
    assert store.publish(ROOM, 2, b"new")
    assert not store.publish(ROOM, 1, b"late"), "the one who lost it is refused"
    lease.release()


def test_what_is_published(stores: Stores) -> None:
    one, other = stores(), stores()
    assert other.published(ROOM) is None
    assert one.publish(ROOM, 5, b"first")
    found = other.published(ROOM)
    assert found is not None
    stamp, data = found
    assert bytes(data) == b"first"
    assert other.published(ROOM, stamp) is None
    assert one.publish(ROOM, 5, b"second" * 100_000)
    assert not other.publish(ROOM, 4, b"of an older holder")
    found = other.published(ROOM, stamp)
    assert found is not None
    assert found[0] != stamp
    assert bytes(found[1]) == b"second" * 100_000
    assert other.publish(ROOM, 6, b"")
    assert one.published(ROOM, found[0]) is not None
    with pytest.raises(UnknownRoomError):
        one.publish("room-2", 1, b"")


def test_the_report_of_a_sound_journal(store: Store) -> None:
    assert store.examine(ROOM, len) == []
    journals = [store.journal(ROOM, worker) for worker in (0, 2)]
    for journal in journals:
        journal.append(b"abc")
        journal.append(b"de")
    reports = store.examine(ROOM, len)
    assert [(one.room, one.worker, one.writing, one.blocks, one.records) for one in reports] == [
        (ROOM, 0, True, 2, 5),
        (ROOM, 2, True, 2, 5),
    ]
    assert not any(one.damaged or one.torn or one.kept for one in reports)
    for journal in journals:
        journal.close()
    assert [one.writing for one in store.examine(ROOM, len)] == [False, False]

    def picky(payload: bytes | memoryview) -> int:
        if bytes(payload) == b"de":
            raise ValueError("no records")
        return 1

    assert [[one.why for one in report.damaged] for report in store.examine(ROOM, picky)] == [
        ["no records"],
        ["no records"],
    ]
