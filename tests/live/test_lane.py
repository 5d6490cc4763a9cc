"""The fast lane over real sockets: order, keep-alive, unusual requests, people who leave, slowness, the end."""

from __future__ import annotations

import asyncio
import json
import socket
from functools import partial
from pathlib import Path

import pytest
import uvloop

from essaim.live import hub as hubs
from essaim.live import rehearsal, routes, watch
from essaim.live.app import LiveApp
from essaim.live.hub import Hub
from essaim.live.limits import WIDE, Limits
from essaim.live.serve import server
from tests.live.lanes import Served, eventually, lane, run, run_on
from tests.live.served import ROOM


@pytest.fixture(
    params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"], autouse=True
)
def loops(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asyncio, "run", partial(run_on, request.param))


def test_hot_routes_do_not_reach_asgi(tmp_path: Path) -> None:
    async def scenario(served: Served) -> None:
        client = await served.connect()
        for seq in range(1, 4):
            client.send(served.batch(seq, [[seq, 1]]))
            status, headers, answer = await client.answer()
            assert (status, answer["seq"], answer["state"]["votes"]) == (200, seq, seq)
            assert headers["cache-control"] == "no-store"
            assert headers["x-content-type-options"] == "nosniff"
            assert "date" in headers
            assert "connection" not in headers
        client.send(served.get(f"{ROOM}/state"))
        status, headers, answer = await client.answer()
        assert (status, answer["votes"]) == (200, 3)
        client.send(served.get(f"{ROOM}/state", f"If-None-Match: {headers['etag']}"))
        status, headers, _ = await client.answer()
        assert (status, "content-length" in headers) == (304, False)
        client.send(served.get(f"{ROOM}/state"))
        assert (await client.answer())[0] == 200
        assert served.ordinary == []

    run(tmp_path, scenario)


def test_what_is_pipelined_is_answered_once_and_in_order(tmp_path: Path) -> None:
    async def scenario(served: Served) -> None:
        client = await served.connect()
        client.send(
            served.batch(1, [[0, 1]]),
            served.get(f"{ROOM}/state"),
            served.batch(2, [[0, -1], [1, 1]]),
            served.get("/slow/page"),
            served.batch(3, [[2, 1]]),
            served.get(f"{ROOM}/me", f"Authorization: Bearer {served.ticket}"),
        )
        found = [(await client.answer())[2] for _ in range(6)]
        assert [one.get("seq") if isinstance(one, dict) else one for one in found] == [
            1, None, 2, "ok", 3, None
        ]  # fmt: skip
        assert [found[1]["votes"], found[2]["state"]["votes"], found[5]["votes"]] == [1, 2, 3]
        assert served.ordinary[:2] == [f"GET {ROOM}/state", f"POST {ROOM}/batch"]
        # Afterwards the lane takes it up again.
        served.ordinary.clear()
        client.send(served.batch(4, [[3, 1]]))
        assert (await client.answer())[2]["state"]["votes"] == 4
        assert served.ordinary == []

    run(tmp_path, scenario)


def test_reads_behind_each_other_stay_in_the_lane(tmp_path: Path) -> None:
    async def scenario(served: Served) -> None:
        client = await served.connect()
        client.send(*[served.get(f"{ROOM}/state") for _ in range(50)], served.batch(1, [[0, 1]]))
        for _ in range(50):
            assert (await client.answer())[2]["votes"] == 0
        assert (await client.answer())[2]["state"]["votes"] == 1
        assert served.ordinary == []

    run(tmp_path, scenario)


@pytest.mark.parametrize("size", [1, 7, 100])
def test_a_request_in_pieces(tmp_path: Path, size: int) -> None:
    async def scenario(served: Served) -> None:
        client = await served.connect()
        client.writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        whole = served.batch(1, [[0, 1], [1, 1]]) + served.get(f"{ROOM}/state")
        for first in range(0, len(whole), size):
            client.send(whole[first : first + size])
            await asyncio.sleep(0)
        assert (await client.answer())[2]["state"]["votes"] == 2
        assert (await client.answer())[2]["votes"] == 2
        assert served.votes() == 2

    run(tmp_path, scenario)


def test_unusual_requests_go_the_ordinary_way(tmp_path: Path) -> None:
    async def scenario(served: Served) -> None:
        client = await served.connect()
        client.send(served.batch(1, [[0, 1]], "Expect: 100-continue"))
        assert (await client.head())[0] == 100
        assert (await client.answer())[2]["state"]["votes"] == 1
        client.send(served.get(f"{ROOM}/state", method="HEAD"))
        status, headers = await client.head()
        assert (status, int(headers["content-length"]) > 100) == (200, True)
        client.send(served.get(f"{ROOM}/state?now"), served.get(f"{ROOM}/frame"))
        assert (await client.answer())[0] == 200
        assert (await client.answer())[0] == 200
        client.send(served.get(f"{ROOM}/state", method="POST", version="1.1"))
        assert (await client.answer())[0] == 405
        client.send(served.get(f"{ROOM}/state", "Connection: upgrade", "Upgrade: other"))
        assert (await client.answer())[0] == 200
        assert len(served.ordinary) == 6
        old = await served.connect()
        old.send(served.batch(2, [[1, 1]], version="1.0"))
        status, headers, answer = await old.answer()
        assert (status, headers["connection"], answer["state"]["votes"]) == (200, "close", 2)
        assert await old.ended()
        assert len(served.ordinary) == 7

    run(tmp_path, scenario)


def test_a_chunked_body_is_a_body(tmp_path: Path) -> None:
    async def scenario(served: Served) -> None:
        client = await served.connect()
        client.send(served.batch(1, [[0, 1]], "Transfer-Encoding: chunked"), served.get(f"{ROOM}/state"))
        assert (await client.answer())[2]["state"]["votes"] == 1
        assert (await client.answer())[2]["votes"] == 1

    run(tmp_path, scenario)


def test_connection_close_is_kept_to(tmp_path: Path) -> None:
    async def scenario(served: Served) -> None:
        for asked in (
            served.batch(1, [[0, 1]], "Connection: close"),
            served.get(f"{ROOM}/state", "connection: close"),
        ):
            client = await served.connect()
            client.send(asked, served.batch(2, [[1, 1]]))  # what comes behind is not read
            status, headers, _ = await client.answer()
            assert (status, headers["connection"]) == (200, "close")
            assert await client.ended()
        assert served.votes() == 1
        client = await served.connect()
        client.send(served.batch(3, [[2, 1]], "Connection: keep-alive"))
        assert "connection" not in (await client.answer())[1]
        client.send(served.get(f"{ROOM}/state"))
        assert (await client.answer())[0] == 200
        assert served.ordinary == []

    run(tmp_path, scenario)


def test_who_leaves_while_a_batch_waits_has_voted(tmp_path: Path) -> None:
    async def scenario(served: Served) -> None:
        for seq in range(1, 6):
            client = await served.connect()
            client.send(served.batch(seq, [[seq, 1]]))
            await client.writer.drain()
            if seq % 2:
                client.writer.transport.abort()
            else:
                client.close()
        await eventually(lambda: served.votes() == 5)
        client = await served.connect()
        client.send(served.get(f"{ROOM}/state"))
        assert (await client.answer())[2]["votes"] == 5

    run(tmp_path, scenario, Limits(commit_ms=50))


def test_who_has_said_everything_still_hears_the_answer(tmp_path: Path) -> None:
    async def scenario(served: Served) -> None:
        client = await served.connect()
        client.send(served.batch(1, [[0, 1]]))
        client.writer.write_eof()
        status, headers, answer = await client.answer()
        assert (status, headers["connection"], answer["state"]["votes"]) == (200, "close", 1)
        assert await client.ended()
        client = await served.connect()
        client.send(served.batch(2, [[1, 1]]), served.get(f"{ROOM}/state"))
        client.writer.write_eof()
        assert (await client.answer())[2]["seq"] == 2
        assert (await client.answer())[2]["votes"] == 2
        assert await client.ended()

    run(tmp_path, scenario, Limits(commit_ms=50))


def test_limits_of_size(tmp_path: Path) -> None:
    async def scenario(served: Served) -> None:
        client = await served.connect()
        client.send(served.get(f"{ROOM}/state", f"X-Long: {'y' * 2000}"))
        status, headers, answer = await client.answer()
        assert (status, headers["connection"], answer["code"]) == (431, "close", "headers-too-large")
        assert await client.ended()
        client = await served.connect()
        client.send(b"GET /anything HTTP/1.1\r\nHost: x\r\n")
        for _ in range(20):
            client.send(b"X-More: " + b"z" * 100 + b"\r\n")
            await asyncio.sleep(0.002)
        assert (await client.answer())[0] == 431, "before the headers are complete"
        assert await client.ended()
        client = await served.connect()
        client.send(served.batch(1, [[0, 1]] * 400))
        assert (await client.answer())[0] == 413
        assert await client.ended()
        assert served.votes() == 0

    run(tmp_path, scenario, Limits(header_bytes=1000, body_bytes=1000))


def test_what_is_no_request(tmp_path: Path) -> None:
    async def scenario(served: Served) -> None:
        client = await served.connect()
        client.send(b"VOTE FOR ME\r\n\r\n")
        assert (await client.head())[0] == 400
        client = await served.connect()
        client.send(served.batch(1, [[0, 1]]), b"NONSENSE\r\n\r\n", served.batch(2, [[1, 1]]))
        status, headers, answer = await client.answer()
        assert (status, headers["connection"], answer["seq"]) == (200, "close", 1)
        assert await client.ended()
        assert served.votes() == 1
        client = await served.connect()
        client.send(served.get("/slow/page"), b"NONSENSE\r\n\r\n")
        assert (await client.answer())[2] == "ok"
        assert await client.ended()
        client = await served.connect()
        body = b"{}"
        client.send(
            f"POST {ROOM}/batch HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n".encode(),
            body,
        )
        assert (await client.head())[0] == 400, "two lengths are none"

    run(tmp_path, scenario)


def test_slow_requests_are_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "LOOK_S", 0.02)

    async def scenario(served: Served) -> None:
        head = await served.connect()
        head.send(b"GET /s")
        body = await served.connect()
        body.send(served.batch(1, [[0, 1]])[:-3])
        page = await served.connect()
        page.send(b"POST /slow/form HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n12345")
        for client in (head, body):
            status, headers, answer = await client.answer()
            assert (status, headers["connection"], answer["code"]) == (408, "close", "too-slow")
            assert await client.ended()
        await page.reader.read()
        assert await page.ended()
        quiet = await served.connect()
        assert await quiet.ended(), "nothing at all is not held open for ever either"
        assert served.votes() == 0

    run(tmp_path, scenario, Limits(body_seconds=0.1, idle_seconds=0.3))


def test_a_reader_that_does_not_read_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "LOOK_S", 0.02)

    async def scenario(served: Served) -> None:
        client = await served.connect(limit=1024)
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        ask = served.get(f"{ROOM}/state") * 100
        cut = False
        for _ in range(2000):
            client.send(ask)
            try:
                await asyncio.wait_for(client.writer.drain(), 0.5)
            except (ConnectionError, TimeoutError) as error:
                cut = cut or isinstance(error, ConnectionError)
                if cut:
                    break
            await asyncio.sleep(0)
        assert cut

    run(tmp_path, scenario, Limits(send_seconds=0.1))


def test_streams_in_the_lane(tmp_path: Path) -> None:
    async def scenario(served: Served) -> None:
        client = await served.connect()
        client.send(served.get(f"{ROOM}/stream"))
        status, headers = await client.head()
        assert (status, headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
        assert headers["transfer-encoding"] == "chunked"
        retry, _, first = (await client.chunk()).partition(b"\n\n")
        assert 1000 <= int(retry.removeprefix(b"retry: ")) <= 6000
        assert json.loads(first.removeprefix(b"event: state\ndata: "))["votes"] == 0
        assert served.ordinary == []
        voter = await served.connect()
        voter.send(served.batch(1, [[0, 1], [1, 1]]))
        assert (await voter.answer())[0] == 200
        heard = b""
        while b'"votes":2' not in heard:
            heard += await client.chunk()
        assert b"event: counts\ndata: 1\n\n" in heard
        # It does not matter what a reader says.
        client.send(served.get(f"{ROOM}/state"))
        live = served.hub.opened("room-1")
        assert live is not None
        assert len(live.stream) == 1
        client.close()
        await eventually(lambda: len(live.stream) == 0)

    run(tmp_path, scenario)


def test_a_slow_listener_is_cut(tmp_path: Path) -> None:
    async def scenario(served: Served) -> None:
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        listening.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(listening, ("127.0.0.1", served.port))
        await loop.sock_sendall(listening, served.get(f"{ROOM}/stream"))
        live = served.hub.opened("room-1")
        assert live is not None
        await eventually(lambda: len(live.stream) == 1)
        stream = live.stream
        for _ in range(2000):
            if not len(stream):
                break
            stream._tell_all(b"data: " + b"x" * 20_000 + b"\n\n")
            await asyncio.sleep(0)
        assert len(stream) == 0
        listening.close()

    run(tmp_path, scenario, Limits(unsent_bytes=10_000))


def test_the_end_answers_what_waits_and_ends_the_streams(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with lane(tmp_path, Limits(commit_ms=200)) as served:
            listening, waiting, quiet = [await served.connect() for _ in range(3)]
            listening.send(served.get(f"{ROOM}/stream"))
            await listening.head()
            await listening.chunk()
            waiting.send(served.batch(1, [[0, 1]]))
            quiet.send(served.get(f"{ROOM}/state"))
            await quiet.answer()
            live = served.hub.opened("room-1")
            assert live is not None
            await eventually(lambda: live.commits.waiting == 1)
        # The server has stopped by now.
        status, headers, answer = await waiting.answer()
        assert (status, headers["connection"], answer["state"]["votes"]) == (200, "close", 1)
        assert await waiting.ended()
        assert await quiet.ended()
        assert (await listening.reader.read()).endswith(b"0\r\n\r\n")

    asyncio.run(scenario())
    assert hubs.view(tmp_path, "room-1").votes == 1


def test_a_room_is_opened_by_the_first_request(tmp_path: Path) -> None:
    async def scenario(served: Served) -> None:
        client = await served.connect()
        client.send(served.get(f"{ROOM}/state"), served.get(f"{ROOM}/state"))
        assert (await client.answer())[0] == 200
        assert (await client.answer())[0] == 200
        client.send(served.get(f"{ROOM}/state"), served.get("/live/unknown/state"))
        assert (await client.answer())[0] == 200
        assert (await client.answer())[0] == 404
        assert served.ordinary.count(f"GET {ROOM}/state") == 2, "the second waited behind the first"

    run(tmp_path, scenario, join=False)


def test_an_error_of_the_program_is_an_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(served: Served) -> None:
        def broken(*_: object) -> None:
            raise ZeroDivisionError

        client = await served.connect()
        with monkeypatch.context() as patch:
            patch.setattr(routes.answers, "taken", broken)
            client.send(served.batch(1, [[0, 1]]))
            status, headers, answer = await client.answer()
            assert (status, answer["code"], "retry-after" in headers) == (503, "unavailable", True)
        client.send(served.batch(1, [[0, 1]]))
        assert (await client.answer())[0] == 200

    run(tmp_path, scenario)


def test_without_the_lane_the_adapter_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rehearsal, "_UVICORN", "0.1.")
    hub = Hub(tmp_path, limits=WIDE)
    assert server(LiveApp(hub), "127.0.0.1", 0, hub).config.http == "auto"
    with pytest.raises(rehearsal.LaneError, match="is not"):
        rehearsal.lane_of(hub)
    monkeypatch.setattr(rehearsal, "_UVICORN", "0.54.")
    monkeypatch.setattr(rehearsal, "_ORDINARY", b"GET /other HTTP/1.1\r\n\r\n")
    with pytest.raises(rehearsal.LaneError, match="arrived as"):
        rehearsal.lane_of(hub)

    async def scenario(served: Served) -> None:
        client = await served.connect()
        client.send(served.batch(1, [[0, 1]]))
        assert (await client.answer())[2]["state"]["votes"] == 1
        assert served.ordinary == [f"POST {ROOM}/batch"]

    run(tmp_path, scenario)
