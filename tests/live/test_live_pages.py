"""The phone page over ASGI: the page, its forms without JavaScript, cookies, gzip."""

from __future__ import annotations

import asyncio
import gzip
import json
from pathlib import Path

from essaim.live import hub, plan
from tests.live.rooms import make_spec
from tests.live.served import ROOM, live_spec, serving


def test_the_phone_page_and_its_forms(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path, live_spec("draft", "compare")) as (client, running_hub):
            page = await client.get("/s/abc123", headers={"Accept-Encoding": "gzip"})
            assert page.status_code == 200
            assert page.headers["content-type"] == "text/html; charset=utf-8"
            assert page.headers["referrer-policy"] == "same-origin"
            assert page.headers["x-content-type-options"] == "nosniff"
            assert page.headers["cache-control"] == "private, no-cache"
            assert page.headers["content-encoding"] == "gzip"
            assert "default-src" in page.headers["content-security-policy"]
            joined = await client.post("/s/ABC123/join", data={"lang": "en", "unit": "1"})
            assert (joined.status_code, joined.headers["location"]) == (303, "/s/ABC123")
            assert "essaim-room-1" in client.cookies
            rated = {"item": "2", "scale": "maturity", "value": "4"}
            written = {"id": "form-0001", "item": "2", "kind": "idea", "text": "Écrit sans script"}
            for action, form in (("rate", rated), ("idea", written), ("idea", written)):
                answer = await client.post(f"/s/ABC123/{action}", data=form)
                assert (answer.status_code, answer.headers["location"]) == (303, "/s/ABC123")
            several = {
                "item": "3",
                "scale-maturity": "2",
                "scale-importance": "",
                "id": "form-0002",
                "text": "Car",
            }
            assert (await client.post("/s/ABC123/rate", data=several)).headers["location"] == "/s/ABC123"
            late = await client.post("/s/ABC123/vote", data={"sid": "0", "value": "1"})
            assert late.headers["location"] == "/s/ABC123?notice=out-of-phase"
            await next_phase(tmp_path, running_hub)
            for value, expected in (("1", {0: 1}), ("-1", {0: -1}), ("", {})):
                answer = await client.post("/s/ABC123/vote", data={"sid": "0", "value": value})
                assert answer.headers["location"] == "/s/ABC123"
                room = (await running_hub.room("room-1")).room
                assert room.votes_of(0) == expected
            assert room.ratings_of(0) == {(2, "maturity"): 4, (3, "maturity"): 2}
            mine = [(row.text, row.kind, row.item) for row in room.mine(0)]
            assert mine == [("Écrit sans script", "idea", 2), ("Car", "reason", 3)]
            wrong = await client.post("/s/ABC123/vote", data={"sid": "x", "value": "1"})
            assert wrong.headers["location"] == "/s/ABC123?notice=malformed"

    asyncio.run(scenario())


async def next_phase(data: Path, running_hub: hub.Hub) -> None:
    spec = (await running_hub.room("room-1")).room.spec
    moved = plan.next_phase(spec.plan, hub.clock())
    await asyncio.to_thread(hub.publish, data, make_spec(moved, rev=spec.rev + 1))


def test_forms_without_a_ticket_and_strange_codes(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path, live_spec()) as (client, _):
            answer = await client.post("/s/ABC123/vote", data={"sid": "0", "value": "1"})
            assert answer.headers["location"] == "/s/ABC123?notice=bad-ticket"
            answer = await client.post("/s/ABC123/join", data={"unit": "north"})
            assert answer.headers["location"] == "/s/ABC123?notice=malformed"
            for code in ("nope", "%2e%2e", "x" * 500, "é"):
                unknown = await client.get(f"/s/{code}", headers={"Accept-Language": "en"})
                assert unknown.status_code == 404
                assert unknown.headers["content-type"] == "text/html; charset=utf-8"
            worker = await client.get("/s/ABC123/sw.js")
            assert worker.headers["content-type"].startswith("text/javascript")
            assert worker.headers["service-worker-allowed"] == "/s/ABC123"
            # A ticket that has become void is as none: the page lets one join again.
            client.cookies.set("essaim-room-1", "void")
            assert (await client.get("/s/ABC123?notice=<script>&lang=en")).status_code == 200

    asyncio.run(scenario())


def test_https_makes_the_cookie_secure(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path, live_spec()) as (client, _):
            answer = await client.post(f"{ROOM}/join", json={}, headers={"X-Forwarded-Proto": "https"})
            assert "; Secure" in answer.headers["set-cookie"]

    asyncio.run(scenario())


def test_packed_answers_unpack_to_the_plain_ones(tmp_path: Path) -> None:
    """What is packed unpacks to what is sent plain."""

    async def scenario() -> None:
        async with serving(tmp_path, live_spec()) as (client, _):
            plain = await client.get(f"{ROOM}/frame", headers={"Accept-Encoding": "identity"})
            request = client.build_request("GET", f"{ROOM}/frame", headers={"Accept-Encoding": "gzip"})
            packed = await client.send(request, stream=True)
            raw = b"".join([chunk async for chunk in packed.aiter_raw()])
            assert gzip.decompress(raw) == plain.content
            assert json.loads(plain.content)["room"] == "room-1"

    asyncio.run(scenario())
