"""The valves of one open room: what is let in now, and what is asked to come back later."""

from __future__ import annotations

import math
import random
from typing import Final

from essaim.live.addresses import Proxies
from essaim.live.commits import GroupCommit
from essaim.live.limits import AddressBuckets, Buckets, Limits
from essaim.live.messages import Request
from essaim.live.problems import RefusalError
from essaim.live.waiting import WaitingRoom

LONGEST_WAIT_S: Final = 60
"""Whoever waits is asked to come back after a minute at most, and learns where they stand."""


class Valves:
    """Belongs to the hub's event loop; all times are milliseconds, passed in."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.take_batch = Buckets(limits.batch_burst, limits.batches_per_s).take
        """Lets a batch of a participant through at `now` (0), or gives the seconds to wait."""
        self._proxies = Proxies(limits.trusted_proxies)
        self._addresses = AddressBuckets(limits.address_join_burst, limits.address_joins_per_s)
        self._wrong = AddressBuckets(limits.address_wrong_codes, limits.address_wrong_codes_per_s)
        self._waiting = WaitingRoom(limits.join_burst, limits.joins_per_s, most=limits.participants)

    def waiting(self) -> int:
        """Give how many people were told to come back to join."""
        return len(self._waiting)

    def write(self, commits: GroupCommit, instant: float) -> None:
        """Refuse while the journal cannot take more, or is late: before anything is read or changed.

        `instant`: the present by `time.perf_counter`, as the commits count.
        """
        limits = self._limits
        if commits.failed is not None:
            raise RefusalError("unavailable", "The room is being reopened.", retry_after=jittered(1))
        if commits.waiting >= limits.queue_records or (
            commits.oldest and instant - commits.oldest > limits.queue_seconds
        ):
            raise RefusalError("unavailable", "Too many answers wait.", retry_after=jittered(1))

    def refuse_batch(self, wait: float) -> RefusalError:
        """Give the refusal of a batch for which `take_batch` said to wait (in seconds)."""
        return RefusalError("too-many", "This ticket sends too often.", retry_after=max(1, math.ceil(wait)))

    def join(self, request: Request, number: str | None, key: bytes, now: int) -> None:
        """Let a join through the bucket of its address and the waiting room, or give it a number."""
        wait = self._addresses.take(self._address(request), now)
        if wait:
            raise RefusalError(
                "too-many", "Too many people join from this address.", retry_after=jittered(wait)
            )
        try:
            place = self._waiting.come(key, number, now)
        except OverflowError:
            raise RefusalError(
                "unavailable", "Too many people wait to join.", retry_after=jittered(LONGEST_WAIT_S)
            ) from None
        if place is not None:
            raise RefusalError(
                "waiting-room",
                "Many people are joining: come back with this number.",
                retry_after=jittered(min(place.wait_s, LONGEST_WAIT_S)),
                members={"number": place.number, "ahead": place.ahead},
            )

    def code(self, request: Request, now: int, *, wrong: bool = False) -> None:
        """Refuse an address from which too many wrong invitation codes came; count one that is `wrong`."""
        wait = self._wrong.take(self._address(request), now, int(wrong))
        if wait and not wrong:
            raise RefusalError(
                "too-many", "Too many wrong codes from this address.", retry_after=jittered(wait)
            )

    def _address(self, request: Request) -> str:
        forwarded = request.headers.get(b"x-forwarded-for", b"").decode("latin-1")
        return self._proxies.client(request.peer, forwarded)


def jittered(seconds: float) -> int:
    """Seconds to wait, spread so that those who were refused together do not come back together."""
    return math.ceil(seconds) + random.randint(1, 4)  # noqa: S311
