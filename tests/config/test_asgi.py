"""Whose address the pages see, and what a web server other than ours is given."""

from __future__ import annotations

from typing import Any

from essaim.config import asgi
from essaim.live.addresses import Proxies
from essaim.live.monitor import Monitored

OURS = Proxies(["10.0.0.0/8"])


def scope(peer: str, *headers: tuple[bytes, bytes]) -> dict[str, Any]:
    return {"type": "http", "path": "/", "client": (peer, 4711), "headers": [(b"host", b"x"), *headers]}


def test_a_trusted_proxy_is_believed() -> None:
    given = scope("10.0.0.1", (b"x-forwarded-for", b"203.0.113.9"), (b"x-forwarded-for", b"10.0.0.2"))
    assert asgi.seen_through(OURS, given)["client"] == ("203.0.113.9", 4711)
    assert given["client"] == ("10.0.0.1", 4711)


def test_what_others_claim_is_dropped() -> None:
    claims = ((b"x-forwarded-for", b"203.0.113.9"), (b"x-forwarded-proto", b"https"), (b"accept", b"*/*"))
    seen = asgi.seen_through(OURS, scope("192.0.2.7", *claims))
    assert seen["client"] == ("192.0.2.7", 4711)
    assert [name for name, _ in seen["headers"]] == [b"host", b"accept"]


def test_a_unix_socket_has_no_address() -> None:
    given = scope("", (b"x-forwarded-for", b"203.0.113.9")) | {"client": None}
    assert asgi.seen_through(OURS, given)["client"] is None


def test_another_server_finds_the_application() -> None:
    assert isinstance(asgi.application, Monitored)
    assert asgi.application is asgi.application
