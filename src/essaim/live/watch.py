"""The watch over the connections of a server: one look a second at all of them rather than a timer for each.

It ends those that hold a place without using it: a request that does not arrive (slow-loris), a reader that does not
read, a connection that has been quiet for too long.
"""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

from essaim.live.limits import Limits

LOOK_S: Final = 1.0


class Watched(Protocol):
    """A connection. Times are those of the loop, 0.0: not now.

    began: when the request that is arriving began; received: bytes of its body that came; stuck: since when what is
    written is not read; idle: when the last thing happened.
    """

    began: float
    received: int
    stuck: float
    idle: float
    transport: asyncio.Transport

    def is_busy(self) -> bool: ...

    def is_held(self) -> bool: ...

    def cut(self) -> None: ...


class Watch:
    """Belongs to an event loop; looks as long as there are connections."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._connections: set[Watched] = set()
        self._closing: dict[Watched, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, connection: Watched) -> None:
        """Watch a connection from now on."""
        self._connections.add(connection)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LOOK_S, self._look)

    def discard(self, connection: Watched) -> None:
        """Watch it no more."""
        self._connections.discard(connection)
        self._closing.pop(connection, None)

    def _look(self) -> None:
        loop, limits = asyncio.get_running_loop(), self._limits
        now, self._timer = loop.time(), None
        for one in list(self._connections):
            if one.transport.is_closing():
                # Closed, with something still to be written that is not read: it gets a while, no more.
                if now - self._closing.setdefault(one, now) > limits.send_seconds:
                    one.transport.abort()
            elif one.stuck:
                if now - one.stuck > limits.send_seconds:
                    one.transport.abort()
            elif one.began and one.is_held():
                one.began, one.received = now, 0
            elif one.began:
                if now - one.began > limits.body_seconds + one.received / limits.upload_bytes_per_s:
                    one.cut()
            elif now - one.idle > limits.idle_seconds and not one.is_busy():
                one.transport.close()
        if self._connections:
            self._timer = loop.call_later(LOOK_S, self._look)
