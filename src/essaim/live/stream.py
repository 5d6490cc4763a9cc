"""Server-sent events: names of what changed, never the content; whoever hears one asks for what changed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Literal

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Receive = Callable[[], Awaitable[Message]]
Event = Literal["plan", "counts", "contributions", "opinion", "moderation"]


class Listener:
    """One open stream: what it was not told yet, one entry a name (the latest revision is enough)."""

    def __init__(self) -> None:
        self.pending: dict[str, int] = {}
        self.wake = asyncio.Event()
        self.ended = False


class Stream:
    """The listeners of one room; lives on the event loop."""

    def __init__(self) -> None:
        self._listeners: set[Listener] = set()

    def __len__(self) -> int:
        return len(self._listeners)

    def tell(self, event: Event, rev: int) -> None:
        """Tell every listener that something changed; costs nothing for those who are slow to read."""
        for listener in self._listeners:
            listener.pending[event] = rev
            listener.wake.set()

    def end(self) -> None:
        """End all streams (the server stops); browsers come back by themselves."""
        for listener in self._listeners:
            listener.ended = True
            listener.wake.set()

    async def serve(self, send: Send, receive: Receive, *, heartbeat: float, patience: float) -> None:
        """Write events until the reader leaves, the server stops, or a write takes longer than `patience`."""
        listener = Listener()
        self._listeners.add(listener)
        gone = asyncio.ensure_future(_until_disconnect(receive))
        gone.add_done_callback(lambda _: listener.wake.set())
        try:
            # Everybody comes back at another moment after a restart.
            text = f"retry: {random.randint(1_000, 6_000)}\n\n"  # noqa: S311
            while not gone.done():
                await _write(send, text.encode(), patience)
                if listener.ended:
                    break
                text = await _next(listener, heartbeat)
            await _write(send, b"", patience, more=False)
        except TimeoutError:
            return  # too slow: cut, the browser comes back and asks for the present state
        finally:
            gone.cancel()
            self._listeners.discard(listener)


async def _next(listener: Listener, heartbeat: float) -> str:
    try:
        async with asyncio.timeout(heartbeat):
            await listener.wake.wait()
    except TimeoutError:
        return ": still here\n\n"
    listener.wake.clear()
    pending, listener.pending = listener.pending, {}
    return "".join(f"event: {name}\ndata: {rev}\n\n" for name, rev in pending.items())


async def _write(send: Send, data: bytes, patience: float, *, more: bool = True) -> None:
    async with asyncio.timeout(patience):
        await send({"type": "http.response.body", "body": data, "more_body": more})


async def _until_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
