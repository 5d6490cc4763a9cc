"""Notices and snapshots through Redis (or Valkey). When it is gone, everything goes on by looking at the database."""

from __future__ import annotations

import contextlib
import logging
import struct
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import redis

from essaim.live.bus import Heard, Listener
from essaim.live.errors import StoreError

CHANNEL: Final = "essaim:live"
PATIENCE_S: Final = 1.0
_KEPT_S: Final = 3600
_STAMP: Final = struct.Struct(">QQ")
_log = logging.getLogger(__name__)


class RedisBus:
    """Publish and subscribe on one channel, and the latest snapshot of each room in a key of its own."""

    def __init__(self, url: str) -> None:
        try:
            self._client: Any = redis.Redis.from_url(
                url, socket_timeout=PATIENCE_S, socket_connect_timeout=PATIENCE_S, health_check_interval=15
            )
        except ValueError as error:
            raise StoreError(f"not the address of a Redis server: {error}") from error
        self._down_until = 0.0

    def notify(self, topic: str, room: str) -> None:
        """Tell everybody who listens."""
        self._try("publish", CHANNEL, f"{topic} {room}")

    def listen(self, heard: Heard) -> Callable[[], None]:
        """Call `heard` for every notice from now on; gives what ends it."""
        return Listener(self._notices, heard).close

    def keep(self, room: str, stamp: tuple[int, int], data: bytes) -> None:
        """Keep the latest snapshot of a room at hand."""
        self._try("set", _key(room), _STAMP.pack(*stamp) + data, ex=_KEPT_S)

    def kept(self, room: str, stamp: tuple[int, int]) -> bytes | None:
        """Give the snapshot of exactly this stamp, None if it is not at hand."""
        data = self._try("get", _key(room))
        if not isinstance(data, bytes) or not data.startswith(_STAMP.pack(*stamp)):
            return None
        return data[_STAMP.size :]

    def close(self) -> None:
        """Close connections."""
        self._client.close()

    def _try(self, command: str, *values: object, **options: object) -> object:
        """Run a command; nothing while the server is gone, which is asked about once a second."""
        if time.monotonic() < self._down_until:
            return None
        try:
            return getattr(self._client, command)(*values, **options)
        except redis.RedisError as error:
            self._down_until = time.monotonic() + PATIENCE_S
            _log.warning("Redis: %s", error)
            return None

    @contextlib.contextmanager
    def _notices(self) -> Iterator[Iterator[str | None]]:
        subscription = self._client.pubsub(ignore_subscribe_messages=True)
        try:
            subscription.subscribe(CHANNEL)

            def heard() -> Iterator[str | None]:
                while True:
                    message = subscription.get_message(timeout=0.5)
                    yield None if message is None else message["data"].decode()

            yield heard()
        finally:
            subscription.close()


def _key(room: str) -> str:
    return f"essaim:snapshot:{room}"
