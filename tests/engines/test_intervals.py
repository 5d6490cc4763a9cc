"""Intervals against published tables and by their coverage."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta, binom

from essaim.engines.intervals import proportion


def test_against_the_beta_posterior() -> None:
    low, high = proportion([3, 10, 0, 20], [20, 20, 20, 20], level=0.95)
    assert low[0] == pytest.approx(beta.ppf(0.025, 3.5, 17.5))
    assert high[0] == pytest.approx(beta.ppf(0.975, 3.5, 17.5))
    assert low[1] + high[1] == pytest.approx(1)
    assert low[2] == 0
    assert high[3] == 1


def test_published_values() -> None:
    """Brown, Cai, DasGupta (2001), table 5: 95 % limits for n = 7, where k is not at the ends."""
    for k, n, low, high in ((2, 7, 0.065, 0.648), (3, 7, 0.139, 0.766)):
        found = proportion(k, n)
        assert [float(end) for end in found] == pytest.approx([low, high], abs=0.001)


@pytest.mark.parametrize("level", [0.90, 0.95])
@pytest.mark.parametrize("n", [10, 30, 100])
def test_coverage_is_what_it_says_on_average(level: float, n: int) -> None:
    low, high = proportion(np.arange(n + 1), n, level=level)
    shares = np.linspace(0.05, 0.95, 181)
    inside = (low[:, None] <= shares) & (shares <= high[:, None])
    coverage = (binom.pmf(np.arange(n + 1)[:, None], n, shares) * inside).sum(axis=0)
    assert coverage.mean() == pytest.approx(level, abs=0.012)


@given(st.integers(0, 500), st.integers(0, 500))
def test_an_interval_holds_the_share_and_stays_within_bounds(a: int, b: int) -> None:
    low, high = proportion(a, a + b)
    share = a / (a + b) if a + b else 0.5
    assert 0 <= low <= share <= high <= 1


def test_nothing_seen_says_nothing() -> None:
    low, high = proportion(0, 0)
    assert (float(low), float(high)) == (0, 1)


@pytest.mark.parametrize(("k", "n", "level"), [(3, 2, 0.95), (-1, 2, 0.95), (1, 2, 1.0), (1, 2, 95)])
def test_impossible_requests_are_refused(k: int, n: int, level: float) -> None:
    with pytest.raises(ValueError, match=r"level|counts"):
        proportion(k, n, level=level)
