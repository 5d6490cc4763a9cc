"""Identifiers: short, sortable by time, safe in an address, and impossible to guess from one another.

Sixteen Crockford base-32 characters: 40 bits of milliseconds (34 years from 2020) and 40 random bits.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
LENGTH = 16
_EPOCH = datetime(2020, 1, 1, tzinfo=UTC)


def new_id(now: datetime) -> str:
    """Return a new identifier for something made at `now` (timezone-aware)."""
    milliseconds = int((now - _EPOCH).total_seconds() * 1000) & ((1 << 40) - 1)
    return _encode(milliseconds << 40 | secrets.randbits(40), LENGTH)


def new_code(length: int = 6) -> str:
    """Return a random code to be read aloud and typed: capitals and digits, without I, L, O, U, 0 and 1."""
    return "".join(secrets.choice("23456789ABCDEFGHJKMNPQRSTVWXYZ") for _ in range(length))


def _encode(number: int, length: int) -> str:
    characters = []
    for _ in range(length):
        number, digit = divmod(number, 32)
        characters.append(ALPHABET[digit])
    return "".join(reversed(characters))
