"""One HTTP request as it was parsed, and one answer to it, whatever carries them."""

from __future__ import annotations

import gzip
import http
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

import msgspec

from essaim.live.problems import RefusalError, problem

Header = tuple[bytes, bytes]
JSON: Final = b"application/json"
NO_STORE: Final = (b"cache-control", b"no-store")
_PROBLEM: Final = b"application/problem+json"
_NOSNIFF: Final = (b"x-content-type-options", b"nosniff")
_JOINED: Final = {b"cookie": b"; ", b"x-forwarded-for": b", "}
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_GZIP_FROM: Final = 700
_GZIP_LEVEL: Final = 5


class Request:
    """What was asked; `peer` is the address of the other end of the connection, empty if it has none."""

    __slots__ = ("headers", "peer", "scheme")

    def __init__(self, headers: dict[bytes, bytes], scheme: str, peer: str) -> None:
        self.headers, self.scheme, self.peer = headers, scheme, peer

    def cookie(self, name: str) -> str | None:
        """Give the value of a cookie, None if there is none."""
        wanted = name.encode()
        for part in self.headers.get(b"cookie", b"").split(b";"):
            key, _, value = part.strip().partition(b"=")
            if key == wanted:
                return value.decode("latin-1").strip('"')
        return None

    def is_json(self) -> bool:
        """Say whether the body is declared as JSON (which no cross-site form can do)."""
        declared = self.headers.get(b"content-type", b"")
        return declared == JSON or declared.split(b";")[0].strip().lower() == JSON

    def over_https(self) -> bool:
        """Say whether the browser speaks TLS, to this process or to the proxy ahead of it."""
        forwarded = self.headers.get(b"x-forwarded-proto", b"").split(b",")[0].strip()
        return (forwarded or self.scheme.encode()) == b"https"

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
        try:
            sender = urlsplit(origin.decode("latin-1")).netloc
        except ValueError:  # brackets that enclose no address
            sender = ""
        own = {self.headers.get(b"host", b"").decode("latin-1"), urlsplit(public_url).netloc}
        if not sender or sender not in own:
            raise RefusalError("cross-site")


class Head:
    """The status and the headers of an answer, but for those that the body and the moment give."""

    __slots__ = ("headers", "lines", "status")

    def __init__(self, status: int, headers: Iterable[Header]) -> None:
        self.status, self.headers = status, (_NOSNIFF, *headers)
        lines = [b"HTTP/1.1 %d %s\r\n" % (status, http.HTTPStatus(status).phrase.encode())]
        for name, value in self.headers:
            if _CONTROL.search(value):
                raise ValueError(f"the header {name!r} cannot have the value {value!r}")
            lines += [name, b": ", value, b"\r\n"]
        self.lines = b"".join(lines)


class Answer(msgspec.Struct, frozen=True, gc=False):
    """A whole answer; its length is written by whoever sends it (304 has none)."""

    head: Head
    body: bytes


def fold(pairs: Sequence[Header]) -> dict[bytes, bytes]:
    """Make a dictionary of headers (lower-case names): of a repeated one the first counts, lists are joined."""
    folded = dict(reversed(pairs))
    if len(folded) != len(pairs):
        for name, comma in _JOINED.items():
            if name in folded:
                folded[name] = comma.join(value for one, value in pairs if one == name)
    return folded


def size(pairs: Iterable[Header]) -> int:
    """Count the bytes of headers."""
    return sum(len(name) + len(value) for name, value in pairs)


def answer(status: int, body: bytes, content_type: bytes, headers: Iterable[Header] = ()) -> Answer:
    """Make an answer with a body."""
    return Answer(Head(status, (*headers, (b"content-type", content_type))), body)


def packed(
    request: Request,
    status: int,
    body: bytes,
    content_type: bytes,
    headers: Iterable[Header],
    *,
    shared: bool = False,
) -> Answer:
    """Make an answer that is compressed where that is wanted and worth it; `shared`: once for everybody."""
    extra = [*headers, (b"vary", b"accept-encoding")]
    if len(body) >= _GZIP_FROM and b"gzip" in request.headers.get(b"accept-encoding", b""):
        body = _packed(body) if shared else gzip.compress(body, _GZIP_LEVEL, mtime=0)
        extra.append((b"content-encoding", b"gzip"))
    return answer(status, body, content_type, extra)


def document(
    request: Request, body: bytes, etag: str, content_type: bytes, headers: Iterable[Header]
) -> Answer:
    """Make an answer that everybody may cache, or a 304 for those who have it."""
    tag = etag.encode()
    known = request.headers.get(b"if-none-match")
    if known is not None:
        tags = [one.strip().removeprefix(b"W/") for one in known.split(b",")]
        if tag in tags or b"*" in tags:
            return Answer(Head(304, (*headers, (b"etag", tag))), b"")
    headers = [*headers, (b"etag", tag)]
    if content_type != JSON:
        return answer(200, body, content_type, headers)
    return packed(request, 200, body, JSON, headers, shared=True)


def refused(refusal: RefusalError, state: bytes | None = None) -> Answer:
    """Make the answer of a refusal (problem details), with the room's state where it is of use."""
    headers = [NO_STORE]
    if refusal.retry_after is not None:
        headers.append((b"retry-after", b"%d" % refusal.retry_after))
    if refusal.status == 405:
        headers.append((b"allow", refusal.detail.removeprefix("Use ").rstrip(".").encode()))
    if refusal.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    return answer(refusal.status, problem(refusal, state), _PROBLEM, headers)


def cookie(request: Request, name: str, value: str, age_s: int) -> Header:
    """Make the header that leaves a cookie with a browser, out of reach of scripts and of other sites."""
    secure = "; Secure" if request.over_https() else ""
    text = f"{name}={value}; Path=/; Max-Age={age_s}; HttpOnly; SameSite=Lax{secure}"
    return b"set-cookie", text.encode("ascii")


@lru_cache(maxsize=32)
def _packed(body: bytes) -> bytes:
    return gzip.compress(body, _GZIP_LEVEL, mtime=0)
