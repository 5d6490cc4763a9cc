"""Tickets (who may write in a room, without saying who it is) and passes (for signed-in members).

A ticket is 24 bytes, base64url: room number (4), participant (4), expiry in seconds (4), keyed BLAKE2b-96
(12). It is checked without a store and holds nothing about the person. The key is the room's own. Each ticket
and each pass has one spelling: other base64 of the same bytes is refused.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import struct
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

import msgspec

KEY_BYTES: Final = 32
_MAC: Final = 12
_HEAD: Final = struct.Struct(">III")
_TICKET: Final = b"essaim-ticket"
_PASS: Final = b"essaim-pass"
_PASS_LARGEST: Final = 2_048
# 24 bytes are 32 characters with no bit to spare: what has this form is the only spelling of its bytes.
_shape = re.compile(r"[A-Za-z0-9_-]{32}").fullmatch
_STANDARD: Final = bytes.maketrans(b"-_", b"+/")


class TicketError(ValueError):
    """A ticket or pass that opens nothing here; `code`: bad-…, expired-… or wrong-room."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Pass:
    """What a pass says: the subject (stable for one member in one room) and the name to show."""

    subject: str
    name: str


def issue(key: bytes, number: int, participant: int, expires_s: int) -> str:
    """Make the ticket of `participant` in room `number`, valid until `expires_s` (seconds since 1970)."""
    head = _HEAD.pack(number, participant, expires_s)
    return base64.urlsafe_b64encode(head + _mac(key, _TICKET, head)).decode()


def check(key: bytes, number: int, ticket: str, now: int) -> int:
    """Give the participant of a ticket at `now` (ms), or raise TicketError."""
    if not _shape(ticket):
        raise TicketError("bad-ticket")
    raw = binascii.a2b_base64(ticket.encode("ascii").translate(_STANDARD))
    head, mac = raw[: _HEAD.size], raw[_HEAD.size :]
    room, participant, expires_s = _HEAD.unpack(head)
    # The room comes first: the MAC of another room's ticket cannot be judged with this room's key.
    if room != number:
        raise TicketError("wrong-room")
    if not hmac.compare_digest(mac, _mac(key, _TICKET, head)):
        raise TicketError("bad-ticket")
    if now >= expires_s * 1000:
        raise TicketError("expired-ticket")
    return int(participant)


class Checked:
    """Tickets that were good, remembered until they expire: checking again costs twenty times as much."""

    MOST: Final = 100_000

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, int]] = {}

    def participant(self, ticket: str, now: int) -> int | None:
        """Give the participant of a ticket that was checked here and is good at `now` (ms), None otherwise."""
        known = self._known.get(ticket)
        return known[0] if known is not None and now < known[1] else None

    def check(self, key: bytes, number: int, ticket: str, now: int) -> int:
        """Check a ticket as the function does, and remember it."""
        participant = check(key, number, ticket, now)
        _, _, expires_s = _HEAD.unpack_from(base64.urlsafe_b64decode(ticket))
        if len(self._known) >= self.MOST:
            self._known.clear()
        self._known[ticket] = participant, expires_s * 1000
        return participant


def sign_pass(key: bytes, room: str, subject: str, name: str, expires: int) -> str:
    """Make the pass of a signed-in member for `room`, valid until `expires` (seconds since the epoch)."""
    body = msgspec.msgpack.encode((room, subject, name, expires))
    return _spelled(_mac(key, _PASS, body) + body)


def check_pass(key: bytes, room: str, token: str, now: int) -> Pass:
    """Read a pass at `now` (ms), or raise TicketError."""
    if len(token) > _PASS_LARGEST:
        raise TicketError("bad-pass")
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise TicketError("bad-pass") from None
    if _spelled(raw) != token:
        raise TicketError("bad-pass")
    mac, body = raw[:_MAC], raw[_MAC:]
    if not hmac.compare_digest(mac, _mac(key, _PASS, body)):
        raise TicketError("bad-pass")
    its_room, subject, name, expires = msgspec.msgpack.decode(body, type=tuple[str, str, str, int])
    if its_room != room:
        raise TicketError("wrong-room")
    if now >= expires * 1000:
        raise TicketError("expired-pass")
    return Pass(subject, name)


def _spelled(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _mac(key: bytes, purpose: bytes, body: bytes) -> bytes:
    return blake2b(body, digest_size=_MAC, key=key, person=purpose).digest()
