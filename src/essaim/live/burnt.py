"""Which invitation codes of a room were used, in a file: a slot for each, at the place of its index.

So the file says which, never in what order: an order could be laid beside that of the participants' numbers.
A slot is the seal (12 bytes) and its CRC-32 (4): sixteen bytes lie within one sector, half of one is never written.
"""

from __future__ import annotations

import contextlib
import os
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from essaim.live.errors import StoreError
from essaim.live.files import locked, read_all, sync_dir, write_all
from essaim.live.invitations import SEAL_BYTES

_SLOT: Final = struct.Struct(f">{SEAL_BYTES}sI")
_FREE: Final = bytes(_SLOT.size)


def burn(path: Path, seals: Sequence[tuple[int, bytes]]) -> list[bytes]:
    """Keep each (index, seal) whose index has none yet; give the seals that stand, durable on return.

    Raises StoreError: of what was new nothing stands.
    """
    new = not path.exists()
    stand, written = [], []
    with locked(path) as file:
        try:
            for index, seal in seals:
                at = index * _SLOT.size
                known = _seal(os.pread(file, _SLOT.size, at))
                if known is None:
                    written.append(at)
                    write_all(file, _SLOT.pack(seal, zlib.crc32(seal)), at)
                stand.append(known or seal)
            os.fdatasync(file)  # also for those that stood: who wrote them may have died before this
            if new:
                sync_dir(path.parent)
        except OSError as error:
            for at in written:
                with contextlib.suppress(OSError):
                    write_all(file, _FREE, at)
            raise StoreError(error.errno, f"{path}: {error.strerror}") from error
    return stand


def count(path: Path) -> int:
    """Count the codes that were used."""
    try:
        file = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return 0
    try:
        data = read_all(file, os.fstat(file).st_size, 0)
    finally:
        os.close(file)
    return sum(
        _seal(data[at : at + _SLOT.size]) is not None
        for at in range(0, len(data), _SLOT.size)
        if data[at : at + _SLOT.size] != _FREE
    )


def _seal(slot: bytes) -> bytes | None:
    """Give the seal of a slot, None of one that is free."""
    if len(slot) < _SLOT.size:
        return None
    seal, checksum = _SLOT.unpack(slot)
    return bytes(seal) if checksum == zlib.crc32(seal) else None
