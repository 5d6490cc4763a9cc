"""Telling other processes at once what changed. Only to be quick: whoever listens also looks from time to time."""

from __future__ import annotations

import contextlib
import logging
import random
import threading
from collections.abc import Callable, Iterator
from typing import Final, Protocol

SPEC: Final = "spec"
SNAPSHOT: Final = "snapshot"
Heard = Callable[[str, str], None]
"""Called with (topic, room) in the listener's thread."""
_LONGEST_S: Final = 5.0
_log = logging.getLogger(__name__)


class Bus(Protocol):
    """Carries notices between processes, and snapshots if it can; never raises, never needed."""

    def notify(self, topic: str, room: str) -> None:
        """Tell everybody who listens."""

    def listen(self, heard: Heard) -> Callable[[], None]:
        """Call `heard` for every notice from now on; gives what ends it."""

    def keep(self, room: str, stamp: tuple[int, int], data: bytes) -> None:
        """Keep the latest snapshot of a room at hand."""

    def kept(self, room: str, stamp: tuple[int, int]) -> bytes | None:
        """Give the snapshot of exactly this stamp, None if it is not at hand."""

    def close(self) -> None:
        """Close connections."""


class Listener:
    """A thread that follows notices and connects again, with back-off, whenever the connection is lost.

    `notices()` connects, then gives "topic room" one after the other, or None when nothing came for a while.
    """

    def __init__(
        self, notices: Callable[[], contextlib.AbstractContextManager[Iterator[str | None]]], heard: Heard
    ) -> None:
        self._notices, self._heard = notices, heard
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow_for_ever, name="live-listen", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it, within about a second."""
        self._stop.set()
        if self._thread is not threading.current_thread():
            self._thread.join(_LONGEST_S)

    def _follow_for_ever(self) -> None:
        delay = 0.1
        while not self._stop.is_set():
            try:
                with self._notices() as notices:
                    for notice in notices:
                        delay = 0.1
                        if self._stop.is_set():
                            return
                        topic, _, room = (notice or "").partition(" ")
                        if room:
                            self._tell(topic, room)
            except Exception as error:  # of the client library: several kinds, all treated alike
                _log.warning("notices are not heard for now: %s", error)
            self._stop.wait(random.uniform(0, delay))  # noqa: S311
            delay = min(2 * delay, _LONGEST_S)

    def _tell(self, topic: str, room: str) -> None:
        try:
            self._heard(topic, room)
        except Exception:
            _log.exception("a notice (%s, %s) could not be handled", topic, room)
