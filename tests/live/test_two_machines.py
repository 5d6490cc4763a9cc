"""Two machines that share PostgreSQL and Redis: one result, and a lease that passes on when its holder is gone."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import httpx

from essaim.live.store import open_store
from tests.live.machines import ROOM, epoch_of, machine, open_spec, play, result, same_key, two_machines
from tests.live.servers import PostgresServer, RedisServer
from tests.live.stores import until

PEOPLE = 24


def test_two_machines_give_the_result_of_one_and_the_lease_passes_on(
    tmp_path: Path, postgres: PostgresServer, redis_server: RedisServer
) -> None:
    store = open_store(postgres.address(f"test_{uuid4().hex[:12]}"))
    store.write_spec(open_spec())
    with two_machines(tmp_path / "two", store, redis_server.url) as both:
        play([one.url for one in both], PEOPLE)
        until(lambda: epoch_of(store) > 0)

        def states(header: str) -> set[str]:
            return {httpx.get(f"{one.url}{ROOM}/state", timeout=30).headers[header] for one in both}

        until(lambda: len(states("etag")) == 1)  # each has heard what the other took
        ours = result(store)
        # A decision of the facilitators, made anywhere, reaches both.
        store.write_spec(open_spec(rev=2, title="Autrement"))
        until(lambda: all(httpx.get(f"{m.url}{ROOM}/frame").json()["title"] == "Autrement" for m in both))
        # The holder of the lease is gone: the other machine goes on, and publishes in its place.
        epoch = epoch_of(store)
        both[0].fail()
        with httpx.Client(base_url=both[1].url, timeout=30) as client:
            joined = client.post(f"{ROOM}/join", json={}).json()
            votes = {"seq": 1, "votes": [[number, 1] for number in range(10)]}
            bearer = {"Authorization": f"Bearer {joined['ticket']}"}
            assert client.post(f"{ROOM}/batch", json=votes, headers=bearer).status_code == 200
        until(lambda: epoch_of(store) > epoch)
    folder = tmp_path / "one"
    alone = same_key(store, folder)
    with machine(folder) as only:
        play([only.url], PEOPLE)
    assert result(alone)[1] == ours[1]
