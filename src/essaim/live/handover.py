"""What a connection of the fast lane becomes when no more requests are read from it.

A stream that somebody listens to, or a connection that has had its last answer. Nothing is kept of the request it
began as: neither parser nor headers, so that tens of thousands of streams weigh little.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from essaim.live.stream import Stream, framed

LINGER_S: Final = 2.0


class Lingering(asyncio.Protocol):
    """A connection that has had its last answer: what still comes is read and dropped for a while.

    Closing at once would reset the connection, and the answer might be lost on its way (RFC 9112, 9.6).
    """

    __slots__ = ("_connections", "_timer", "transport")

    def __init__(self, transport: asyncio.Transport, connections: set[Any]) -> None:
        """`connections`: those of the server, which this one is among until it is lost."""
        self.transport, self._connections = transport, connections

    def begin(self) -> None:
        """Say that no more will be written, and wait for the other end."""
        self._connections.add(self)
        self.transport.set_protocol(self)
        self._timer = asyncio.get_running_loop().call_later(LINGER_S, self.transport.abort)
        self.transport.write_eof()

    def shutdown(self) -> None:
        """Close; called by the server."""
        self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._timer.cancel()
        self._connections.discard(self)


class Watcher(asyncio.Protocol):
    """A connection that has become a stream: nothing is left of the request it began as."""

    __slots__ = ("_connections", "_stream", "transport")

    def __init__(self, transport: asyncio.Transport, connections: set[Any], stream: Stream) -> None:
        """`connections`: those of the server, which this one is among until it is lost."""
        self.transport, self._connections, self._stream = transport, connections, stream

    def begin(self, head: bytes) -> None:
        """Write the head of the answer, but for its last lines, and listen."""
        self._connections.add(self)
        self.transport.set_protocol(self)
        first = framed(self._stream.greet(self))
        self.transport.write(b"%stransfer-encoding: chunked\r\n\r\n%s" % (head, first))

    def push(self, text: bytes, chunk: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(chunk)

    def end(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(b"0\r\n\r\n")
            self.transport.close()

    def shutdown(self) -> None:
        """End gracefully; called by the server."""
        self.end()

    def pause_writing(self) -> None:
        # Too slow: cut, the browser comes back and asks for the present state.
        self.transport.abort()

    def resume_writing(self) -> None:
        pass

    def connection_lost(self, exc: Exception | None) -> None:
        self._stream.leave(self)
        self._connections.discard(self)
