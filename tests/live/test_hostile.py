"""Hostile participants, one case at a time: crossed and replayed, statements that are none, sockets, clocks."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import tracemalloc
from pathlib import Path

import pytest

from essaim.live import hub as hubs
from essaim.live import live_room, plan, watch
from essaim.live.ballots import read_batch
from essaim.live.clock import SteadyClock
from essaim.live.file_store import FileStore
from essaim.live.limits import Limits
from essaim.live.live_room import LiveRoom
from essaim.live.plan import PhaseWindow, Plan
from essaim.live.problems import RefusalError
from tests.live.lanes import Served, eventually, run
from tests.live.rooms import KEY, MINUTE, enter, idea, make_room, send
from tests.live.served import ROOM, bearer, join, live_spec, on_sockets, serving

FORM = "Content-Type: application/x-www-form-urlencoded"


def test_a_ticket_of_another_room_opens_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        hubs.publish(tmp_path, live_spec("compare", room="room-2", number=5, code="DEF456"))
        async with serving(tmp_path, live_spec("compare")) as (client, hub):
            ticket = await join(client)
            batch = {"seq": 1, "votes": [[0, 1]]}
            for headers in (bearer(ticket), {"Cookie": f"essaim-room-2={ticket}"}):
                answer = await client.post("/live/room-2/batch", json=batch, headers=headers)
                assert (answer.status_code, answer.json()["code"]) == (403, "wrong-room")
                answer = await client.get("/live/room-2/me", headers=headers)
                assert answer.status_code == 403
            # The ticket of one room in the cookie of another, and under the name of another, is none.
            answer = await client.post(
                f"{ROOM}/batch", json=batch, headers={"Cookie": f"essaim-room-2={ticket}"}
            )
            assert (answer.status_code, answer.json()["code"]) == (401, "bad-ticket")
            other = (await hub.room("room-2")).room
            assert (other.votes.live, other.people.next_number) == (0, 0)

    asyncio.run(scenario())


def test_a_thousand_replays_have_one_effect(tmp_path: Path) -> None:
    async def scenario(served: Served) -> None:
        client = await served.connect()
        client.send(served.batch(7, [[0, 1], [1, -1]]))
        assert (await client.answer())[0] == 200
        live = served.hub.opened("room-1")
        assert live is not None
        journal = sum(file.stat().st_size for file in tmp_path.rglob("journal-*"))
        rows, version = live.room.votes.log_size, live.room.version
        for _ in range(10):
            client.send(*[served.batch(7, [[0, 1], [1, -1]])] * 100)
            for _ in range(100):
                status, _, answer = await client.answer()
                assert (status, answer["seq"], answer["refused"], answer["state"]["votes"]) == (200, 7, [], 2)
        assert (live.room.votes.log_size, live.room.version, live.room.votes.live) == (rows, version, 2)
        assert sum(file.stat().st_size for file in tmp_path.rglob("journal-*")) == journal

    run(tmp_path, scenario)


def test_old_and_new_again_and_again_keep_nothing() -> None:
    """Sequence numbers that go back: what is older than what stands leaves no trace, however often it comes."""
    room = make_room()
    ticket = enter(room)
    send(room, ticket, 100, votes=[[0, 1]], ideas=[idea("idea-0001")])
    rows, version = room.votes.log_size, room.version
    for seq in (*range(99, -1, -1), *range(100)):
        outcome = send(room, ticket, seq, votes=[[0, -1]], ideas=[idea("idea-0001", f"text {seq}")])
        assert outcome.record is None and outcome.refused == []
    assert (room.votes.log_size, room.version, room.votes_of(0)) == (rows, version, {0: 1})
    assert [row.text for row in room.mine(0)] == ["Une idée"]


def test_statements_that_are_none_leave_nothing_behind() -> None:
    """A million of them here; ten million take ten times as long, and as little memory."""
    room = make_room()
    ticket = enter(room)

    def ask(first: int, batches: int) -> None:
        for batch in range(batches):
            start = first + 50 * batch
            body = b'{"seq":1,"votes":[%s]}' % b",".join(b"[%d,1]" % one for one in range(start, start + 50))
            outcome = room.submit(ticket, body, hubs.clock() if batch < 0 else 1_800_000_000_001)
            assert outcome.unknown and outcome.record is None and len(outcome.refused) == 50

    ask(1_000, 100)
    targets, version = len(room.votes.targets), room.version
    gc.collect()
    tracemalloc.start()
    try:
        ask(10_000, 2_000)
        gc.collect()
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    ask(1_000_000, 18_000)
    assert kept < 200_000, "bytes kept after 100,000 unknown statements"
    assert (len(room.votes.targets), room.version, room.votes.live) == (targets, version, 0)


def test_many_unknown_statements_at_once_are_looked_up_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FileStore, "poll_s", 3600.0)
    monkeypatch.setattr(live_room, "CATCH_UP_S", 3600.0)
    looks = 0
    look = LiveRoom._news

    def counted(self: LiveRoom) -> object:
        nonlocal looks
        looks += 1
        return look(self)

    monkeypatch.setattr(LiveRoom, "_news", counted)

    async def scenario(served: Served) -> None:
        clients = [await served.connect() for _ in range(100)]
        for number, client in enumerate(clients):
            client.send(served.batch(1, [[1_000_000 + number, 1], [0, 1]]))
        for client in clients:
            status, _, answer = await client.answer()
            assert (status, [one["code"] for one in answer["refused"]]) == (200, ["unknown-statement"])

    run(tmp_path, scenario)
    assert looks <= 2, "one for those who were first, one for those who asked meanwhile"


# Sockets


@pytest.mark.parametrize("target", ["*", "?a=b", "http://", "http://[/", "/\xff", "host:80"])
@pytest.mark.parametrize("method", ["GET", "OPTIONS", "CONNECT"])
def test_an_address_that_is_none_is_the_fault_of_the_client(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, method: str, target: str
) -> None:
    async def scenario(served: Served) -> None:
        client = await served.connect()
        client.send(f"{method} {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode("latin-1"))
        status, headers = await client.head()
        assert 400 <= status < 500, status
        assert int(headers["content-length"]) > 0

    run(tmp_path, scenario, join=False)
    assert not [record for record in caplog.records if record.exc_info or record.levelno >= logging.ERROR]


@pytest.mark.parametrize("path", [f"{ROOM}/join", "/s/ABC123/join"])
def test_a_strange_origin_is_another_site(tmp_path: Path, path: str) -> None:
    async def scenario() -> None:
        async with serving(tmp_path, live_spec("compare")) as (client, _):
            for origin in ("http://[", "http://[::1", "null", "http://", "\xff"):
                content = {"json": {}} if path.startswith("/live") else {"data": {"lang": "fr"}}
                answer = await client.post(path, headers={"Origin": origin.encode("latin-1")}, **content)  # type: ignore[arg-type, dict-item]
                assert (answer.status_code, answer.json()["code"]) == (403, "cross-site")

    asyncio.run(scenario())


def test_a_body_that_breaks_ends_its_request_and_its_connection(tmp_path: Path) -> None:
    async def scenario(served: Served) -> None:
        broken = f"POST /s/ABC123/vote HTTP/1.1\r\nHost: x\r\n{FORM}\r\nTransfer-Encoding: chunked\r\n\r\n"
        client = await served.connect()
        client.send(broken.encode())
        await asyncio.sleep(0.05)  # its application waits for the body
        client.send(b"zz\r\n")
        assert (await client.head())[0] == 400
        await client.reader.read()
        assert client.reader.at_eof()
        client = await served.connect()
        client.send(served.batch(1, [[0, 1]]), broken.encode(), b"zz\r\n")
        assert (await client.answer())[2]["seq"] == 1
        assert await client.ended()
        client = await served.connect()
        client.send(served.get("/slow/page"), broken.encode(), b"zz\r\n")
        assert await client.reader.read() is not None, "answered or not: it is over"
        assert client.reader.at_eof()
        await eventually(lambda: not any("run_asgi" in repr(task) for task in asyncio.all_tasks()))

    run(tmp_path, scenario)


def test_who_has_sent_a_whole_request_and_no_more_hears_the_answer_of_a_page(tmp_path: Path) -> None:
    async def scenario(served: Served) -> None:
        client = await served.connect()
        client.send(served.get("/slow/page"))
        client.writer.write_eof()
        assert (await client.answer())[2] == "ok"
        assert await client.ended()
        client = await served.connect()
        client.send(served.get("/slow/page")[:-2])
        client.writer.write_eof()
        assert await client.ended()

    run(tmp_path, scenario)


@pytest.mark.parametrize("path", [f"{ROOM}/batch", "/s/ABC123/vote"])
@pytest.mark.parametrize("more", [b"T: " + b"x" * 997 + b"\r\n", b"x" * 1000], ids=["many", "one"])
def test_trailers_have_an_end(tmp_path: Path, path: str, more: bytes) -> None:
    async def scenario(served: Served) -> None:
        client = await served.connect()
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\n{FORM}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
        client.send(head.encode())
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):  # noqa: PT012
            for _ in range(10_000):
                client.send(more * 10)
                await client.writer.drain()
            await client.reader.readexactly(1 << 20)

    run(tmp_path, scenario, Limits(body_seconds=600.0))


def test_trailers_are_no_headers(tmp_path: Path) -> None:
    scopes: list[list[tuple[bytes, bytes]]] = []

    async def scenario() -> None:
        hub = hubs.Hub(tmp_path)

        async def app(scope: object, receive: object, send: object) -> None:
            assert isinstance(scope, dict) and callable(receive) and callable(send)
            if scope["type"] == "lifespan":
                while (await receive())["type"] != "lifespan.shutdown":
                    await send({"type": "lifespan.startup.complete"})
                await send({"type": "lifespan.shutdown.complete"})
                return
            while (await receive()).get("more_body"):
                pass
            scopes.append(list(scope["headers"]))
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body"})

        async with on_sockets(app, hub) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(
                b"POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Evil: yes\r\n\r\n"
            )
            assert (await reader.readline()).startswith(b"HTTP/1.1 204")
            writer.close()

    asyncio.run(scenario())
    assert [name for name, _ in scopes[0]] == [b"host", b"transfer-encoding"]


def test_a_slow_request_behind_a_large_one_is_cut_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one request sent earns the next one no time."""
    monkeypatch.setattr(watch, "LOOK_S", 0.02)

    async def scenario(served: Served) -> None:
        client = await served.connect()
        client.send(
            b"POST /slow/page HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n", b"x" * 1_000_000
        )
        assert (await client.answer())[2] == "ok"
        client.send(served.batch(1, [[0, 1]])[:-3])
        assert (await client.answer())[0] == 408
        assert await client.ended()

    run(tmp_path, scenario, Limits(body_seconds=0.1, upload_bytes_per_s=1_000))


def test_many_requests_and_a_part_of_one_are_not_one_large_request(tmp_path: Path) -> None:
    async def scenario(served: Served) -> None:
        client = await served.connect()
        whole = served.batch(1, [[0, 1]])
        client.send(whole * 200, whole[:30])
        for _ in range(200):
            assert (await client.answer())[0] == 200
        client.send(whole[30:])
        assert (await client.answer())[0] == 200

    run(tmp_path, scenario)


# Clocks


def test_a_clock_that_steps_by_an_hour_and_back_moves_no_phase() -> None:
    second, epoch = 1_000_000_000, 1_800_000_000
    wall = steady = epoch * second
    clock = SteadyClock(lambda: wall, lambda: steady)
    begun = clock()
    draft, compare = PhaseWindow("draft", 10), PhaseWindow("compare", 10)
    room = make_room(plan.start(Plan(0, (draft, compare)), begun))
    ticket, shown, phases, last = enter(room, begun), 0, [], begun
    for tick in range(25 * 60):
        steady += second
        wall += second
        if tick % 30 == 15:  # the wall clock is set an hour ahead, and back again
            wall += 3600 * second * (-1 if tick // 30 % 2 else 1)
        now = clock()
        assert now >= last
        last = now
        state = json.loads(room.state(now))
        phases.append(state["phase"])
        assert state["ends_at"] in (begun + 10 * MINUTE, begun + 20 * MINUTE, None)
        assert room.admit(ticket, now) == 0
        if state["phase"] == "compare":
            assert (
                room.take(0, read_batch(b'{"seq":%d,"votes":[[%d,1]]}' % (tick, tick % 12)), now).refused
                == []
            )
            shown += 1
    assert phases == sorted(phases, key=["draft", "compare", "closed"].index)
    for name, minutes in (("draft", 10), ("compare", 10)):
        assert abs(phases.count(name) - 60 * minutes) <= 0.6 * minutes + 1, "within one part in a hundred"
    assert shown == phases.count("compare") and len(room.votes_of(0)) == 12 and room.key == KEY


def test_nobody_comes_in_where_no_ticket_can_be_given() -> None:
    """A worker whose clock is a little behind that of the facilitators who ended the session for good."""
    now = hubs.clock()
    begun = plan.start(Plan(0, (PhaseWindow("compare"),)), now)
    room = make_room(plan.end(plan.freeze(plan.close(begun, now + 100), now + 100), now + 100))
    with pytest.raises(RefusalError) as refused:
        enter(room, now + 50)
    assert (refused.value.code, room.people.count) == ("ended", 0)
