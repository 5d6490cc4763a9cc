"""Coming in with an invitation code: one person is one participant, whatever is cut short, tried again or tried at once."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from essaim.live import invitations
from essaim.live.app import LiveApp
from essaim.live.errors import StoreError
from essaim.live.file_store import FileStore
from essaim.live.hub import Hub
from essaim.live.limits import WIDE, Limits
from essaim.live.participants import Participants
from essaim.live.phone import page
from essaim.live.reader import read_room
from essaim.live.records import BatchRecord, IdeaRecord, JoinRecord
from essaim.live.room import Room
from essaim.live.spec import SpecError, encode
from essaim.live.store import Store, open_store
from tests.live.rooms import KEY, NOW, everything, make_room, make_spec
from tests.live.served import ROOM, bearer, by_lane, live_spec, serving
from tests.live.test_phone import BUDGET, company

MARK, OTHER = "mark-of-a-phone-1", "mark-of-a-phone-2"


def code(store: Store | Path, index: int = 0) -> str:
    store = FileStore(store) if isinstance(store, Path) else store
    return invitations.write(store.key("room-1"), index)


async def come(client: httpx.AsyncClient, text: str, mark: str = MARK, **more: Any) -> tuple[int, Any]:
    """Join; give the number of the participant, or the code of the refusal."""
    answer = await client.post(f"{ROOM}/join", json={"code": text, "mark": mark, **more})
    client.cookies.clear()
    said = answer.json()
    return answer.status_code, said["participant"] if answer.status_code == 201 else said["code"]


@pytest.fixture(params=["app", "lane"], autouse=True)
def way(request: pytest.FixtureRequest) -> Any:
    """Both ways a request takes."""
    if request.param == "lane":
        with by_lane():
            yield
    else:
        yield


@asynccontextmanager
async def workers(address: str, count: int = 2) -> AsyncIterator[list[httpx.AsyncClient]]:
    """Several workers of one store."""
    clients, hubs = [], []
    for number in range(count):
        hub = Hub(open_store(address), worker=number, ranks=False, limits=WIDE)
        await hub.start()
        hubs.append(hub)
        transport = httpx.ASGITransport(LiveApp(hub))
        clients.append(httpx.AsyncClient(transport=transport, base_url="http://test"))
    try:
        yield clients
    finally:
        for client, hub in zip(clients, hubs, strict=True):
            await client.aclose()
            await hub.close()


def test_refusals(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path, live_spec("draft", codes=3)) as (client, hub):
            good = code(tmp_path)
            assert await come(client, "") == (401, "code-required")
            assert (await client.post(f"{ROOM}/join", json={})).json()["code"] == "code-required"
            other = invitations.write(bytes(32), 0)
            for bad in (good[:-1], good + "0", other, code(tmp_path, 3), "x", "é" * 11, "A" * 5_000):
                assert await come(client, bad) == (401, "bad-code")
            for mark in ("short", "é" * 20, "a" * 65):
                assert await come(client, good, mark) == (400, "malformed")
            assert (await client.post(f"{ROOM}/join", json={"code": good})).json()["code"] == "malformed"
            assert await come(client, good, lang="de") == (400, "malformed")
            assert FileStore(tmp_path).burnt("room-1") == 0
            assert (await hub.room("room-1")).room.people.count == 0
            frame = (await client.get(f"{ROOM}/frame")).json()
            assert frame["by_invitation"] is True
            assert await come(client, good.lower()) == (201, 0)

    asyncio.run(scenario())


def test_one_code_is_one_participant(tmp_path: Path) -> None:
    """However often, on however many connections it comes again: the same one, and another phone is refused."""

    async def scenario() -> None:
        async with serving(tmp_path, live_spec("draft", codes=40)) as (client, hub):
            first, second = code(tmp_path), code(tmp_path, 1)
            again = await asyncio.gather(*(come(client, first) for _ in range(20)))
            assert set(again) == {(201, again[0][1])}
            assert await come(client, first, OTHER) == (403, "code-used")
            status, number = await come(client, second)
            assert (status, number) != again[0], "the same phone with another code is another participant"
            assert status == 201
            people = (await hub.room("room-1")).room.people
            assert people.count == 2
            crowd = [
                come(client, code(tmp_path, index), f"mark-of-phone-{index:06d}") for index in range(2, 40)
            ]
            numbers = [number for _, number in await asyncio.gather(*crowd)]
            assert len({*numbers, number, again[0][1]}) == 40
            assert people.count == 40
            assert FileStore(tmp_path).burnt("room-1") == 40

    asyncio.run(scenario())
    room = read_room(FileStore(tmp_path), "room-1")
    assert room.people.count == 40


def test_two_workers_race_for_one_code(address: str) -> None:
    """Of two phones exactly one wins; one phone that knocks at both is one participant."""
    open_store(address).write_spec(live_spec("draft", codes=20))

    async def scenario() -> None:
        async with workers(address) as clients:
            store = open_store(address)
            for index in range(8):
                text = code(store, index)
                both = [come(clients[n], text, f"mark-{index}-{n}-" + "x" * 12) for n in range(2)]
                assert sorted(status for status, _ in await asyncio.gather(*both)) == [201, 403]
            for index in range(8, 16):
                text = code(store, index)
                same = [come(clients[n % 2], text, f"mark-{index}-" + "x" * 12) for n in range(6)]
                answers = set(await asyncio.gather(*same))
                assert len(answers) == 1
                assert answers.pop()[0] == 201
            assert store.burnt("room-1") == 16

    asyncio.run(scenario())
    assert read_room(open_store(address), "room-1").people.count == 16


def test_a_crash_between_burning_and_joining(tmp_path: Path) -> None:
    """The same phone comes in as who it was burnt for; nobody else was given that number meanwhile."""
    store = FileStore(tmp_path)
    store.write_spec(live_spec("draft", codes=5))
    key = store.key("room-1")
    lost = store.claim("room-1", 0, 1024)[0]
    store.burn("room-1", [(0, invitations.seal(key, 0, MARK, lost))])

    async def scenario() -> None:
        async with serving(tmp_path) as (client, hub):
            room = (await hub.room("room-1")).room
            assert room.people.count == 0, "who did not come in does not count"
            others = [await come(client, code(tmp_path, index), OTHER) for index in (1, 2)]
            assert lost not in [number for _, number in others]
            assert await come(client, code(tmp_path), OTHER) == (403, "code-used")
            assert await come(client, code(tmp_path)) == (201, lost)
            assert room.people.count == 3

    asyncio.run(scenario())
    assert read_room(store, "room-1").people.is_in(lost)


def test_after_a_restart_the_same_phone_is_the_same_participant(tmp_path: Path) -> None:
    async def scenario() -> None:
        numbers = []
        for _start in range(3):
            async with serving(tmp_path, live_spec("draft", codes=3)) as (client, _):
                numbers.append(await come(client, code(tmp_path)))
                assert await come(client, code(tmp_path), OTHER) == (403, "code-used")
        assert len(set(numbers)) == 1

    asyncio.run(scenario())


def test_a_store_that_fails_burns_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object) -> list[bytes]:
        raise StoreError("gone")

    async def scenario() -> None:
        async with serving(tmp_path, live_spec("draft", codes=3)) as (client, hub):
            with monkeypatch.context() as patch:
                patch.setattr(FileStore, "burn", fail)
                answer = await client.post(f"{ROOM}/join", json={"code": code(tmp_path), "mark": MARK})
                assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
                assert int(answer.headers["retry-after"]) > 0
            assert (await hub.room("room-1")).room.people.count == 0
            assert (await come(client, code(tmp_path)))[0] == 201

    asyncio.run(scenario())


def test_who_tries_many_codes_is_asked_to_wait(tmp_path: Path) -> None:
    limits = replace(WIDE, address_wrong_codes=5, address_wrong_codes_per_s=0.001)

    async def scenario() -> None:
        async with serving(tmp_path, live_spec("draft", codes=3), limits) as (client, _):
            tried = [await come(client, f"0000-00000{n}") for n in range(8)]
            assert tried == [(401, "bad-code")] * 5 + [(429, "too-many")] * 3
            assert await come(client, code(tmp_path)) == (429, "too-many"), (
                "else it would tell which are good"
            )

    asyncio.run(scenario())
    assert Limits().address_wrong_codes_per_s < 1


def test_codes_made_later_and_codes_ended(tmp_path: Path) -> None:
    spec = live_spec("draft", codes=1)

    async def scenario() -> None:
        async with serving(tmp_path, spec) as (client, hub):
            assert await come(client, code(tmp_path, 1)) == (401, "bad-code")
            live = await hub.room("room-1")
            live.use(msgspec.structs.replace(spec, rev=2, codes=2))
            status, number = await come(client, code(tmp_path, 1))
            assert status == 201
            answer = await client.post(f"{ROOM}/join", json={"code": code(tmp_path, 1), "mark": MARK})
            ticket = answer.json()["ticket"]
            assert (await client.get(f"{ROOM}/me", headers=bearer(ticket))).status_code == 200
            kept, live.room.key = code(tmp_path), None  # the key is destroyed at the end for good
            assert await come(client, kept) == (410, "ended")
            assert number not in (None, "")

    asyncio.run(scenario())


def test_the_page_and_its_form(tmp_path: Path) -> None:
    """Without JavaScript: the mark is a cookie the page brings, a code in the address is in the field."""

    async def scenario() -> None:
        async with serving(tmp_path, live_spec("draft", codes=3)) as (client, hub):
            good = code(tmp_path)
            client.headers["accept-language"] = "en"
            filled = await client.get(f"/s/ABC123?code={good}")
            assert re.search(rf'<input name="code" required [^>]*value="{good}"', filled.text)
            mark = client.cookies["essaim-mark-room-1"]
            assert invitations.is_mark(mark)
            plain = await client.get("/s/ABC123")
            assert "set-cookie" not in plain.headers, "it is given once"
            assert re.search(r'<input name="code" required [^>]*value=""', plain.text)
            refused = await client.post("/s/ABC123/join", data={"lang": "en", "code": "0000 <b>"})
            assert refused.headers["location"] == "/s/ABC123?notice=bad-code&code=0000%20%3Cb%3E"
            told = await client.get(refused.headers["location"])
            assert "not valid here" in told.text
            assert 'value="0000 &lt;b&gt;"' in told.text
            missing = await client.post("/s/ABC123/join", data={"lang": "en"})
            assert missing.headers["location"] == "/s/ABC123?notice=code-required"
            # The answer with the ticket is lost: the same browser comes again.
            for _ in range(2):
                answer = await client.post("/s/ABC123/join", data={"lang": "en", "code": good})
                assert answer.headers["location"] == "/s/ABC123"
                assert client.cookies.get("essaim-room-1")
                del client.cookies["essaim-room-1"]
            assert (await hub.room("room-1")).room.people.count == 1
            client.cookies.clear()
            await client.get("/s/ABC123")
            used = await client.post("/s/ABC123/join", data={"lang": "en", "code": good})
            assert used.headers["location"] == "/s/ABC123?notice=code-used"
            assert "another device" in (await client.get(used.headers["location"])).text

    asyncio.run(scenario())


def test_the_page_says_nothing_of_codes_where_none_are_asked_for(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path, live_spec("draft")) as (client, _):
            open_to_all = await client.get("/s/ABC123")
            assert "set-cookie" not in open_to_all.headers
            assert 'name="code"' not in open_to_all.text
            boot = re.search(r'id="boot">(.*?)</script>', open_to_all.text)
            assert boot is not None
            assert "bad-code" not in json.loads(boot[1])["t"]

    asyncio.run(scenario())


def test_two_joins_of_one_number_are_one_in_whatever_order() -> None:
    """Two workers may both write the join of a code that came to both: replicas agree all the same."""
    joins = [
        JoinRecord(3, NOW, "fr", 1, "Ana"),
        JoinRecord(3, NOW + 1, "en", 2, "Zoé"),
        JoinRecord(3, NOW, "fr"),
    ]
    written = IdeaRecord(100_000, "mark-0001", 2, "idea", "Une idée")
    rooms = []
    for order in permutations(joins):
        room = make_room(privacy="pseudonymous", codes=9)
        for record in (*order, BatchRecord(3, 1, NOW + 2, ideas=(written,))):
            room.apply(record)
        rooms.append(everything(room))
    assert all(one == rooms[0] for one in rooms)
    people = Participants()
    numbers = [3] * 60
    people.add_many(numbers, [1, 2, -1] * 20)
    assert (people.count, people.units()[3]) == (1, 2)


@pytest.mark.parametrize("lang", ["fr", "en"])
def test_with_its_field_too_the_page_is_under_10_kB(lang: str) -> None:
    room = Room(msgspec.structs.replace(company(), codes=9), KEY)
    document = page.render_page(room, None, lang, NOW)[0]
    total = len(gzip.compress(document, 6)) + len(page.SERVICE_WORKER)
    print(f"phone page with a code, {lang}: {total} bytes")
    assert total < BUDGET


@pytest.mark.parametrize(
    "changes", [{"codes": -1}, {"codes": 100_001}, {"codes": 1, "privacy": "identified"}]
)
def test_specifications_that_cannot_be(changes: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match="codes"):
        encode(make_spec(**changes))
