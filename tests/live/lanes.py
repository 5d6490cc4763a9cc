"""A room behind the fast lane on real sockets, and clients that speak to it in bytes."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

from essaim.live import hub as hubs
from essaim.live.app import LiveApp
from essaim.live.hub import Hub
from essaim.live.limits import WIDE, Limits
from tests.live.served import ROOM, live_spec, on_sockets

Headers = dict[str, str]
Loop = Callable[[], asyncio.AbstractEventLoop]


def run_on(loop_factory: Loop, scenario: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(scenario)


class Client:
    """One connection, spoken to in bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, *messages: bytes) -> None:
        self.writer.write(b"".join(messages))

    async def head(self) -> tuple[int, Headers]:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.strip().split("\r\n")
        return int(first.split()[1]), {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
        }

    async def answer(self) -> tuple[int, Headers, Any]:
        status, headers = await self.head()
        body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        return status, headers, json.loads(body) if body else None

    async def chunk(self) -> bytes:
        size = int(await self.reader.readline(), 16)
        return (await self.reader.readexactly(size + 2))[:-2]

    async def ended(self) -> bool:
        with contextlib.suppress(ConnectionResetError):
            return await self.reader.read(1) == b""
        return True

    def close(self) -> None:
        self.writer.close()


class Served:
    """A room behind a server: connect, ask, and see which way requests went."""

    def __init__(self, port: int, hub: Hub) -> None:
        self.port, self.hub = port, hub
        self.clients: list[Client] = []
        self.ordinary: list[str] = []
        self.ticket = ""

    async def connect(self, **options: Any) -> Client:
        client = Client(*await asyncio.open_connection("127.0.0.1", self.port, **options))
        self.clients.append(client)
        return client

    def batch(self, seq: int, votes: list[list[int]], *headers: str, version: str = "1.1") -> bytes:
        body = json.dumps({"seq": seq, "votes": votes}).encode()
        lines = [f"POST {ROOM}/batch HTTP/{version}", "Host: x", "Content-Type: application/json"]
        lines += [f"Authorization: Bearer {self.ticket}", *headers]
        if not any(one.lower().startswith("transfer-encoding") for one in headers):
            lines.append(f"Content-Length: {len(body)}")
            return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)

    def get(self, path: str, *headers: str, method: str = "GET", version: str = "1.1") -> bytes:
        return "\r\n".join([f"{method} {path} HTTP/{version}", "Host: x", *headers, "", ""]).encode()

    def votes(self) -> int:
        live = self.hub.opened("room-1")
        assert live is not None
        return live.room.votes.live


@contextlib.asynccontextmanager
async def lane(data: Path, limits: Limits = WIDE, *, join: bool = True) -> AsyncIterator[Served]:
    hubs.publish(data, live_spec("compare"))
    hub = Hub(data, limits=limits)
    app = LiveApp(hub)
    served: Served

    async def noting(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            served.ordinary.append(f"{scope['method']} {scope['path']}")
        if scope["type"] == "http" and scope["path"].startswith("/slow/"):
            await asyncio.sleep(0.05)
            headers = [(b"content-length", b"4")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b'"ok"'})
        else:
            await app(scope, receive, send)

    async with on_sockets(noting, hub) as port:
        served = Served(port, hub)
        if join:
            client = await served.connect()
            client.send(
                f"POST {ROOM}/join HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n".encode(),
                b"Content-Length: 2\r\n\r\n{}",
            )
            served.ticket = (await client.answer())[2]["ticket"]
            served.ordinary.clear()
        yield served


def run(
    data: Path, scenario: Callable[[Served], Awaitable[None]], limits: Limits = WIDE, *, join: bool = True
) -> None:
    async def whole() -> None:
        async with lane(data, limits, join=join) as served:
            await asyncio.wait_for(scenario(served), 20)
            for client in served.clients:
                client.close()

    asyncio.run(whole())


async def eventually(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not happen")
