"""Invitation codes (one person, one ticket, without an account) and the seals of those that were used.

A code is not stored: it follows from the key of its room. It is ten characters of Crockford's base 32, four for
its index (20 bits) and six for a keyed MAC of it (30 bits), with a dash for the eye: 000K-7QX2MA.

Of a code that was used a *seal* is kept (12 bytes): the number of the participant it let in, made unreadable with the
*mark*, a random text that only the phone keeps. With it the same phone is the same participant, however often it
comes; without it nobody can tell which participant a code let in, whatever they hold of the server.
"""

from __future__ import annotations

import hmac
import re
from hashlib import blake2b
from typing import Final

MOST: Final = 100_000
"""Codes of one room."""
SEAL_BYTES: Final = 12
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_READ: Final = str.maketrans("ILO", "110", "- \t\r\n\u00a0\u202f\u2010\u2011\u2013\u2014\u2212")
_VALUES: Final = {character: value for value, character in enumerate(_ALPHABET)}
_INDEX, _CHECK = 4, 6
_LONGEST: Final = 40
_MARK: Final = re.compile(r"[A-Za-z0-9_-]{16,64}")
_CODE_PURPOSE: Final = b"essaim-code"
_SEAL_PURPOSE: Final = b"essaim-seal"


def write(key: bytes, index: int) -> str:
    """Give the code at `index`, 0 <= index < 100,000, of the room with this key."""
    if not 0 <= index < MOST:
        raise ValueError(f"{index} is not between 0 and {MOST - 1}")
    return f"{_text(index, _INDEX)}-{_check(key, index)}"


def read(key: bytes, codes: int, typed: str) -> int | None:
    """Give the index of a code as people type it; None if it is not one of the `codes` first of this room.

    Case, blanks and dashes do not count; I and L are read as 1, O as 0.
    """
    if len(typed) > _LONGEST:
        return None
    code = typed.upper().translate(_READ)
    if len(code) != _INDEX + _CHECK or not _VALUES.keys() >= set(code):
        return None
    index = 0
    for character in code[:_INDEX]:
        index = index << 5 | _VALUES[character]
    good = hmac.compare_digest(code[_INDEX:], _check(key, index))
    return index if good and index < codes else None


def is_mark(mark: str) -> bool:
    """Say whether a phone may use this as its mark."""
    return _MARK.fullmatch(mark) is not None


def seal(key: bytes, index: int, mark: str, participant: int) -> bytes:
    """Give what is kept of a used code: 8 bytes that know the mark again, and the number, unreadable without it."""
    check, pad = _keystream(key, index, mark)
    return check + (participant ^ pad).to_bytes(4, "big")


def unseal(key: bytes, index: int, mark: str, kept: bytes) -> int | None:
    """Give the participant that the code at `index` let in; None for another mark than that of the first use."""
    check, pad = _keystream(key, index, mark)
    if not hmac.compare_digest(check, kept[:8]):
        return None
    return int.from_bytes(kept[8:], "big") ^ pad


def _keystream(key: bytes, index: int, mark: str) -> tuple[bytes, int]:
    said = b"%d %s" % (index, mark.encode("ascii"))
    stream = blake2b(said, digest_size=SEAL_BYTES, key=key, person=_SEAL_PURPOSE).digest()
    return stream[:8], int.from_bytes(stream[8:], "big")


def _check(key: bytes, index: int) -> str:
    mac = blake2b(index.to_bytes(4, "big"), digest_size=4, key=key, person=_CODE_PURPOSE).digest()
    return _text(int.from_bytes(mac, "big") >> 2, _CHECK)


def _text(value: int, length: int) -> str:
    return "".join(_ALPHABET[value >> 5 * place & 31] for place in reversed(range(length)))
