"""The JSON documents that the live path answers with, and the binary map."""

from __future__ import annotations

import struct
from hashlib import blake2b
from typing import Final

import msgspec
import numpy as np

from essaim.engines.opinion import Opinion
from essaim.live.room import Outcome, Room
from essaim.live.standing import FLOOR

AHEAD: Final = 10
"""Statements a phone holds: each answer brings five more, so that ten seconds without network go unnoticed."""
_POINT: Final = np.dtype([("x", "<i2"), ("y", "<i2"), ("group", "u1")])
_FULL: Final = 32_767


def joined(room: Room, participant: int, now: int) -> bytes:
    """The answer to a join whose record is durable."""
    return b'{"ticket":"%s","participant":%d,"state":%s,"next":%s,"frame":%s}' % (
        room.ticket(participant, now).encode(),
        participant,
        room.state(now),
        room.next_cards(participant, AHEAD),
        room.frame,
    )


def taken(room: Room, outcome: Outcome, now: int) -> bytes:
    """The answer to a batch whose record is durable."""
    return b'{"seq":%d,"refused":%s,"state":%s,"next":%s}' % (
        outcome.seq,
        msgspec.json.encode(outcome.refused) if outcome.refused else b"[]",
        room.state(now),
        room.next_cards(outcome.participant),
    )


def next_statements(room: Room, participant: int) -> bytes:
    """The statements to answer next, as clients read them."""
    return b'{"next":%s}' % room.next_cards(participant, AHEAD)


def opinion_map(opinion: Opinion | None) -> tuple[str, float, bytes]:
    """Give (etag, scale, points): 5 bytes a counted participant, int16 x and y, uint8 group, little-endian.

    A stored coordinate times `scale` is the coordinate on the map. Points are sorted by place, so that
    nobody's order of arrival shows; people in a group of fewer than 5 are no point at all.
    """
    counted = np.zeros(0, dtype=np.int64)
    if opinion is not None:
        large = [int(group.id) for group in opinion.groups if group.size >= FLOOR]
        counted = np.flatnonzero(opinion.counted & np.isin(opinion.group, large))
    if opinion is None or len(counted) < FLOOR:
        return '"empty"', 1.0, b""
    places = np.asarray(opinion.coordinates, dtype=np.float64)[counted]
    scale = float(np.abs(places).max()) / _FULL or 1.0
    points = np.empty(len(counted), dtype=_POINT)
    points["x"], points["y"] = np.rint(places / scale).astype(np.int16).T
    group = np.asarray(opinion.group)[counted]
    points["group"] = group.astype(np.uint8)
    points.sort(order=["x", "y", "group"])
    data = points.tobytes()
    etag = blake2b(struct.pack("<d", scale) + data, digest_size=8).hexdigest()
    return f'"{etag}"', scale, data
