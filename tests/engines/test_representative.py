"""Representative statements and consensus: by hand, and against the formulas written out plainly."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from essaim.engines import representative as rep
from tests.engines import reference


def counts(*rows: list[int]) -> np.ndarray:
    return np.array(rows)


def test_tests_by_hand() -> None:
    # 9 agrees of 12: z = 2 sqrt(13) (10/13 - 1/2) ; 9 of 12 against 2 of 8: pooled (10 + 3) / (13 + 9)
    assert float(rep.proportion_test(9, 12)) == pytest.approx(1.941450, abs=1e-6)
    pooled = 13 / 22
    expected = (10 / 13 - 3 / 9) / math.sqrt(pooled * (1 - pooled) * (1 / 13 + 1 / 9))
    assert float(rep.two_proportion_test(9, 2, 12, 8)) == pytest.approx(expected)
    assert float(rep.smoothed(0, 0)) == 0.5


def test_two_shares_of_one_cannot_be_told_apart() -> None:
    assert float(rep.two_proportion_test(5, 7, 5, 7)) == 0


def test_a_statement_that_splits_two_groups() -> None:
    """Group 0 agrees 20 of 20 with statement 10 and group 1 disagrees; both agree with statement 11."""
    agrees, disagrees = counts([20, 18], [1, 18]), counts([0, 1], [18, 1])
    seen = counts([20, 20], [20, 20])
    first, second = rep.of_groups(np.array([10, 11]), agrees, disagrees, seen, np.zeros(2, dtype=bool))
    assert [(r.statement, r.agree) for r in first] == [(10, True)]
    assert (first[0].n_agree, first[0].n_seen, first[0].share) == (20, 20, 1.0)
    assert first[0].p == pytest.approx(21 / 22)
    assert first[0].r == pytest.approx((21 / 22) / (2 / 22))
    assert first[0].score == pytest.approx(first[0].r * first[0].r_test * first[0].p * first[0].p_test)
    assert first[0].low == pytest.approx(0.883, abs=0.001)
    assert first[0].high == 1
    # What the other group agrees with best comes along, though it does not set it apart.
    assert [(r.statement, r.agree, r.best_agree) for r in second] == [(11, True, True), (10, False, False)]


def test_without_anything_significant_the_strongest_difference_is_kept() -> None:
    agrees, disagrees, seen = counts([0, 0], [1, 2]), counts([2, 1], [0, 0]), counts([2, 2], [2, 2])
    first, _ = rep.of_groups(np.array([1, 2]), agrees, disagrees, seen, np.zeros(2, dtype=bool))
    assert [(r.statement, r.agree) for r in first] == [(1, False)]


def test_a_rejected_statement_is_never_shown() -> None:
    agrees, disagrees, seen = counts([20, 2], [0, 1]), counts([0, 0], [20, 0]), counts([20, 2], [20, 2])
    out = np.array([True, False])
    assert all(
        r.statement == 2 for g in rep.of_groups(np.array([1, 2]), agrees, disagrees, seen, out) for r in g
    )
    assert rep.of_groups(np.array([1, 2]), agrees, disagrees, seen, np.array([True, True])) == ((), ())
    assert [c.statement for c in rep.of_everybody(np.array([1, 2]), agrees[0], seen[0], out)] == [2]


def test_consensus_by_hand() -> None:
    statements, agrees, seen = np.array([5, 6, 7, 8]), np.array([9, 30, 4, 2]), np.array([10, 40, 8, 2])
    found = rep.of_everybody(statements, agrees, seen, np.zeros(4, dtype=bool))
    # 5: p 10/12, z 2.714; 6: p 31/42, z 3.280; 7: one half; 8: p 3/4, z 1.732
    assert [c.statement for c in found] == [6, 5, 8]
    assert found[1].p_test == pytest.approx(2 * math.sqrt(11) * (10 / 11 - 0.5))
    assert found[1].score == pytest.approx(10 / 12 * found[1].p_test)
    assert (found[0].n, found[0].n_seen, found[0].share) == (30, 40, 0.75)


def test_at_most_five_and_agrees_first() -> None:
    cards = 12
    agrees = np.stack([np.where(np.arange(cards) % 2, 30, 2), np.where(np.arange(cards) % 2, 2, 30)])
    seen = np.full((2, cards), 34)
    for shown in rep.of_groups(np.arange(cards), agrees, 32 - agrees, seen, np.zeros(cards, dtype=bool)):
        assert len(shown) == 5
        sides = [r.agree for r in shown]
        assert sides == sorted(sides, reverse=True)


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 4), st.integers(1, 12), st.integers(0, 10**6), st.sampled_from((4, 12, 60)))
def test_against_the_formulas_written_out_plainly(groups: int, cards: int, seed: int, people: int) -> None:
    random = np.random.default_rng(seed)
    group = np.concatenate([np.arange(groups), random.integers(-1, groups, people)])
    lean = random.uniform(0, 1, (groups + 1, cards))
    table = np.where(random.random((len(group), cards)) < lean[group], 1.0, -1.0)
    table[random.random(table.shape) < 0.15] = 0
    table[random.random(table.shape) < 0.3] = np.nan
    rejected = random.random(cards) < 0.15

    def tally(g: int, value: float) -> np.ndarray:
        return (table[group == g] == value).sum(axis=0)

    agrees = np.stack([tally(g, 1) for g in range(groups)])
    disagrees = np.stack([tally(g, -1) for g in range(groups)])
    seen = np.stack([np.isfinite(table[group == g]).sum(axis=0) for g in range(groups)])
    found = rep.of_groups(np.arange(cards), agrees, disagrees, seen, rejected)
    for g in range(groups):
        assert [(r.statement, r.agree) for r in found[g]] == reference.representative(
            table, group, g, rejected
        )
    for sign in (1, -1):
        shown = rep.of_everybody(
            np.arange(cards), (table == sign).sum(axis=0), np.isfinite(table).sum(axis=0), rejected
        )
        assert [c.statement for c in shown] == reference.consensus(table, sign, rejected)
