"""What one room takes in at once: admission by ticket, by joins, by queue. Nothing here knows an address."""

from __future__ import annotations

from array import array
from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """The valves of a hub; the defaults suit a public room, tests and replays pass wider ones."""

    body_bytes: int = 16_384
    header_bytes: int = 16_384
    batch_burst: int = 20
    batches_per_s: float = 5.0
    joins_per_s: float = 2_000.0
    join_burst: int = 4_000
    queue_records: int = 20_000
    participants: int = 1_000_000
    contributions_each: int = 100
    contributions: int = 200_000
    streams_per_room: int = 1_000
    send_seconds: float = 10.0
    body_seconds: float = 10.0
    heartbeat_seconds: float = 15.0
    grace_ms: int = 15_000
    present_ms: int = 60_000
    ticket_s: int = 7 * 24 * 3600
    commit_ms: float = 10.0


WIDE = Limits(
    batch_burst=1_000_000,
    batches_per_s=1e6,
    joins_per_s=1e6,
    join_burst=1_000_000,
    queue_records=1_000_000,
    contributions_each=100_000,
)
"""For replays and load tests, where one client stands for many."""


class Bucket:
    """One token bucket: `burst` at once, then `per_s` a second."""

    def __init__(self, burst: float, per_s: float) -> None:
        self._burst, self._per_s = float(burst), per_s
        self._level, self._at = float(burst), 0

    def take(self, now: int) -> float:
        """Take one token at `now` (ms) and give 0, or give the seconds to wait for the next one."""
        if now > self._at:
            self._level = min(self._burst, self._level + (now - self._at) * self._per_s / 1000)
            self._at = now
        if self._level >= 1:
            self._level -= 1
            return 0.0
        return (1 - self._level) / self._per_s


class Buckets:
    """A token bucket a participant, in two flat arrays (16 bytes each)."""

    def __init__(self, burst: int, per_s: float) -> None:
        self._burst, self._per_s = float(burst), per_s
        self._level, self._at = array("d"), array("q")

    def take(self, participant: int, now: int) -> float:
        """Take one token of `participant` at `now` (ms) and give 0, or give the seconds to wait."""
        missing = participant + 1 - len(self._at)
        if missing > 0:
            self._level.extend([self._burst] * missing)
            self._at.extend([0] * missing)
        since = now - self._at[participant]
        level = self._level[participant]
        if since > 0:
            level = min(self._burst, level + since * self._per_s / 1000)
            self._at[participant] = now
        if level >= 1:
            self._level[participant] = level - 1
            return 0.0
        self._level[participant] = level
        return (1 - level) / self._per_s
