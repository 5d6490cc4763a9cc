"""Tries the fast lane before it is trusted: it rests on uvicorn's insides, which a new version may move."""

from __future__ import annotations

import asyncio
import importlib.metadata
from typing import Any, Final

import uvicorn
from uvicorn.server import ServerState

from essaim.live.hub import Hub
from essaim.live.lane import Lane, lane

_UVICORN: Final = "0.54."
_ORDINARY: Final = b"POST /pages/?a=b HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nok"
_WRONG: Final = b"NONSENSE\r\n\r\n"


class LaneError(RuntimeError):
    """The fast lane cannot be used with what is installed."""


def lane_of(hub: Hub) -> type[Lane]:
    """Give the protocol class of the fast lane; raises LaneError if it does not do what it should."""
    version = importlib.metadata.version("uvicorn")
    if not version.startswith(_UVICORN):
        raise LaneError(f"uvicorn {version} is not {_UVICORN}x")
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(_rehearse(lane(hub)))
    except Exception as error:
        raise LaneError(f"the rehearsal failed: {error!r}") from error
    finally:
        loop.close()
    return lane(hub)  # another one: what the first one has begun belongs to the loop that is closed


async def _rehearse(made: type[Lane]) -> None:
    """Let an ordinary request through to an application, and refuse what is no request."""
    asked: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        asked.append({**scope, **(await receive())})
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"hi"})

    config = uvicorn.Config(app, lifespan="off", ws="none", log_config=None)
    for sent, begins, ends in ((_ORDINARY, b"HTTP/1.1 200 ", b"\r\n\r\nhi"), (_WRONG, b"HTTP/1.1 400 ", b"")):
        transport = _Transport()
        protocol = made(config, ServerState(), {})
        protocol.connection_made(transport)
        protocol.data_received(sent)
        await asyncio.gather(*protocol.tasks)
        protocol.connection_lost(None)
        if not (transport.written.startswith(begins) and transport.written.endswith(ends)):
            raise LaneError(f"{sent!r} was answered by {bytes(transport.written)!r}")
    (scope,) = asked
    found = (scope["method"], scope["path"], scope["query_string"], scope["body"], dict(scope["headers"]))
    if found != ("POST", "/pages/", b"a=b", b"ok", {b"host": b"x", b"content-length": b"2"}):
        raise LaneError(f"an ordinary request arrived as {found!r}")


class _Transport(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self._closed = False

    def write(self, data: Any) -> None:
        self.written += data

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def is_closing(self) -> bool:
        return self._closed

    def close(self) -> None:
        self._closed = True
