"""What the holder of the lease publishes for the other workers: the opinion map, and with it the priorities."""

from __future__ import annotations

import dataclasses
from typing import Any, Final

import msgspec
import numpy as np

from essaim.engines.opinion import Group, Opinion
from essaim.engines.representative import Consensus

_LISTS: Final = {"groups": Group, "consensus_agree": Consensus, "consensus_disagree": Consensus}


class RankingError(ValueError):
    """What was published cannot be read (another version of the program wrote it): wait for the next."""


def encode(opinion: Opinion | None, stamp: str = "") -> bytes:
    """Give the bytes of an opinion map (None: too few votes yet); `stamp`: of the journals it was made from."""
    known = None
    if opinion is not None:
        known = {field.name: getattr(opinion, field.name) for field in dataclasses.fields(opinion)}
    return msgspec.msgpack.encode((stamp, known), enc_hook=_array)


def stamp_of(data: bytes) -> str:
    """Give the stamp of what `encode` gave, or raise RankingError."""
    try:
        return msgspec.msgpack.decode(data, type=tuple[str, msgspec.Raw])[0]
    except msgspec.MsgspecError as error:
        raise RankingError(str(error)) from error


def decode(data: bytes) -> Opinion | None:
    """Read the opinion map of what `encode` gave, or raise RankingError."""
    try:
        _, known = msgspec.msgpack.decode(data)
        if known is None:
            return None
        values = {name: _value(one) for name, one in known.items()}
        for name, kind in _LISTS.items():
            values[name] = msgspec.convert(known[name], tuple[kind, ...])  # type: ignore[valid-type]
        return Opinion(**values)
    except (msgspec.MsgspecError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise RankingError(str(error)) from error


def _array(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return {"dtype": value.dtype.str, "shape": value.shape, "data": value.tobytes()}
    if isinstance(value, np.generic):
        return value.item()
    raise NotImplementedError(type(value))


def _value(value: Any) -> Any:
    if isinstance(value, dict) and value.keys() == {"dtype", "shape", "data"}:
        return np.frombuffer(value["data"], dtype=np.dtype(value["dtype"])).reshape(value["shape"])
    return tuple(value) if isinstance(value, list) else value
