"""The time of day that does not jump: a steady clock, drawn slowly towards the wall clock.

A step of the wall clock (somebody sets it, a time server corrects it) must not end a phase, void a ticket or
close a grace period. The difference is made up at one part in a hundred: ten minutes last six seconds more or less.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Final

CHECK_NS: Final = 1_000_000_000
SLEW: Final = 100
"""The wall clock is caught up with at 1 / SLEW of the time that passes."""
IGNORED_NS: Final = 1_000_000
STEP_NS: Final = 2_000_000_000
_log = logging.getLogger(__name__)


# Nanoseconds that only grow, and that go on while the machine sleeps where the system can tell (Linux).
_steady: Final[Callable[[], int]] = (
    partial(time.clock_gettime_ns, time.CLOCK_BOOTTIME)
    if hasattr(time, "CLOCK_BOOTTIME")
    else time.monotonic_ns
)


class SteadyClock:
    """Milliseconds since the epoch that never go back; any thread may ask.

    `wall` and `steady` give nanoseconds: since the epoch, and since any fixed moment. A forked process goes on
    with the clock of its parent, so that those that were started at different times agree.
    """

    def __init__(self, wall: Callable[[], int] = time.time_ns, steady: Callable[[], int] = _steady) -> None:
        self._wall, self._steady = wall, steady
        at = steady()
        self._stepped = False
        # The moment of the last check, the time that was shown then, what was missing to the wall clock.
        self._state = (at, wall(), 0)

    def __call__(self) -> int:
        """Give the time in milliseconds."""
        at, shown, missing = self._state
        elapsed = self._steady() - at
        if elapsed >= CHECK_NS:
            return self._check(at, shown, missing, elapsed)
        if missing:
            shown += _caught_up(missing, elapsed)
        return (shown + elapsed) // 1_000_000

    def _check(self, at: int, shown: int, missing: int, elapsed: int) -> int:
        """Compare with the wall clock; what is shown goes on without a break."""
        shown += elapsed + _caught_up(missing, elapsed)
        missing = self._wall() - shown
        stepped = abs(missing) >= STEP_NS
        if stepped and not self._stepped:
            _log.warning(
                "the wall clock moved by %+.1f s; live sessions follow it slowly, in about %.0f minutes",
                missing / 1e9,
                abs(missing) / 1e9 * SLEW / 60,
            )
        self._stepped = stepped
        # One assignment, so that another thread sees all of it or nothing.
        self._state = (at + elapsed, shown, missing if abs(missing) >= IGNORED_NS else 0)
        return shown // 1_000_000


def _caught_up(missing: int, elapsed: int) -> int:
    """Give the part of `missing` that is made up after `elapsed` (ns)."""
    most = elapsed // SLEW
    return max(-most, min(most, missing))


clock: Final = SteadyClock()
"""The clock of this process (and of those it forks)."""
