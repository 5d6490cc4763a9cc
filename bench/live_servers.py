"""The servers that `bench/live_batches.py` measures, each in a process of its own, all on the same store and core.

python bench/live_servers.py KIND PORT DATA
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from typing import Any

import httptools
import uvloop

from essaim.live import answers
from essaim.live.ballots import read_batch
from essaim.live.errors import JournalError
from essaim.live.hub import Hub
from essaim.live.limits import WIDE
from essaim.live.live_room import LiveRoom
from essaim.live.serve import server, settle_memory

ROOM = "bench"
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s"


class Floor(asyncio.Protocol):
    """The least that a server on asyncio can do around the same core: parse, route, check, take, commit, answer.

    No limit of any kind, no other route or method, no cookie, no date, no count for monitoring.
    """

    def __init__(self, live: LiveRoom) -> None:
        self.routes = {f"/live/{ROOM}/batch".encode(): live}
        self.parser = httptools.HttpRequestParser(self)

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_message_begin(self) -> None:
        self.url = self.ticket = self.body = b""

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"authorization":
            self.ticket = value[7:]

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        live = self.routes[self.url]
        room, now = live.room, live.clock()
        participant = room.admit(self.ticket.decode(), now)
        outcome = room.take(participant, read_batch(self.body), now)
        if outcome.record is not None:
            live.commits.add(outcome.record)

        def told(error: JournalError | None) -> None:
            if self.transport.is_closing():
                return
            if error is None:
                body = answers.taken(room, outcome, live.clock())
                self.transport.write(HEAD % (len(body), body))
            else:
                self.transport.abort()

        live.commits.then(told)


async def floor(hub: Hub, port: int) -> None:
    await hub.start()
    live = await hub.room(ROOM)
    here = await asyncio.get_running_loop().create_server(
        lambda: Floor(live), "127.0.0.1", port, backlog=4096
    )
    settle_memory()
    await here.serve_forever()


def product(hub: Hub, port: int, *, fast: bool) -> None:
    """The product as `essaim serve` makes it: Django's pages mounted beside the live path."""
    from essaim.config import asgi

    here = server(asgi.make(hub), "127.0.0.1", port, hub, fast=fast)
    settle_memory()
    here.run()


def django(hub: Hub, port: int, *, threads: bool) -> None:
    """The same endpoint as a view of Django under the product's middlewares: in threads (WSGI), or async."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "essaim.config.settings")
    django.setup()
    logging.disable()  # clients that leave in the middle are errors to Django; wrong answers are counted by wrk
    from a2wsgi import WSGIMiddleware
    from django.conf import settings
    from django.core.asgi import get_asgi_application
    from django.core.wsgi import get_wsgi_application
    from django.http import HttpResponse
    from django.urls import path
    from django.views.decorators.csrf import csrf_exempt

    async def take(ticket: str, body: bytes) -> bytes:
        live = await hub.room(ROOM)
        now = live.clock()
        outcome = live.room.take(live.room.admit(ticket, now), read_batch(body), now)
        await live.keep(outcome)
        return answers.taken(live.room, outcome, live.clock())

    @csrf_exempt
    async def batch(request: Any) -> HttpResponse:
        answer = await take(request.headers["Authorization"][7:], request.body)
        return HttpResponse(answer, content_type="application/json")

    @csrf_exempt
    def batch_in_a_thread(request: Any) -> HttpResponse:
        assert hub.loop is not None
        asked = asyncio.run_coroutine_threadsafe(
            take(request.headers["Authorization"][7:], request.body), hub.loop
        )
        return HttpResponse(asked.result(), content_type="application/json")

    address = f"live/{ROOM}/batch"
    settings.ROOT_URLCONF = type(
        "Urls", (), {"urlpatterns": [path(address, batch_in_a_thread if threads else batch)]}
    )
    pages: Any = WSGIMiddleware(get_wsgi_application(), workers=8) if threads else get_asgi_application()  # type: ignore[arg-type]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await hub.start()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await hub.close()
            await send({"type": "lifespan.shutdown.complete"})
        else:
            await pages(scope, receive, send)

    here = server(app, "127.0.0.1", port, hub, fast=False)
    settle_memory()
    here.run()


def main() -> None:
    kind, port, data = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    os.environ["ESSAIM_DATA_DIR"] = data
    # As a worker of `essaim serve`: what ranks is a process of its own.
    hub = Hub(data, ranks=False, limits=WIDE)
    with contextlib.suppress(KeyboardInterrupt):
        if kind == "floor":
            uvloop.run(floor(hub, port))
        elif kind in ("lane", "adapter"):
            product(hub, port, fast=kind == "lane")
        else:
            django(hub, port, threads=kind == "django-wsgi")


if __name__ == "__main__":
    main()
