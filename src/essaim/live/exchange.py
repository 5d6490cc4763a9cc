"""One HTTP request over raw ASGI: headers, cookies, a bounded body, and the answers."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from essaim.live.limits import Limits
from essaim.live.problems import RefusalError
from essaim.live.stream import Receive, Send

Headers = Iterable[tuple[bytes, bytes]]
JSON: Final = b"application/json"
NO_STORE: Final = (b"cache-control", b"no-store")
_ALWAYS: Final = ((b"x-content-type-options", b"nosniff"),)
_GZIP_FROM: Final = 700
_GZIP_LEVEL: Final = 5


class Disconnected(Exception):
    """The client left in the middle of its request."""


class Exchange:
    """A request and the way to answer it; answers carry the headers that every live answer has."""

    def __init__(self, scope: dict[str, Any], receive: Receive, send: Send, limits: Limits) -> None:
        self.scope, self.receive, self.send, self.limits = scope, receive, send, limits
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.headers: dict[bytes, bytes] = {}
        size = 0
        for name, value in scope["headers"]:
            size += len(name) + len(value)
            # Two cookie headers are one list; of any other repeated header the first one counts.
            if name == b"cookie" and name in self.headers:
                self.headers[name] += b"; " + value
            else:
                self.headers.setdefault(name, value)
        self.too_large = size > limits.header_bytes
        self.answered = False

    # What was asked

    def cookie(self, name: str) -> str | None:
        """Give the value of a cookie, None if there is none."""
        wanted = name.encode()
        for part in self.headers.get(b"cookie", b"").split(b";"):
            key, _, value = part.strip().partition(b"=")
            if key == wanted:
                return value.decode("latin-1").strip('"')
        return None

    def query(self) -> dict[str, str]:
        """Give the query parameters, the last of a name."""
        return _fields(self.scope.get("query_string", b""))

    def is_json(self) -> bool:
        """Say whether the body is declared as JSON (which no cross-site form can do)."""
        return self.headers.get(b"content-type", b"").split(b";")[0].strip().lower() == JSON

    def over_https(self) -> bool:
        """Say whether the browser speaks TLS, to this process or to the proxy ahead of it."""
        forwarded = self.headers.get(b"x-forwarded-proto", b"").split(b",")[0].strip()
        return (forwarded or self.scope.get("scheme", "http").encode()) == b"https"

    def check_same_site(self, public_url: str) -> None:
        """Refuse a request that another site made: needed wherever a cookie is what lets it in."""
        site = self.headers.get(b"sec-fetch-site")
        if site is not None:
            if site not in (b"same-origin", b"none"):
                raise RefusalError("cross-site")
            return
        origin = self.headers.get(b"origin")
        if origin is None:
            return  # not a browser, or one so old that SameSite=Lax is what protects it
        sender = urlsplit(origin.decode("latin-1")).netloc
        own = {self.headers.get(b"host", b"").decode("latin-1"), urlsplit(public_url).netloc}
        if not sender or sender not in own:
            raise RefusalError("cross-site")

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
            raise RefusalError("malformed", "The body did not arrive in time.") from None
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

    async def answer(
        self,
        status: int,
        body: bytes,
        content_type: bytes,
        headers: Headers = (),
        *,
        may_pack: bool = False,
        shared: bool = False,
    ) -> None:
        """Answer with a body; `may_pack`: gzip where wanted and worth it; `shared`: packed once for all."""
        extra = [*_ALWAYS, *headers]
        if may_pack:
            extra.append((b"vary", b"accept-encoding"))
            if len(body) >= _GZIP_FROM and b"gzip" in self.headers.get(b"accept-encoding", b""):
                body = _packed(body) if shared else gzip.compress(body, _GZIP_LEVEL, mtime=0)
                extra.append((b"content-encoding", b"gzip"))
        extra += [(b"content-type", content_type), (b"content-length", b"%d" % len(body))]
        self.answered = True
        await self.send({"type": "http.response.start", "status": status, "headers": extra})
        await self.send({"type": "http.response.body", "body": b"" if self.method == "HEAD" else body})

    async def json(self, body: bytes, headers: Headers = (NO_STORE,), *, status: int = 200) -> None:
        """Answer with JSON that is for this client only, unless `headers` say otherwise."""
        await self.answer(status, body, JSON, headers)

    async def document(self, body: bytes, etag: str, content_type: bytes, headers: Headers) -> None:
        """Answer with something everybody may cache, or with 304 to those who have it."""
        tag = etag.encode()
        known = [
            one.strip().removeprefix(b"W/") for one in self.headers.get(b"if-none-match", b"").split(b",")
        ]
        if tag in known or b"*" in known:
            self.answered = True
            not_modified = [*_ALWAYS, *headers, (b"etag", tag)]
            await self.send({"type": "http.response.start", "status": 304, "headers": not_modified})
            await self.send({"type": "http.response.body", "body": b""})
            return
        packs = content_type == JSON
        await self.answer(200, body, content_type, [*headers, (b"etag", tag)], may_pack=packs, shared=packs)

    async def redirect(self, location: str, headers: Headers = ()) -> None:
        """Send the browser to another page after a form (303)."""
        where = [(b"location", location.encode("ascii")), NO_STORE, *headers]
        await self.answer(303, b"", b"text/plain; charset=utf-8", where)


@lru_cache(maxsize=32)
def _packed(body: bytes) -> bytes:
    return gzip.compress(body, _GZIP_LEVEL, mtime=0)


def _fields(data: bytes) -> dict[str, str]:
    try:
        return dict(
            parse_qsl(data.decode("ascii"), keep_blank_values=True, max_num_fields=50, errors="strict")
        )
    except ValueError:
        raise RefusalError("malformed", "The form cannot be read.") from None
