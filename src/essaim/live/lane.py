"""The fast lane: uvicorn's HTTP protocol, answering the hot routes of open rooms before ASGI.

No task, no scope, no future for a batch: it is taken when its last byte is parsed, and its answer is written when
the commit that holds it calls back. Whatever is not plain goes uvicorn's ordinary way, where the same routes answer:
other paths, rooms that are not open, HTTP/1.0, HEAD, chunked bodies, Expect, upgrades, and what is sent behind a
request that waits for its answer (so that answers keep their order).
"""

from __future__ import annotations

import asyncio
import logging
import re
from typing import Any, ClassVar, Final

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from essaim.live import messages, routes
from essaim.live.addresses import Proxies
from essaim.live.errors import JournalError
from essaim.live.handover import Lingering, Watcher
from essaim.live.hub import Hub
from essaim.live.live_room import LiveRoom
from essaim.live.messages import Answer, Header, Request
from essaim.live.problems import RefusalError
from essaim.live.routes import Durable, Route, Streaming
from essaim.live.watch import Watch

_HOT: Final = re.compile(rb"/live/([A-Za-z0-9._~-]{1,100})/(join|batch|state|stream)")
_FORWARDED: Final = (b"x-forwarded-for", b"x-forwarded-proto")
_KNOWN_ADDRESSES: Final = 1_024
_PIECE: Final = 262_144
"""The most that one read of a socket gives."""
_log = logging.getLogger(__name__)


class _Waiting:
    """Stands for a request that waits for its commit where uvicorn looks for the latest request."""

    response_complete = False


class _Stop(Exception):
    """Ends the parsing of a connection: nothing more of it is read as requests."""


_WAITING: Final[Any] = _Waiting()


class Desk:
    """What the connections of one server share."""

    def __init__(self, hub: Hub) -> None:
        self.hub, self.limits = hub, hub.limits
        self.proxies = Proxies(hub.limits.trusted_proxies)
        self.watch = Watch(hub.limits)
        self.known: dict[bytes, tuple[LiveRoom, bytes, Route]] = {}
        self.defaults: list[Header] = []
        self.lines = b""

    def hot(self, url: bytes) -> tuple[LiveRoom, bytes, Route] | None:
        """Give (room, method, route) of the address of a hot route of an open room, None for any other."""
        found = _HOT.fullmatch(url)
        live = None if found is None else self.hub.opened(found[1].decode())
        if found is None or live is None:
            return None
        method, route = routes.ROUTES[found[2].decode()]
        if len(self.known) >= _KNOWN_ADDRESSES:
            self.known.clear()
        self.known[url] = known = (live, method.encode(), route)  # a room stays open as long as the hub
        return known

    def use(self, defaults: list[Header]) -> None:
        """Take the headers that every answer has (the date): uvicorn makes them anew each second."""
        self.defaults = defaults
        self.lines = b"".join(b"%s: %s\r\n" % pair for pair in defaults)


class Lane(HttpToolsProtocol):
    """One connection. `desk` is set by `lane`, which makes the class for one hub."""

    # Slots beside the dictionary of the base: an object of more than thirty attributes is slow and large.
    __slots__ = (
        "_before", "_body", "_durable", "_ended", "_goes_on", "_hot", "_in_head", "_is_unknown", "_keep", "_large", "_live",
        "_most", "_most_body", "_refusal", "_request", "_route", "_running", "_streaming", "began", "idle", "received", "stuck",
    )  # fmt: skip
    desk: ClassVar[Desk]

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        limits = self.desk.limits
        self._hot, self._most, self._most_body = self.desk.known, limits.header_bytes, limits.body_bytes
        # For the watch: since when a request is arriving (0: none is), how much of its body came, since when
        # the reader is stuck (0: it is not), when the last thing happened.
        self.began, self.received, self.stuck, self.idle = 0.0, 0, 0.0, self.loop.time()
        # Whether headers are arriving, how much came of them before this piece, and whether this piece is large
        # and ended a request.
        self._large = False
        self._make_ready()
        # If it is for the lane: its route, its room, its headers, its body so far.
        self._route: Route | None = None
        self._live: Any = None
        self._request = Request({}, "http", "")
        self._body = b""
        # The answer that waits for a commit; whether the connection goes on after the last request, and the next.
        self._durable: Durable | None = None
        self._keep = self._goes_on = True
        self._streaming: Streaming | None = None
        self._refusal: RefusalError | None = None
        # The ordinary request whose application is at work; `cycle` is the latest one read.
        self._running: Any = None

    # The connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        self.transport.set_write_buffer_limits(high=self.desk.limits.unsent_bytes)
        self._request.scheme = self.scheme or "http"
        self._request.peer = peer = self.client[0] if self.client else ""
        self._is_unknown = bool(self.desk.proxies) and not self.desk.proxies.trusts(peer)
        self.desk.watch.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.desk.watch.discard(self)
        if self.cycle is _WAITING:
            self.cycle = None  # type: ignore[assignment]
        self._forsake()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def eof_received(self) -> bool | None:  # type: ignore[override]
        # Whoever has said everything may still listen: the answers that wait are written, then it is over.
        if not self.is_busy() or (self.cycle is not _WAITING and self.cycle.more_body):
            self._forsake()
            return None
        self._end_soon()
        return True

    def shutdown(self) -> None:
        """Answer what waits, then close; called by the server."""
        if self._durable is None:
            super().shutdown()
        else:
            self._end_soon()

    def pause_writing(self) -> None:
        self.stuck = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        self.stuck = 0.0
        super().resume_writing()

    def _end_soon(self) -> None:
        """Close when the last request that was read is answered."""
        if self._durable is not None and self.cycle is _WAITING:
            self._keep = False
        else:
            self.cycle.keep_alive = False

    # Parsing

    def data_received(self, data: bytes) -> None:
        if self.timeout_keep_alive_task is not None:
            self._unset_keepalive_if_required()
        self._large, self._ended = len(data) > self._most, False
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._unsupported_upgrade_warning()
        except httptools.HttpParserError as error:
            if isinstance(error, httptools.HttpParserCallbackError) and not isinstance(
                error.__context__, _Stop | None
            ):
                _log.error("live: a request could not be read", exc_info=error.__context__)
            self._stopped()
            return
        if not self._ended or self.url:
            self._goes_on_arriving(0 if self._ended else len(data))

    def _goes_on_arriving(self, piece: int) -> None:
        """Take note of a request that did not come in one piece."""
        if not self.began:
            self.began, self.received = self.loop.time(), 0
        self._before += piece
        # Behind the headers: what is not body (trailers, extensions of chunks).
        if self._before > (self._most if self._in_head else self._most + _PIECE):
            self._refusal = RefusalError("headers-too-large")
            self._stopped()

    # What begins a request is made ready when the one before it is complete: one call less for each.
    on_message_begin: Any = None

    def _make_ready(self) -> None:
        self.url, self.headers = b"", []
        self.began, self._in_head, self._before, self._ended = 0.0, True, 0, True

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        if not self._keep:
            raise _Stop  # what is sent behind a last request is not read
        self._in_head = False
        pairs, parser, cycle = self.headers, self.parser, self.cycle
        if (self._large or self._before) and messages.size(pairs) > self._most:
            self._refusal = RefusalError("headers-too-large")
            raise _Stop
        headers = dict(reversed(pairs))
        if len(headers) != len(pairs):
            headers = messages.fold(pairs)
        hot = self._hot.get(self.url) or self.desk.hot(self.url)
        # Into the lane if the request is plain and nothing is ahead of it.
        if (
            hot is not None
            and parser.get_method() == hot[1]
            and (cycle is None or cycle.response_complete)
            and self._durable is None
            and not self.flow.write_paused
            and b"expect" not in headers
        ):
            goes_on = parser.should_keep_alive()
            # Without a word about it, only a connection of HTTP/1.1 goes on.
            if (goes_on and b"connection" not in headers) or (
                parser.get_http_version() == "1.1" and not parser.should_upgrade()
            ):
                self._live, _, self._route = hot
                if self._is_unknown:  # what nobody vouches for is not said
                    for name in _FORWARDED:
                        headers.pop(name, None)
                self._request.headers, self._goes_on = headers, goes_on
                return
        self._route, self.received = None, 0
        self._go_ordinary()

    def _go_ordinary(self) -> None:
        url, pairs = self.url, self.headers
        HttpToolsProtocol.on_message_begin(self)
        self.url = url
        self.headers += pairs
        self.expect_100_continue = any(
            name == b"expect" and value.lower() == b"100-continue" for name, value in pairs
        )
        try:
            super().on_headers_complete()
        except (httptools.HttpParserInvalidURLError, UnicodeDecodeError, AttributeError):
            raise _Stop from None  # an address that is none, or of another host
        self.headers = []  # trailers are no headers of the request

    def on_body(self, body: bytes) -> None:
        if self._route is None:
            self.received += len(body)
            self._before = 0
            super().on_body(body)
            return
        self._body = self._body + body if self._body else body
        if len(self._body) > self._most_body:
            self._refusal = RefusalError("too-large", f"The body is limited to {self._most_body} bytes.")
            raise _Stop

    def on_message_complete(self) -> None:
        route, self._route = self._route, None
        if route is None:
            super().on_message_complete()
            self._make_ready()
            self.idle = self.loop.time()
            return
        request, body = self._request, self._body
        self._body, self._keep = b"", self._goes_on
        self.url, self.headers = b"", []
        self.began, self._in_head, self._before, self._ended = 0.0, True, 0, True
        result = routes.respond(route, request, body, self._live)
        request.headers = {}  # the memory of one request serves the next
        if isinstance(result, Durable):
            self._durable, self.cycle = result, _WAITING
            result.commits.then(self._told)
        elif isinstance(result, Answer):
            self._write(result)
            self._answered()
        else:
            assert isinstance(result, Streaming)
            self._streaming = result
            raise _Stop

    def _stopped(self) -> None:
        """Nothing more is read here as a request: a stream begins, or what came cannot be used."""
        self.began, self._ended = 0.0, True
        if self.transport.is_closing() or (not self._keep and self._streaming is None):
            return
        if self._streaming is not None:
            self.desk.use(self.server_state.default_headers)
            watcher = Watcher(self.transport, self.connections, self._streaming.live.stream)
            self._leave()
            watcher.begin(self._streaming.head.lines + self.desk.lines)
            return
        if self.is_busy():
            self.flow.pause_reading()
            if self.cycle is _WAITING or not self.cycle.more_body:
                self._end_soon()  # an earlier request still has its answer to come
            else:
                self._break_off()
        elif self._refusal is not None:
            self._keep = False
            self._write(routes.refuse(self._refusal, None))
            self._leave()
            Lingering(self.transport, self.connections).begin()
        else:
            self.send_400_response("Invalid HTTP request received.")

    def _break_off(self) -> None:
        """End a connection in the middle of a body that an application waits for, or will."""
        alone = self._running is self.cycle and not self.cycle.response_started
        self._forsake()
        if self._durable is not None:
            self.pipeline.clear()
            self._keep = False
        elif alone:
            self.send_400_response("Invalid HTTP request received.")
        else:
            self.transport.close()

    def _forsake(self) -> None:
        """Tell the applications at work that their client is gone: they read and write no more."""
        for cycle in (self._running, self.cycle):
            if cycle is not None and cycle is not _WAITING:
                cycle.disconnected = True
                cycle.message_event.set()

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        self.idle = self.loop.time()
        super().on_response_complete()

    # Answering

    def _told(self, error: JournalError | None) -> None:
        """The commit that the answer waits for is done, or has failed."""
        durable, self._durable = self._durable, None
        assert durable is not None
        if self.cycle is _WAITING:
            self.cycle = None  # type: ignore[assignment]
        if self.transport.is_closing():
            return  # the client left; what it sent is kept all the same
        self._write(durable.finish(error))
        if self._keep and not self.pipeline:  # as almost always
            self.server_state.total_requests += 1
            self.idle = self.loop.time()
        else:
            self._answered()

    def _write(self, answer: Answer) -> None:
        head, body, desk, state = answer.head, answer.body, self.desk, self.server_state
        if desk.defaults is not state.default_headers:
            desk.use(state.default_headers)
        close = b"" if self._keep else b"connection: close\r\n"
        length = b"\r\n" if head.status == 304 else b"content-length: %d\r\n\r\n" % len(body)
        self.transport.write(b"".join((head.lines, desk.lines, close, length, body)))

    def _answered(self) -> None:
        self.server_state.total_requests += 1
        if not self._keep:
            self.transport.close()
        elif self.pipeline:
            self.flow.resume_reading()
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)
        else:
            self.idle = self.loop.time()

    def _leave(self) -> None:
        """Make way for another protocol on this connection."""
        self.server_state.total_requests += 1
        self.desk.watch.discard(self)
        self.connections.discard(self)
        self.parser = None  # type: ignore[assignment]

    # For the watch

    def is_busy(self) -> bool:
        """Say whether an answer is still to come."""
        return self._durable is not None or not (self.cycle is None or self.cycle.response_complete)

    def is_held(self) -> bool:
        """Say whether it is this side that does not read at the moment."""
        return self.flow.read_paused

    def cut(self) -> None:
        """End a connection whose request takes too long to arrive."""
        if self._in_head or self._route is not None:
            self._refusal = RefusalError("too-slow")
            self._stopped()
        else:
            self.transport.abort()  # what reads the body is told so


def lane(hub: Hub) -> type[Lane]:
    """Make the protocol class of a server whose rooms are those of `hub`."""
    return type("Lane", (Lane,), {"__slots__": (), "desk": Desk(hub)})
