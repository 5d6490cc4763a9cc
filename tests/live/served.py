"""A live application to talk to: in process through httpx, or a real server in a thread."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx

from essaim.live import hub as hubs
from essaim.live.app import LiveApp
from essaim.live.hub import Hub
from essaim.live.limits import WIDE, Limits
from essaim.live.serve import server
from essaim.live.spec import RoomSpec
from tests.live.rooms import MINUTE, make_spec, running

ROOM = "/live/room-1"
_by_lane = False


@contextlib.contextmanager
def by_lane() -> Iterator[None]:
    """Let `serving` go through sockets and the fast lane meanwhile."""
    global _by_lane
    _by_lane = True
    try:
        yield
    finally:
        _by_lane = False


class _Redirected(httpx.AsyncBaseTransport):
    """Takes requests for any host to a port of this machine."""

    def __init__(self, inner: httpx.AsyncBaseTransport, port: int) -> None:
        self.inner, self.port = inner, port

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url.copy_with(host="127.0.0.1", port=self.port)
        here = httpx.Request(
            request.method, url, headers=request.headers, stream=request.stream, extensions=request.extensions
        )
        return await self.inner.handle_async_request(here)

    async def aclose(self) -> None:
        await self.inner.aclose()


@contextlib.asynccontextmanager
async def on_sockets(app: Any, hub: Hub, *, fast: bool = True) -> AsyncIterator[int]:
    """An application whose lifespan runs `hub`, under uvicorn on this loop; gives the port."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(256)
    here = await asyncio.to_thread(server, app, "127.0.0.1", 0, hub, fast=fast)
    task = asyncio.create_task(here._serve([listener]))
    try:
        while not here.started:
            await asyncio.sleep(0.001)
            assert not task.done(), task
        yield listener.getsockname()[1]
    finally:
        here.should_exit = True
        await task


def live_spec(*phases: str, **changes: Any) -> RoomSpec:
    """A room whose first phase began a minute ago by the real clock."""
    return make_spec(running(*phases, now=hubs.clock() - MINUTE), **changes)


@contextlib.asynccontextmanager
async def serving(
    data: Path, spec: RoomSpec | None = None, limits: Limits = WIDE
) -> AsyncIterator[tuple[httpx.AsyncClient, Hub]]:
    """The application on this loop: called directly, or through sockets and the fast lane (see `by_lane`)."""
    if spec is not None:
        hubs.publish(data, spec)
    hub = Hub(data, limits=limits)
    if _by_lane:
        async with on_sockets(LiveApp(hub), hub) as port:
            transport = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_keepalive_connections=20))
            mounts = {"http://": _Redirected(transport, port)}
            async with httpx.AsyncClient(mounts=mounts, base_url="http://live.test") as client:
                # The lane answers for rooms that are open; a first request to one opens it.
                if spec is not None:
                    await client.get(f"/live/{spec.room}/frame")
                yield client, hub
        return
    await hub.start()
    transport = httpx.ASGITransport(LiveApp(hub))
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://live.test") as client:
            yield client, hub
    finally:
        await hub.close()


@contextlib.contextmanager
def real_server(data: Path, limits: Limits = WIDE) -> Iterator[int]:
    """The application under uvicorn on a free port, stopped gracefully at the end."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(256)
    hub = Hub(data, limits=limits)
    running_server = server(LiveApp(hub), "127.0.0.1", 0, hub)
    thread = threading.Thread(target=lambda: asyncio.run(running_server.serve(sockets=[listener])))
    thread.start()
    try:
        while not running_server.started:
            thread.join(0.01)
            assert thread.is_alive()
        yield listener.getsockname()[1]
    finally:
        running_server.should_exit = True
        thread.join(10)
        listener.close()
        assert not thread.is_alive()


async def join(client: httpx.AsyncClient, **body: Any) -> str:
    """Join and give the ticket; the client keeps no cookie."""
    answer = await client.post(f"{ROOM}/join", json=body)
    client.cookies.clear()
    assert answer.status_code == 201, answer.text
    return str(answer.json()["ticket"])


def bearer(ticket: str) -> dict[str, str]:
    """The header of a ticket."""
    return {"Authorization": f"Bearer {ticket}"}
