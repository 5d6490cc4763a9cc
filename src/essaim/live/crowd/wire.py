"""Requests made by hand and answers read by their first bytes: JSON is only decoded where it is not the usual answer."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from essaim.live.crowd.target import Target

_LENGTHS: Final = [b"\r\nContent-Length: %d\r\n\r\n" % size for size in range(4096)]
LARGEST_HEAD: Final = 65_536

decode = msgspec.json.Decoder().decode


class Malformed(ValueError):
    """The server did not answer HTTP as Essaim does."""


class Requests:
    """The requests of one room, as bytes."""

    def __init__(self, target: Target) -> None:
        host = target.host_header.encode("ascii")
        path = target.path.encode("ascii")
        common = b" HTTP/1.1\r\nHost: %b\r\nUser-Agent: essaim-crowd\r\n" % host
        json = b"Content-Type: application/json"
        self._join = b"POST %b/join%b%b" % (path, common, json)
        self._batch = b"POST %b/batch%b%b\r\nAuthorization: Bearer " % (path, common, json)
        self._next = b"GET %b/next%bAuthorization: Bearer " % (path, common)
        self.state = b"GET %b/state%b\r\n" % (path, common)
        self.stream = b"GET %b/stream%bAccept: text/event-stream\r\n\r\n" % (path, common)

    def join(self, body: bytes) -> bytes:
        """Ask to come in."""
        return b"".join((self._join, _LENGTHS[len(body)], body))

    def batch(self, ticket: bytes, body: bytes) -> bytes:
        """Send votes and contributions (less than 4 kB)."""
        return b"".join((self._batch, ticket, _LENGTHS[len(body)], body))

    def next(self, ticket: bytes) -> bytes:
        """Ask for statements to answer."""
        return b"".join((self._next, ticket, b"\r\n\r\n"))


class Heads:
    """Reads heads of answers. Most are equal within a second, so the last ones are remembered."""

    def __init__(self) -> None:
        self.known: dict[bytes, tuple[int, int]] = {}

    def read(self, head: bytes) -> tuple[int, int]:
        """Give (status, bytes of body) of a head without its empty line; raises Malformed."""
        found = self.known.get(head)
        if found is None:
            found = status_of(head), _length(head)
            self.known[head] = found
        return found

    def forget(self) -> None:
        """Empty the memory (each second: heads hold the date)."""
        self.known.clear()


def header(head: bytes, name: bytes) -> bytes:
    """Give the value of a header of an answer, empty when there is none."""
    for line in head.split(b"\r\n")[1:]:
        key, _, value = line.partition(b":")
        if key.lower() == name:
            return value.strip()
    return b""


def status_of(head: bytes) -> int:
    """Give the status of an answer; Malformed if it has none."""
    if not head.startswith(b"HTTP/1.1 ") or not head[9:12].isdigit():
        raise Malformed("not HTTP/1.1")
    return int(head[9:12])


def retry_after(head: bytes) -> float:
    """Give the seconds of Retry-After, 0 when there is none."""
    value = header(head, b"retry-after")
    return float(value) if value.isdigit() else 0.0


def document(body: bytes) -> dict[str, Any]:
    """Decode the JSON object of an answer; {} when it is none."""
    try:
        found = decode(body)
    except msgspec.DecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _length(head: bytes) -> int:
    value = header(head, b"content-length")
    if not value.isdigit():
        raise Malformed("an answer without a length")
    return int(value)
