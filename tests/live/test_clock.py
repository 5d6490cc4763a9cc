"""The clock of live sessions: it follows the wall clock without ever jumping or going back."""

from __future__ import annotations

import logging
import random
import threading
from itertools import pairwise

import pytest

from essaim.live.clock import SLEW, SteadyClock

SECOND = 1_000_000_000
EPOCH = 1_800_000_000 * SECOND


class Hands:
    """A wall clock and a steady clock that a test moves."""

    def __init__(self) -> None:
        self.wall_ns, self.steady_ns = EPOCH, 5 * SECOND
        self.clock = SteadyClock(lambda: self.wall_ns, lambda: self.steady_ns)

    def run(self, seconds: float, *, every: float = 0.25) -> list[int]:
        """Let time pass; give what the clock showed on the way (ms)."""
        shown = []
        for _ in range(round(seconds / every)):
            self.wall_ns += round(every * SECOND)
            self.steady_ns += round(every * SECOND)
            shown.append(self.clock())
        return shown


def test_it_shows_the_time_of_day() -> None:
    hands = Hands()
    assert hands.clock() == EPOCH // 1_000_000
    assert hands.run(3600)[-1] == EPOCH // 1_000_000 + 3_600_000


@pytest.mark.parametrize("step", [-3600, -5, -0.5, 0.5, 5, 3600])
def test_a_step_is_not_followed_at_once(step: float) -> None:
    hands = Hands()
    hands.run(10)
    before = hands.clock()
    hands.wall_ns += round(step * SECOND)
    shown = hands.run(60)
    assert shown[0] - before == pytest.approx(250, abs=5)
    pace = [later - earlier for earlier, later in pairwise(shown)]
    assert all(250 * (1 - 1.1 / SLEW) - 1 <= one <= 250 * (1 + 1.1 / SLEW) + 1 for one in pace)


@pytest.mark.parametrize("step", [-5, -0.5, 0.5, 5])
def test_a_step_is_made_up_in_the_end_and_no_more(step: float) -> None:
    hands = Hands()
    hands.run(10)
    hands.wall_ns += round(step * SECOND)
    hands.run(abs(step) * SLEW + 3)
    assert hands.clock() == pytest.approx(hands.wall_ns // 1_000_000, abs=2)
    assert hands.run(600)[-1] == pytest.approx(hands.wall_ns // 1_000_000, abs=2)


def test_a_long_silence_does_not_overshoot() -> None:
    hands = Hands()
    hands.run(5)
    hands.wall_ns += SECOND // 2
    hands.run(2)
    hands.run(7200, every=7200)  # nobody asks for two hours
    assert hands.clock() == pytest.approx(hands.wall_ns // 1_000_000, abs=2)


def test_it_never_goes_back_whatever_the_wall_clock_does() -> None:
    dice = random.Random(7)
    hands, last = Hands(), 0
    for _ in range(5_000):
        hands.steady_ns += round(dice.expovariate(1) * SECOND)
        hands.wall_ns += dice.randint(-(10**11), 10**11)
        now = hands.clock()
        assert now >= last
        last = now


def test_a_large_step_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    hands = Hands()
    with caplog.at_level(logging.WARNING, "essaim.live.clock"):
        hands.run(20)
        assert not caplog.records
        hands.wall_ns -= 60 * SECOND
        hands.run(60)
    assert [record.getMessage() for record in caplog.records] == [
        "the wall clock moved by -60.0 s; live sessions follow it slowly, in about 100 minutes"
    ]


def test_threads_agree() -> None:
    hands = Hands()
    hands.run(5)
    hands.wall_ns += 10 * SECOND
    hands.steady_ns += 2 * SECOND
    hands.wall_ns += 2 * SECOND
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(hands.clock())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
