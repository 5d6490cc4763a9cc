"""The live path, through the ASGI application and through the fast lane: every route, every refusal."""

from __future__ import annotations

import asyncio
import errno
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from essaim.live import answers, hub, plan
from essaim.live.answers import AHEAD
from essaim.live.app import LiveApp
from essaim.live.limits import Limits
from essaim.live.tickets import issue
from tests.live.rooms import idea, make_spec, running
from tests.live.served import ROOM, bearer, by_lane, join, live_spec, serving


@pytest.fixture(params=["adapter", "lane"], autouse=True)
def way(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "lane":
        with by_lane():
            yield "lane"
    else:
        yield "adapter"


def test_a_participant_from_join_to_me(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path, live_spec("draft", "compare")) as (client, _):
            answer = await client.post(f"{ROOM}/join", json={"lang": "en", "unit": 2})
            assert answer.status_code == 201
            assert answer.headers["cache-control"] == "no-store"
            cookie = answer.headers["set-cookie"]
            assert cookie.startswith("essaim-room-1=")
            assert "HttpOnly" in cookie
            assert "SameSite=Lax" in cookie
            assert "Path=/;" in cookie
            assert "Secure" not in cookie
            joined = answer.json()
            assert set(joined) == {"ticket", "participant", "state", "next", "frame"}
            assert (joined["participant"], joined["state"]["phase"], len(joined["next"])) == (
                0,
                "draft",
                AHEAD,
            )
            assert set(joined["next"][0]) == {"id", "text", "item", "kind"}
            batch = {
                "seq": 1,
                "votes": [[0, 1]],
                "ratings": [[2, "maturity", 3]],
                "ideas": [idea("idea-0001")],
            }
            # The cookie of the join is enough for a page of the same site.
            taken = await client.post(f"{ROOM}/batch", json=batch, headers={"Sec-Fetch-Site": "same-origin"})
            assert taken.status_code == 200
            assert taken.json()["seq"] == 1
            assert taken.json()["refused"] == [{"what": "votes", "index": 0, "code": "out-of-phase"}]
            me = (await client.get(f"{ROOM}/me")).json()
            assert (me["votes"], me["position"], me["why"], me["groups"]) == (0, None, "not-enough-votes", [])
            assert (me["mine"][0]["text"], me["mine"][0]["status"]) == ("Une idée", "shown")
            shown = await client.get(f"{ROOM}/next")
            assert (len(shown.json()["next"]), shown.headers["cache-control"]) == (AHEAD, "no-store")

    asyncio.run(scenario())


def test_shared_documents_have_etags_and_gzip(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path, live_spec()) as (client, _):
            for path in ("state", "frame", "map"):
                first = await client.get(f"{ROOM}/{path}", headers={"Accept-Encoding": "gzip"})
                assert first.status_code == 200
                assert first.headers["x-content-type-options"] == "nosniff"
                assert first.headers.get("vary") == (None if path == "map" else "accept-encoding")
                known = {"If-None-Match": f'"other", W/{first.headers["etag"]}'}
                again = await client.get(f"{ROOM}/{path}", headers=known)
                assert (again.status_code, again.content) == (304, b"")
                head = await client.head(f"{ROOM}/{path}")
                assert (head.status_code, head.content) == (200, b"")
                assert first.headers.get("content-encoding") == ("gzip" if path == "frame" else None)
            frame = (await client.get(f"{ROOM}/frame")).json()
            assert set(frame) >= {"title", "question", "kinds", "frame", "scales", "units", "lang", "privacy"}
            assert "seeds" not in frame
            assert "key" not in frame
            tag = (await client.get(f"{ROOM}/state")).headers["etag"]
            await join(client)
            assert (await client.get(f"{ROOM}/state")).headers["etag"] != tag

    asyncio.run(scenario())


Request = tuple[str, str, dict[str, Any]]
JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "code"),
    [
        ("GET", "/live/", {}, 404, "unknown-path"),
        ("GET", "/live/room-1", {}, 404, "unknown-path"),
        ("GET", "/live/room-1/", {}, 404, "unknown-path"),
        ("GET", "/live/room-1/nothing", {}, 404, "unknown-path"),
        ("GET", "/live/room-1/state/more", {}, 404, "unknown-path"),
        ("GET", "/live/unknown/state", {}, 404, "unknown-room"),
        ("GET", "/live/%2e%2e/state", {}, 404, "unknown-room"),
        ("GET", "/live/room-1/join", {}, 405, "method"),
        ("POST", "/live/room-1/state", {}, 405, "method"),
        ("DELETE", "/live/room-1/batch", {}, 405, "method"),
        ("POST", "/live/room-1/join", {"content": b"{}"}, 415, "unsupported-media-type"),
        ("POST", "/live/room-1/join", {"data": {"lang": "fr"}}, 415, "unsupported-media-type"),
        ("POST", "/live/room-1/join", {"content": b"{", "headers": JSON}, 400, "malformed"),
        ("POST", "/live/room-1/join", {"content": b"x" * 20_000, "headers": JSON}, 413, "too-large"),
        ("POST", "/live/room-1/join", {"json": {"unit": 77}}, 400, "unknown-unit"),
        (
            "POST",
            "/live/room-1/join",
            {"json": {}, "headers": {"Sec-Fetch-Site": "cross-site"}},
            403,
            "cross-site",
        ),
        ("POST", "/live/room-1/batch", {"json": {"seq": 1}}, 401, "bad-ticket"),
        (
            "POST",
            "/live/room-1/batch",
            {"json": {"seq": 1}, "headers": bearer("nonsense")},
            401,
            "bad-ticket",
        ),
        (
            "POST",
            "/live/room-1/batch",
            {"json": {"seq": 1}, "headers": {"Authorization": "Basic eDp5"}},
            401,
            "bad-ticket",
        ),
        (
            "POST",
            "/live/room-1/batch",
            {"json": {"seq": 1}, "headers": bearer(issue(bytes(32), 5, 0, 2**31))},
            403,
            "wrong-room",
        ),
        ("GET", "/live/room-1/me", {}, 401, "bad-ticket"),
        ("GET", "/live/room-1/next", {}, 401, "bad-ticket"),
        ("GET", "/live/room-1/state", {"headers": {"x-long": "y" * 20_000}}, 431, "headers-too-large"),
        ("PUT", "/s/ABC123", {}, 405, "method"),
        ("GET", "/s/ABC123/nothing", {}, 404, "unknown-path"),
        ("POST", "/s/ABC123/vote", {"json": {}}, 415, "unsupported-media-type"),
        ("POST", "/s/ABC123/vote", {"data": {}, "headers": {"Origin": "null"}}, 403, "cross-site"),
    ],
)
def test_refusals(
    tmp_path: Path, method: str, path: str, options: dict[str, Any], status: int, code: str
) -> None:
    async def scenario() -> None:
        async with serving(tmp_path, live_spec()) as (client, _):
            answer = await client.request(method, path, **options)
            assert (answer.status_code, answer.json()["code"]) == (status, code)
            assert answer.headers["content-type"] == "application/problem+json"
            document = answer.json()
            assert set(document) >= {"type", "title", "status", "detail", "code"}
            assert document["status"] == status
            if status == 405:
                assert answer.headers["allow"] in ("GET", "POST")
            assert [one for one in (tmp_path / "live").iterdir() if one.is_dir()] == [
                tmp_path / "live" / "room-1"
            ], "no folder is left behind"

    asyncio.run(scenario())


def test_refusals_by_phase_carry_the_state(tmp_path: Path) -> None:
    async def scenario() -> None:
        spec = live_spec()
        async with serving(tmp_path, spec) as (client, _):
            ticket = await join(client)
            closed = make_spec(plan.close(spec.plan, hub.clock() - 30_000), rev=2)
            await asyncio.to_thread(hub.publish, tmp_path, closed)
            answer = await client.post(
                f"{ROOM}/batch", json={"seq": 1, "votes": [[0, 1]]}, headers=bearer(ticket)
            )
            assert answer.status_code == 409
            assert (answer.json()["code"], answer.json()["state"]["phase"]) == ("closed", "closed")
            assert answer.json()["state"]["rev"] == 2
            assert (await client.post(f"{ROOM}/join", json={})).json()["code"] == "closed"

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "http://live.test"}, 200),
        ({"Origin": "https://public.example"}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
def test_a_cookie_only_writes_for_its_own_site(tmp_path: Path, headers: dict[str, str], status: int) -> None:
    async def scenario() -> None:
        async with serving(tmp_path, live_spec(public_url="https://public.example")) as (client, _):
            await client.post(f"{ROOM}/join", json={})
            batch = {"seq": 1, "votes": [[0, 1]]}
            answer = await client.post(f"{ROOM}/batch", json=batch, headers=headers)
            assert answer.status_code == status
            ticket = client.cookies["essaim-room-1"]
            client.cookies.clear()
            # A ticket in a header cannot be sent by another site's form: no origin is asked for.
            answer = await client.post(f"{ROOM}/batch", json=batch, headers=headers | bearer(ticket))
            assert answer.status_code == 200

    asyncio.run(scenario())


def test_valves(tmp_path: Path) -> None:
    async def scenario() -> None:
        tight = Limits(batch_burst=3, batches_per_s=0.5, joins_per_s=0.1, join_burst=2)
        async with serving(tmp_path, live_spec(), tight) as (client, _):
            ticket, other = await join(client), await join(client)
            refused = await client.post(f"{ROOM}/join", json={})
            assert (refused.status_code, refused.json()["code"]) == (503, "waiting-room")
            assert int(refused.headers["retry-after"]) >= 10
            assert set(refused.json()) >= {"number", "ahead"}
            send = {"seq": 1, "votes": [[0, 1]]}
            answers = [
                await client.post(f"{ROOM}/batch", json=send, headers=bearer(ticket)) for _ in range(4)
            ]
            assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
            assert answers[3].json()["code"] == "too-many"
            assert 1 <= int(answers[3].headers["retry-after"]) <= 2
            assert (await client.post(f"{ROOM}/batch", json=send, headers=bearer(other))).status_code == 200

    asyncio.run(scenario())


def test_a_long_queue_refuses_early(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path, live_spec(), Limits(queue_records=0)) as (client, _):
            refused = await client.post(f"{ROOM}/join", json={})
            assert (refused.status_code, "retry-after" in refused.headers) == (503, True)
            assert (await client.get(f"{ROOM}/state")).status_code == 200

    asyncio.run(scenario())


def test_a_body_in_pieces_is_bounded_and_timed(tmp_path: Path) -> None:
    async def post(app: LiveApp, messages: list[dict[str, Any]], length: bytes | None) -> int:
        sent: list[dict[str, Any]] = []
        headers = [(b"content-type", b"application/json")] + ([(b"content-length", length)] if length else [])

        async def receive() -> dict[str, Any]:
            if not messages:
                await asyncio.sleep(60)
            return messages.pop(0)

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": "POST",
            "path": f"{ROOM}/join",
            "headers": headers,
            "query_string": b"",
        }
        await app(scope, receive, send)
        return int(sent[0]["status"]) if sent else 0

    def piece(body: bytes, more: bool = True) -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": more}

    async def scenario() -> None:
        async with serving(tmp_path, live_spec(), Limits(body_seconds=0.05)) as (_, running_hub):
            app = LiveApp(running_hub)
            assert await post(app, [piece(b"{"), piece(b"}", False)], None) == 201
            assert await post(app, [piece(b"x" * 9000), piece(b"x" * 9000)], None) == 413
            assert await post(app, [piece(b"x" * 17_000, False)], None) == 413
            assert await post(app, [piece(b"{}", False)], b"many") == 413
            assert await post(app, [piece(b"{")], None) == 408, "slow"
            assert await post(app, [piece(b"{"), {"type": "http.disconnect"}], None) == 0

    asyncio.run(scenario())


def broken_disk(patch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    patch.setattr(os, "fdatasync", fail)


def test_a_failing_disk_is_503_and_the_room_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        async with serving(tmp_path, live_spec()) as (client, _):
            ticket = await join(client)
            kept = {"seq": 1, "votes": [[0, 1]]}
            assert (await client.post(f"{ROOM}/batch", json=kept, headers=bearer(ticket))).status_code == 200
            lost = {"seq": 2, "votes": [[1, -1]], "ideas": [idea("idea-0001", "lost, then sent again")]}
            with monkeypatch.context() as patch:
                broken_disk(patch)
                results = await asyncio.gather(
                    *(client.post(f"{ROOM}/batch", json=lost, headers=bearer(ticket)) for _ in range(3))
                )
                assert {result.status_code for result in results} == {503}
                assert all(int(result.headers["retry-after"]) >= 1 for result in results)
                assert (await client.post(f"{ROOM}/join", json={})).status_code == 503
            for _ in range(100):
                answer = await client.post(f"{ROOM}/batch", json=lost, headers=bearer(ticket))
                if answer.status_code == 200:
                    break
                await asyncio.sleep(0.05)
            assert answer.status_code == 200
            me = (await client.get(f"{ROOM}/me", headers=bearer(ticket))).json()
            assert me["votes"] == 2
            assert [one["status"] for one in me["mine"]] == ["shown"], "the same contribution, once"
        view = hub.view(tmp_path, "room-1")
        assert (view.votes, view.contributions) == (2, 1)

    asyncio.run(scenario())


def test_the_map_is_unlabelled_points(tmp_path: Path) -> None:
    class Known:
        def __init__(self, group: list[int], sizes: list[int]) -> None:
            import numpy as np

            self.counted = np.array([True] * 7 + [False])
            self.coordinates = np.array([[i - 3.0, 2.0 * i] for i in range(8)])
            self.group = np.array([*group, -1])
            self.groups = [type("G", (), {"id": i, "size": size})() for i, size in enumerate(sizes)]

    etag, scale, data = answers.opinion_map(Known([1, 0, 0, 0, 0, 0, 1], [5, 2]))  # type: ignore[arg-type]
    points = list(struct.iter_unpack("<hhB", data))
    assert len(points) == 5, "a group of two is not shown"
    assert etag.startswith('"')
    assert [(round(x * scale, 2), round(y * scale, 2)) for x, y, _ in points] == [
        (i - 3, 2 * i) for i in range(1, 6)
    ]
    assert {group for _, _, group in points} == {0}
    assert answers.opinion_map(None)[2] == b""


def test_nothing_on_disk_tells_who_it_was(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path, live_spec()) as (client, _):
            headers = {"User-Agent": "Telltale/1.0", "X-Forwarded-For": "203.0.113.77"}
            answer = await client.post(f"{ROOM}/join", json={"name": "Somebody Real"}, headers=headers)
            ticket = answer.json()["ticket"]
            batch = {"seq": 1, "votes": [[0, 1]]}
            await client.post(f"{ROOM}/batch", json=batch, headers=headers | bearer(ticket))

    asyncio.run(scenario())
    kept = b"".join(path.read_bytes() for path in sorted((tmp_path / "live" / "room-1").iterdir()))
    for word in (b"Telltale", b"203.0.113.77", b"127.0.0.1", b"Somebody"):
        assert word not in kept


def test_a_plan_not_started_lets_people_wait(tmp_path: Path) -> None:
    async def scenario() -> None:
        waiting = make_spec(plan.Plan(0, (plan.PhaseWindow("draft", 5),)))
        async with serving(tmp_path, waiting) as (client, _):
            ticket = await join(client)
            answer = await client.post(
                f"{ROOM}/batch", json={"seq": 1, "ideas": [idea("idea-0001")]}, headers=bearer(ticket)
            )
            assert (answer.status_code, answer.json()["code"]) == (409, "not-started")
            started = make_spec(running("draft", now=hub.clock()), rev=2)
            await asyncio.to_thread(hub.publish, tmp_path, started)
            answer = await client.post(
                f"{ROOM}/batch", json={"seq": 1, "ideas": [idea("idea-0001")]}, headers=bearer(ticket)
            )
            assert answer.status_code == 200

    asyncio.run(scenario())
