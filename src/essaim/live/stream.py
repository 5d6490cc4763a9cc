"""Server-sent events: names of what changed, and the room's state, told to everybody who listens to a room.

A room makes each text once and hands it out in slices, so that votes are answered between two of them.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, Literal, Protocol

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Receive = Callable[[], Awaitable[Message]]
Event = Literal["plan", "counts", "contributions", "opinion", "moderation"]

GATHER_S: Final = 0.02
"""What happens within this time is told together."""
STATE_S: Final = 1.0
"""The state is told this often at most."""
SLICE: Final = 200
"""Listeners written to before the loop sees to others: about two milliseconds."""


class Listener(Protocol):
    """Whoever hears a room: gets each text plain and as one chunk of a chunked body (RFC 9112, 7.1)."""

    def push(self, text: bytes, chunk: bytes) -> None: ...

    def end(self) -> None: ...


class Stream:
    """The listeners of one room; lives on the event loop. `state` gives (etag, JSON) of the room."""

    def __init__(self, state: Callable[[], tuple[str, bytes]], heartbeat: float) -> None:
        self._state, self._heartbeat = state, heartbeat
        self._listeners: set[Listener] = set()
        self._pending: dict[str, int] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._beat: asyncio.TimerHandle | None = None
        self._sending, self._sent_at = False, 0.0
        # The event that holds the state, when it was made and told, whether the state may have moved since.
        self._known, self._known_at, self._tag = b"", float("-inf"), ""
        self._told_at, self._told_tag, self._stale = float("-inf"), "", False

    def __len__(self) -> int:
        return len(self._listeners)

    def tell(self, event: Event, rev: int) -> None:
        """Tell every listener that something changed, soon; the latest revision of a name is enough."""
        if self._listeners:
            self._pending[event], self._stale = rev, True
            self._later(GATHER_S)

    def greet(self, listener: Listener) -> bytes:
        """Take a listener in and give the text it begins with; it hears everything from now on."""
        if not self._listeners:
            self._told_tag = ""
            self._sent_at = _now()
            self._beat = asyncio.get_running_loop().call_later(self._heartbeat, self._on_beat)
        self._listeners.add(listener)
        # Everybody comes back at another moment after a restart.
        return b"retry: %d\n\n" % random.randint(1_000, 6_000) + self._present()  # noqa: S311

    def leave(self, listener: Listener) -> None:
        """Forget a listener."""
        self._listeners.discard(listener)
        if not self._listeners:
            self._pending.clear()
            self._stale = False
            for timer in (self._timer, self._beat):
                if timer is not None:
                    timer.cancel()
            self._timer = self._beat = None

    def end(self) -> None:
        """End all streams (the server stops); browsers come back by themselves."""
        for listener in list(self._listeners):
            listener.end()

    async def serve(self, send: Send, receive: Receive, *, patience: float, unsent: int) -> None:
        """Write to one listener over ASGI until it leaves, the room ends, or it reads too slowly.

        Too slowly: a write takes longer than `patience` seconds, or more than `unsent` bytes wait for one.
        """
        listener = _Asgi(unsent)
        text = self.greet(listener)
        gone = asyncio.ensure_future(_until_disconnect(receive))
        gone.add_done_callback(lambda _: listener.wake.set())
        try:
            while not gone.done():
                if text:
                    await _write(send, text, patience)
                if listener.ended:
                    break
                await listener.wake.wait()
                text = listener.take()
            await _write(send, b"", patience, more=False)
        except TimeoutError:
            return  # too slow: cut, the browser comes back and asks for the present state
        finally:
            gone.cancel()
            self.leave(listener)

    # Inside

    def _later(self, seconds: float) -> None:
        if self._timer is None and not self._sending:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._flush)

    def _flush(self) -> None:
        self._timer = None
        pending, self._pending = self._pending, {}
        text = b"".join(b"event: %s\ndata: %d\n\n" % (name.encode(), rev) for name, rev in pending.items())
        now = _now()
        if self._stale and now - self._told_at >= STATE_S:
            self._told_at, self._stale = now, False
            state = self._refresh()
            if self._tag != self._told_tag:
                self._told_tag = self._tag
                text += state
        if text:
            self._tell_all(text)
        self._go_on()

    def _go_on(self) -> None:
        """See to what came meanwhile, and to the state when it may be told again."""
        if self._pending:
            self._later(GATHER_S)
        elif self._stale:
            self._later(max(GATHER_S, self._told_at + STATE_S - _now()))

    def _present(self) -> bytes:
        """Give the event that holds the state, at most a second old."""
        return self._known if _now() - self._known_at < STATE_S else self._refresh()

    def _refresh(self) -> bytes:
        self._tag, state = self._state()
        self._known, self._known_at = b"event: state\ndata: %s\n\n" % state, _now()
        return self._known

    def _tell_all(self, text: bytes) -> None:
        self._sending, self._sent_at = True, _now()
        self._slice(list(self._listeners), 0, text, framed(text))

    def _slice(self, listeners: list[Listener], first: int, text: bytes, chunk: bytes) -> None:
        for listener in listeners[first : first + SLICE]:
            if listener in self._listeners:
                listener.push(text, chunk)
        first += SLICE
        if first < len(listeners):
            asyncio.get_running_loop().call_soon(self._slice, listeners, first, text, chunk)
            return
        self._sending = False
        if self._listeners:
            self._go_on()

    def _on_beat(self) -> None:
        quiet = _now() - self._sent_at
        if quiet >= self._heartbeat and not self._sending:
            self._tell_all(b": still here\n\n")
            quiet = 0.0
        self._beat = asyncio.get_running_loop().call_later(max(0.01, self._heartbeat - quiet), self._on_beat)


class _Asgi:
    """A listener behind an ASGI server: what it was not sent yet waits, up to a limit."""

    def __init__(self, most: int) -> None:
        self.wake = asyncio.Event()
        self.ended = False
        self._most, self._texts = most, bytearray()

    def push(self, text: bytes, chunk: bytes) -> None:
        self._texts += text
        self.ended = self.ended or len(self._texts) > self._most
        self.wake.set()

    def end(self) -> None:
        self.ended = True
        self.wake.set()

    def take(self) -> bytes:
        self.wake.clear()
        texts, self._texts = bytes(self._texts), bytearray()
        return texts


def framed(text: bytes) -> bytes:
    """Make one chunk of a chunked body."""
    return b"%x\r\n%s\r\n" % (len(text), text)


def _now() -> float:
    return asyncio.get_running_loop().time()


async def _write(send: Send, data: bytes, patience: float, *, more: bool = True) -> None:
    async with asyncio.timeout(patience):
        await send({"type": "http.response.body", "body": data, "more_body": more})


async def _until_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
