"""Redis carries notices and snapshots; when it is gone, the database alone does."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest
import redis

from essaim.live.redis_bus import RedisBus
from essaim.live.store import Store, open_store
from tests.live.rooms import make_spec
from tests.live.servers import PostgresServer, RedisServer
from tests.live.stores import ROOM, until


@pytest.fixture
def pair(postgres: PostgresServer, redis_server: RedisServer) -> Iterator[tuple[Store, Store]]:
    """Two stores of one database and one Redis, as two machines would have them."""
    address = f"{postgres.address(f'test_{uuid4().hex[:12]}')}#{redis_server.url}"
    one, other = open_store(address), open_store(address)
    one.write_spec(make_spec())
    yield one, other
    one.close()
    other.close()


def test_notices_and_snapshots(pair: tuple[Store, Store], redis_server: RedisServer) -> None:
    one, other = pair
    heard: list[tuple[str, str]] = []
    end = other.listen(lambda *notice: heard.append(notice))
    until(lambda: one.write_spec(make_spec(rev=2)) and heard)
    assert set(heard) == {("spec", ROOM)}
    assert one.publish(ROOM, 1, b"snapshot")
    until(lambda: ("snapshot", ROOM) in heard)
    found = other.published(ROOM)
    assert found is not None
    bus = RedisBus(redis_server.url)
    assert bus.kept(ROOM, found[0]) == found[1] == b"snapshot"
    assert bus.kept(ROOM, (9, 9)) is None
    bus.close()
    end()


def test_a_snapshot_in_redis_that_is_not_the_latest_is_not_taken(
    pair: tuple[Store, Store], redis_server: RedisServer
) -> None:
    one, other = pair
    one.publish(ROOM, 1, b"first")
    client = redis.Redis.from_url(redis_server.url)
    old = client.get(f"essaim:snapshot:{ROOM}")
    one.publish(ROOM, 1, b"second")
    for left in (old, b"", b"short", None):
        if left is None:
            client.delete(f"essaim:snapshot:{ROOM}")
        else:
            client.set(f"essaim:snapshot:{ROOM}", left)
        found = other.published(ROOM)
        assert found is not None
        assert found[1] == b"second"
    client.close()


def test_redis_goes_away_and_comes_back(pair: tuple[Store, Store], redis_server: RedisServer) -> None:
    one, other = pair
    heard: list[tuple[str, str]] = []
    end = other.listen(lambda *notice: heard.append(notice))
    until(lambda: one.publish(ROOM, 1, b"before") and heard)
    redis_server.stop()
    try:
        assert one.publish(ROOM, 1, b"without")
        found = other.published(ROOM)
        assert found is not None
        assert found[1] == b"without"
        assert one.write_spec(make_spec(rev=5))
        assert other.read_spec(ROOM).rev == 5
        journal = one.journal(ROOM, 0)
        journal.append(b"block")
        journal.close()
    finally:
        redis_server.start()
    heard.clear()
    until(lambda: one.publish(ROOM, 1, b"after") and heard)
    end()
