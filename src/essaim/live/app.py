"""The live path over raw ASGI: routes, one handler each, refusals as problem details."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec

from essaim.live import answers, pages
from essaim.live.ballots import read_batch, read_join
from essaim.live.exchange import JSON, NO_STORE, Disconnected, Exchange
from essaim.live.hub import Hub
from essaim.live.live_room import LiveRoom
from essaim.live.pages import session_cookie, ticket_cookie
from essaim.live.problems import RefusalError, problem
from essaim.live.stream import Receive, Send

_PROBLEM: Final = b"application/problem+json"
_SHARED: Final = (b"cache-control", b"public, max-age=1")
_FRESH: Final = (b"cache-control", b"public, max-age=0, must-revalidate")
_BINARY: Final = b"application/octet-stream"
_log = logging.getLogger(__name__)

Handler = Callable[["LiveApp", Exchange, LiveRoom], Awaitable[None]]


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
            await self._route(exchange)
        except Disconnected:
            return
        except RefusalError as refusal:
            await _refuse(exchange, refusal, None)
        except Exception:
            _log.exception("live: %s %s failed", exchange.method, exchange.path)
            if exchange.answered:
                raise  # half an answer is out: only the server can cut the connection
            await _refuse(exchange, RefusalError("unavailable", "An unexpected error.", retry_after=5), None)

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
        if exchange.too_large:
            raise RefusalError("headers-too-large")
        if exchange.path.startswith("/s/"):
            await pages.serve(self.hub, exchange)
            return
        _, root, name, verb, *rest = [*exchange.path.split("/"), "", ""][
            : max(4, exchange.path.count("/") + 1)
        ]
        route = _ROUTES.get(verb)
        if root != "live" or rest or route is None:
            raise RefusalError("unknown-path")
        method, handler = route
        if exchange.method != method and not (method == "GET" and exchange.method == "HEAD"):
            raise RefusalError("method", f"Use {method}.")
        live = await self.hub.room(name)
        try:
            await handler(self, exchange, live)
        except RefusalError as refusal:
            await _refuse(exchange, refusal, live)

    # Writing

    async def join(self, exchange: Exchange, live: LiveRoom) -> None:
        """POST join: let somebody in; the answer leaves when the join is on the disk."""
        if not exchange.is_json():
            raise RefusalError("unsupported-media-type")
        exchange.check_same_site(live.room.spec.public_url)
        now = self.hub.clock()
        live.admit_join(now)
        request = read_join(await exchange.body())
        room = live.room
        outcome = room.enter(request, now)
        await live.keep(outcome)
        body = answers.joined(room, outcome.participant, self.hub.clock())
        cookie = session_cookie(exchange, live, room.ticket(outcome.participant, now))
        await exchange.json(body, (NO_STORE, cookie), status=201)

    async def batch(self, exchange: Exchange, live: LiveRoom) -> None:
        """POST batch: votes, ratings, ideas; the answer leaves when what they changed is on the disk."""
        if not exchange.is_json():
            raise RefusalError("unsupported-media-type")
        live.admit_write()
        now = self.hub.clock()
        participant = _who(exchange, live, now, writes=True)
        live.admit_batch(participant, now)
        ballot = read_batch(await exchange.body())
        live.admit_write()
        room = live.room
        outcome = room.take(participant, ballot, now)
        await live.keep(outcome)
        await exchange.json(answers.taken(room, outcome, self.hub.clock()))

    # Reading

    async def state(self, exchange: Exchange, live: LiveRoom) -> None:
        """GET state: the same bytes for everybody."""
        etag, body = live.room.state_bytes(self.hub.clock())
        await exchange.document(body, etag, JSON, (_SHARED,))

    async def frame(self, exchange: Exchange, live: LiveRoom) -> None:
        """GET frame: what does not move during a session."""
        await exchange.document(live.room.frame, live.room.frame_etag, JSON, (_FRESH,))

    async def next(self, exchange: Exchange, live: LiveRoom) -> None:
        """GET next: statements to answer."""
        participant = _who(exchange, live, self.hub.clock())
        await exchange.json(msgspec.json.encode({"next": answers.next_statements(live.room, participant)}))

    async def me(self, exchange: Exchange, live: LiveRoom) -> None:
        """GET me: where one stands, and what became of what one wrote."""
        participant = _who(exchange, live, self.hub.clock())
        await exchange.json(msgspec.json.encode(live.room.me(participant)))

    async def map(self, exchange: Exchange, live: LiveRoom) -> None:
        """GET map: the points of the opinion map, for the big screen."""
        etag, scale, points = await live.points()
        header = (b"essaim-scale", repr(scale).encode())
        await exchange.document(points, etag, _BINARY, (_SHARED, header))

    async def stream(self, exchange: Exchange, live: LiveRoom) -> None:
        """GET stream: server-sent names of what changed."""
        limits = self.hub.limits
        if len(live.stream) >= limits.streams_per_room:
            raise RefusalError("unavailable", "Too many streams are open: ask for the state.", retry_after=15)
        headers = [
            (b"content-type", b"text/event-stream; charset=utf-8"),
            (b"x-content-type-options", b"nosniff"),
            (b"x-accel-buffering", b"no"),
            NO_STORE,
        ]
        exchange.answered = True
        await exchange.send({"type": "http.response.start", "status": 200, "headers": headers})
        if exchange.method == "HEAD":
            await exchange.send({"type": "http.response.body", "body": b""})
            return
        await live.stream.serve(
            exchange.send, exchange.receive, heartbeat=limits.heartbeat_seconds, patience=limits.send_seconds
        )


_ROUTES: Final[dict[str, tuple[str, Handler]]] = {
    "join": ("POST", LiveApp.join),
    "batch": ("POST", LiveApp.batch),
    "state": ("GET", LiveApp.state),
    "frame": ("GET", LiveApp.frame),
    "next": ("GET", LiveApp.next),
    "me": ("GET", LiveApp.me),
    "map": ("GET", LiveApp.map),
    "stream": ("GET", LiveApp.stream),
}


def _who(exchange: Exchange, live: LiveRoom, now: int, *, writes: bool = False) -> int:
    """Give the participant by the bearer ticket, or by the cookie (which writes only for the own site)."""
    bearer = exchange.headers.get(b"authorization")
    if bearer is not None:
        scheme, _, ticket = bearer.decode("latin-1").partition(" ")
        return live.room.admit(ticket.strip() if scheme.lower() == "bearer" else "", now)
    cookie = exchange.cookie(ticket_cookie(live.name))
    if cookie is None:
        raise RefusalError("bad-ticket", "Join first: no ticket came with this request.")
    if writes:
        exchange.check_same_site(live.room.spec.public_url)
    return live.room.admit(cookie, now)


async def _refuse(exchange: Exchange, refusal: RefusalError, live: LiveRoom | None) -> None:
    state = live.room.state_bytes(live.clock())[1] if live is not None and refusal.state else None
    headers = [NO_STORE]
    if refusal.retry_after is not None:
        headers.append((b"retry-after", b"%d" % refusal.retry_after))
    if refusal.status == 405:
        headers.append((b"allow", refusal.detail.removeprefix("Use ").rstrip(".").encode()))
    if refusal.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await exchange.answer(refusal.status, problem(refusal, state), _PROBLEM, headers)
