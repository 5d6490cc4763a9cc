"""What a hub and a room take in at once: sizes, times, rates, queues; and the token buckets that count them."""

from __future__ import annotations

import ipaddress
from array import array
from dataclasses import dataclass

from essaim.live.addresses import Proxies


@dataclass(frozen=True)
class Limits:
    """The valves of a hub; the defaults suit a public room, tests and replays pass wider ones.

    Rates are those of one process. An address may be a whole company: only joins are counted by address.
    `trusted_proxies`: addresses and networks whose X-Forwarded-For is believed. A request must be
    complete within `body_seconds`, and a long one go on arriving at `upload_bytes_per_s`.
    """

    body_bytes: int = 16_384
    header_bytes: int = 16_384
    batch_burst: int = 20
    batches_per_s: float = 5.0
    joins_per_s: float = 2_000.0
    join_burst: int = 4_000
    address_joins_per_s: float = 200.0
    address_join_burst: int = 5_000
    address_wrong_codes: int = 200
    address_wrong_codes_per_s: float = 0.5
    trusted_proxies: tuple[str, ...] = ()
    queue_records: int = 20_000
    queue_seconds: float = 1.0
    participants: int = 1_000_000
    contributions_each: int = 100
    contributions: int = 200_000
    streams_per_room: int = 60_000
    unsent_bytes: int = 65_536
    send_seconds: float = 10.0
    body_seconds: float = 10.0
    upload_bytes_per_s: int = 4_096
    idle_seconds: float = 75.0
    heartbeat_seconds: float = 15.0
    grace_ms: int = 15_000
    present_ms: int = 60_000
    ticket_s: int = 7 * 24 * 3600
    commit_ms: float = 10.0

    def __post_init__(self) -> None:
        Proxies(self.trusted_proxies)  # a wrong one is an error at once, not at the first join


WIDE = Limits(
    batch_burst=1_000_000,
    batches_per_s=1e6,
    joins_per_s=1e6,
    join_burst=1_000_000,
    address_joins_per_s=1e6,
    address_join_burst=1_000_000,
    queue_records=1_000_000,
    queue_seconds=60.0,
    contributions_each=100_000,
)
"""For replays and load tests, where one client stands for many."""


class Buckets:
    """A token bucket a participant: `burst` at once, then `per_s` a second; 8 bytes each.

    What is kept is the time at which the bucket would be full again (the generic cell rate algorithm).
    """

    def __init__(self, burst: int, per_s: float) -> None:
        self._interval = 1000 / per_s
        self._tolerance = (burst - 1) * self._interval
        self._full_at = array("d")

    def take(self, participant: int, now: int) -> float:
        """Take one token of `participant` at `now` (ms) and give 0, or give the seconds to wait."""
        try:
            full_at = self._full_at[participant]
        except IndexError:
            self._full_at.extend([0.0] * (participant + 1 - len(self._full_at)))
            full_at = 0.0
        if full_at < now:
            full_at = now
        elif full_at - now > self._tolerance:
            return (full_at - now - self._tolerance) / 1000
        self._full_at[participant] = full_at + self._interval
        return 0.0


class AddressBuckets:
    """A token bucket an address, in bounded memory: those not seen for the longest time are forgotten.

    Only a hash of an address is held (its seed is drawn for each process), and nothing of it is ever kept.
    """

    def __init__(self, burst: float, per_s: float, *, most: int = 65_536) -> None:
        self._burst, self._per_s, self._most = float(burst), float(per_s), most
        self._young: dict[int, tuple[float, int]] = {}
        self._old: dict[int, tuple[float, int]] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def take(self, address: str, now: int, tokens: int = 1) -> float:
        """Take a token of `address` at `now` (ms) and give 0, or give the seconds to wait for the next.

        With no `tokens` to take it only says whether there is one.
        """
        name = hash(_customer(address))
        level, at = self._young.get(name) or self._old.pop(name, None) or (self._burst, now)
        if now > at:
            level, at = min(self._burst, level + (now - at) * self._per_s / 1000), now
        wait = 0.0 if level >= 1 else (1 - level) / self._per_s
        self._young[name] = (level if wait else level - tokens, at)
        if len(self._young) >= self._most:
            self._old, self._young = self._young, {}
        return wait


def _customer(address: str) -> str:
    """Give what one customer of a network is given: an IPv4 address, or a /64 of IPv6."""
    if ":" not in address:
        return address
    try:
        return ipaddress.IPv6Address(address).exploded[:19]
    except ValueError:
        return address
