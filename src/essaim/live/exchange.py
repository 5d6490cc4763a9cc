"""One HTTP request over raw ASGI: a bounded body, and the answers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl

from essaim.live import messages
from essaim.live.limits import Limits
from essaim.live.messages import NO_STORE, Answer, Header, Request
from essaim.live.problems import RefusalError
from essaim.live.stream import Receive, Send


class Disconnected(Exception):
    """The client left in the middle of its request."""


class Exchange(Request):
    """A request and the way to answer it."""

    def __init__(self, scope: dict[str, Any], receive: Receive, send: Send, limits: Limits) -> None:
        pairs = scope["headers"]
        client = scope.get("client")
        super().__init__(
            messages.fold(pairs),
            scope.get("scheme", "http"),
            str(client[0]) if client else "",
        )
        self.scope, self.receive, self.send, self.limits = scope, receive, send, limits
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.too_large = messages.size(pairs) > limits.header_bytes
        self.answered = False
        self.status = 0

    # What was asked

    def query(self) -> dict[str, str]:
        """Give the query parameters, the last of a name."""
        return _fields(self.scope.get("query_string", b""))

    async def body(self) -> bytes:
        """Read the body, or refuse it as soon as it is known to be too large or too slow."""
        limit = self.limits.body_bytes
        length = self.headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > limit:
            raise RefusalError("too-large", f"The body is limited to {limit} bytes.")
        message = await self.receive()
        body: bytes = message.get("body", b"")
        if message["type"] == "http.disconnect":
            raise Disconnected
        if not message.get("more_body"):
            return self._bounded(body)
        try:
            async with asyncio.timeout(self.limits.body_seconds):
                while message.get("more_body"):
                    message = await self.receive()
                    if message["type"] == "http.disconnect":
                        raise Disconnected
                    body = self._bounded(body + message.get("body", b""))
        except TimeoutError:
            raise RefusalError("too-slow") from None
        return body

    async def form(self) -> dict[str, str]:
        """Read an HTML form (urlencoded), the last value of a name."""
        if self.headers.get(b"content-type", b"").split(b";")[0] != b"application/x-www-form-urlencoded":
            raise RefusalError(
                "unsupported-media-type", "Send the form as application/x-www-form-urlencoded."
            )
        return _fields(await self.body())

    def _bounded(self, body: bytes) -> bytes:
        if len(body) > self.limits.body_bytes:
            raise RefusalError("too-large", f"The body is limited to {self.limits.body_bytes} bytes.")
        return body

    # What is answered

    async def reply(self, answer: Answer) -> None:
        """Send an answer; nothing can be answered after it."""
        head, body = answer.head, answer.body
        headers: list[Header] = [*head.headers]
        if head.status != 304:
            headers.append((b"content-length", b"%d" % len(body)))
        self.answered, self.status = True, head.status
        await self.send({"type": "http.response.start", "status": head.status, "headers": headers})
        await self.send({"type": "http.response.body", "body": b"" if self.method == "HEAD" else body})

    async def redirect(self, location: str, headers: Iterable[Header] = ()) -> None:
        """Send the browser to another page after a form (303)."""
        where = [(b"location", location.encode("ascii")), NO_STORE, *headers]
        await self.reply(messages.answer(303, b"", b"text/plain; charset=utf-8", where))


def _fields(data: bytes) -> dict[str, str]:
    try:
        return dict(
            parse_qsl(data.decode("ascii"), keep_blank_values=True, max_num_fields=50, errors="strict")
        )
    except ValueError:
        raise RefusalError("malformed", "The form cannot be read.") from None
