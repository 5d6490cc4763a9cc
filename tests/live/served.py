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


def live_spec(*phases: str, **changes: Any) -> RoomSpec:
    """A room whose first phase began a minute ago by the real clock."""
    return make_spec(running(*phases, now=hubs.clock() - MINUTE), **changes)


@contextlib.asynccontextmanager
async def serving(
    data: Path, spec: RoomSpec | None = None, limits: Limits = WIDE
) -> AsyncIterator[tuple[httpx.AsyncClient, Hub]]:
    """The application over ASGI, its hub running on this loop."""
    if spec is not None:
        hubs.publish(data, spec)
    hub = Hub(data, limits=limits)
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
