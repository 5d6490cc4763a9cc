"""The live path over raw ASGI: the routes of `routes.py` behind any server, and the pages under /s/."""

from __future__ import annotations

import logging
from typing import Any

from essaim.live import metrics, pages, routes
from essaim.live.errors import JournalError
from essaim.live.exchange import Disconnected, Exchange
from essaim.live.hub import Hub
from essaim.live.live_room import LiveRoom
from essaim.live.problems import RefusalError
from essaim.live.routes import Durable, Result, Streaming
from essaim.live.stream import Receive, Send

_log = logging.getLogger(__name__)


class LiveApp:
    """The ASGI application of the live path; its lifespan starts and stops the hub."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1000})
            return
        exchange = Exchange(scope, receive, send, self.hub.limits)
        try:
            if exchange.too_large:
                raise RefusalError("headers-too-large")
            if exchange.path.startswith("/s/"):
                await pages.serve(self.hub, exchange)
                metrics.here.answered("page", exchange.status)
            else:
                await self._route(exchange)
        except Disconnected:
            return
        except RefusalError as refusal:
            await exchange.reply(routes.refuse(refusal, None))
        except Exception:
            if exchange.answered:
                _log.exception("live: %s %s failed", exchange.method, exchange.path)
                raise  # half an answer is out: only the server can cut the connection
            await exchange.reply(routes.failed())

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await self.hub.start()
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await self.hub.close()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _route(self, exchange: Exchange) -> None:
        parts = exchange.path.split("/")
        if len(parts) != 4 or parts[1] != "live":
            raise RefusalError("unknown-path")
        name, verb = parts[2:]
        method, route = routes.ROUTES.get(verb, ("GET", None))
        if route is None and verb != "map":
            raise RefusalError("unknown-path")
        if exchange.method != method and not (method == "GET" and exchange.method == "HEAD"):
            raise RefusalError("method", f"Use {method}.")
        live = await self.hub.room(name)
        if route is None:
            # The one route that is not of a moment: its points may have to be made in a thread first.
            await exchange.reply(routes.points(exchange, *await live.points()))
            return
        body = await exchange.body() if method == "POST" else b""
        await self._answer(exchange, live, routes.respond(route, exchange, body, live))

    async def _answer(self, exchange: Exchange, live: LiveRoom, result: Result) -> None:
        if isinstance(result, Durable):
            error = None
            try:
                await result.commits.durable()
            except JournalError as failed:
                error = failed
            await exchange.reply(result.finish(error))
        elif isinstance(result, Streaming):
            await self._stream(exchange, live, result)
        else:
            await exchange.reply(result)

    async def _stream(self, exchange: Exchange, live: LiveRoom, streaming: Streaming) -> None:
        limits, head = self.hub.limits, streaming.head
        exchange.answered = True
        await exchange.send(
            {"type": "http.response.start", "status": head.status, "headers": [*head.headers]}
        )
        if exchange.method == "HEAD":
            await exchange.send({"type": "http.response.body", "body": b""})
            return
        await live.stream.serve(
            exchange.send, exchange.receive, patience=limits.send_seconds, unsent=limits.unsent_bytes
        )
