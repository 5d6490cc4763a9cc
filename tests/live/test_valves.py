"""The valves: tickets, addresses, the queue of the journal, joins with a number, over the adapter and the lane."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from essaim.live.limits import AddressBuckets, Buckets, Limits
from tests.live.served import ROOM, bearer, by_lane, join, live_spec, serving

NOW = 1_800_000_000_000


@pytest.fixture(params=["adapter", "lane"])
def way(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "lane":
        with by_lane():
            yield "lane"
    else:
        yield "adapter"


def test_a_bucket_a_participant() -> None:
    buckets = Buckets(3, 2.0)
    assert [buckets.take(7, NOW) for _ in range(4)] == [0, 0, 0, 0.5]
    assert buckets.take(7, NOW + 499) > 0
    assert [buckets.take(7, NOW + 500), buckets.take(7, NOW + 500) > 0] == [0, True]
    assert [buckets.take(0, NOW), buckets.take(9, NOW)] == [0, 0], "others have their own"
    assert [buckets.take(7, NOW + 60_000) for _ in range(4)] == [0, 0, 0, 0.5], "full again, not fuller"
    assert buckets.take(7, NOW) > 0, "a clock that goes back gives nothing"


def test_a_bucket_an_address_in_bounded_memory() -> None:
    buckets = AddressBuckets(2, 1.0, most=100)
    assert [buckets.take("192.0.2.1", NOW) for _ in range(3)] == [0, 0, 1]
    assert [buckets.take("192.0.2.2", NOW) for _ in range(2)] == [0, 0]
    assert buckets.take("192.0.2.1", NOW + 1000) == 0
    same = ["2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:0db8:0001:0002::7"]
    assert [buckets.take(address, NOW) for address in same] == [0, 0, 1], "a /64 is one customer"
    assert buckets.take("2001:db8:1:3::1", NOW) == 0
    for number in range(10_000):
        buckets.take(f"10.0.{number // 256}.{number % 256}", NOW)
    assert len(buckets) <= 200
    assert "192.0.2" not in repr(vars(buckets))


@pytest.mark.usefixtures("way")
def test_one_waits_with_a_number_and_comes_in(tmp_path: Path) -> None:
    async def scenario() -> None:
        limits = Limits(joins_per_s=20.0, join_burst=2)
        async with serving(tmp_path, live_spec(), limits) as (client, hub):
            present = hub.clock()
            hub.clock = lambda: present
            live = await hub.room("room-1")
            live.clock = lambda: present
            await join(client)
            await join(client)
            refused = [await client.post(f"{ROOM}/join", json={}) for _ in range(3)]
            for ahead, answer in enumerate(refused):
                document = answer.json()
                assert (answer.status_code, document["code"], document["ahead"]) == (
                    503,
                    "waiting-room",
                    ahead,
                )
                assert int(answer.headers["retry-after"]) >= 2
            last = refused[2].json()["number"]
            again = await client.post(f"{ROOM}/join", json={"waiting": last})
            assert (again.json()["number"], again.json()["ahead"]) == (last, 2)
            present += 150
            assert (await client.post(f"{ROOM}/join", json={"waiting": last})).status_code == 201
            client.cookies.clear()
            assert (await client.post(f"{ROOM}/join", json={"waiting": last})).status_code == 503
            assert (await client.post(f"{ROOM}/join", json={"waiting": 7})).status_code == 400

    asyncio.run(scenario())


def test_without_javascript_a_cookie_keeps_the_number(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path, live_spec(), Limits(joins_per_s=20.0, join_burst=1)) as (client, hub):
            present = hub.clock()
            live = await hub.room("room-1")
            live.clock = lambda: present
            await join(client)
            waiting = await client.post("/s/ABC123/join", data={"lang": "fr"})
            assert (waiting.status_code, "essaim-waiting-room-1" in waiting.cookies) == (503, True)
            present += 60
            entered = await client.post("/s/ABC123/join", data={"lang": "fr"})
            assert (entered.status_code, "essaim-room-1" in entered.cookies) == (303, True)

    asyncio.run(scenario())


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("trusted", [(), ("127.0.0.1", "::1")])
def test_only_joins_are_counted_by_address(tmp_path: Path, trusted: tuple[str, ...]) -> None:
    async def scenario() -> None:
        limits = Limits(address_join_burst=2, address_joins_per_s=0.01, trusted_proxies=trusted)
        async with serving(tmp_path, live_spec(), limits) as (client, _):
            ticket = await join(client)
            await join(client)
            refused = await client.post(f"{ROOM}/join", json={})
            assert (refused.status_code, refused.json()["code"]) == (429, "too-many")
            assert "retry-after" in refused.headers
            elsewhere = {"X-Forwarded-For": "198.51.100.7", "X-Forwarded-Proto": "https"}
            answer = await client.post(f"{ROOM}/join", json={}, headers=elsewhere)
            assert answer.status_code == (201 if trusted else 429), "believed from a trusted proxy only"
            if trusted:
                assert "; Secure" in answer.headers["set-cookie"]
            client.cookies.clear()
            for seq in range(5):
                batch = {"seq": seq, "votes": [[seq, 1]]}
                sent = await client.post(f"{ROOM}/batch", json=batch, headers=bearer(ticket))
                assert sent.status_code == 200

    asyncio.run(scenario())


@pytest.mark.usefixtures("way")
def test_a_late_journal_refuses_early(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path, live_spec()) as (client, hub):
            ticket = await join(client)
            live = await hub.room("room-1")
            late = live.limits.queue_seconds + 1
            batch = {"seq": 1, "votes": [[0, 1]]}
            live.commits.oldest = time.perf_counter() - late
            refused = await client.post(f"{ROOM}/batch", json=batch, headers=bearer(ticket))
            assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
            assert 2 <= int(refused.headers["retry-after"]) <= 5
            assert (await client.post(f"{ROOM}/join", json={})).status_code == 503
            assert (await client.get(f"{ROOM}/state")).status_code == 200
            live.commits.oldest = 0.0
            assert (await client.post(f"{ROOM}/batch", json=batch, headers=bearer(ticket))).status_code == 200
            assert live.commits.oldest == 0.0, "nothing waits any more"

    asyncio.run(scenario())


def test_a_wrong_proxy_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nonsense"):
        Limits(trusted_proxies=("nonsense",))


def test_the_lane_drops_what_nobody_vouches_for(tmp_path: Path) -> None:
    async def scenario() -> None:
        limits = Limits(trusted_proxies=("192.0.2.0/24",))
        async with serving(tmp_path, live_spec(), limits) as (client, _):
            answer = await client.post(f"{ROOM}/join", json={}, headers={"X-Forwarded-Proto": "https"})
            assert "Secure" not in answer.headers["set-cookie"]

    with by_lane():
        asyncio.run(scenario())
