"""The heat map: its means and intervals, and an attacker who adds and subtracts."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from essaim.engines.assessment import HeatMap, heat_map


def spread(cells: dict[tuple[int, int], list[int]]) -> tuple[list[int], list[int], list[int]]:
    flat = [(i, u, v) for (i, u), values in cells.items() for v in values]
    return [f[0] for f in flat], [f[1] for f in flat], [f[2] for f in flat]


def test_by_hand() -> None:
    cells = {(1, 10): [1, 2, 3, 4, 5], (1, 20): [5, 5, 5, 5, 5, 4], (2, 10): [2] * 7}
    found = heat_map(*spread(cells), items=[2, 1, 3], units=[10, 20], top=5)
    assert found.items == (2, 1, 3)
    assert found.item_n.tolist() == [7, 11, 0]
    assert found.item_mean[:2] == pytest.approx([2, 44 / 11])
    assert np.isnan(found.item_mean[2])
    assert found.mean[1] == pytest.approx([3, 29 / 6])
    assert found.n.tolist() == [[7, 0], [5, 6], [0, 0]]
    assert not found.suppressed.any()
    # Student with 4 degrees of freedom: 2.776 times sqrt((10 + 2) / 5 / 5), where 2 = (5² - 1) / 12
    assert found.low[1, 0] == pytest.approx(3 - 2.776445 * np.sqrt(12 / 25), abs=1e-5)
    assert found.high[1, 1] == 5  # cut at the end of the scale


def test_people_who_all_say_the_same_still_leave_room_for_doubt() -> None:
    found = heat_map([1] * 5, [0] * 5, [4] * 5, items=[1], units=[0], top=5)
    assert found.item_low[0] < 3.7
    assert found.item_high[0] > 4.3


@pytest.mark.parametrize("n", [5, 12, 60])
@pytest.mark.parametrize(
    "shares", [(0.1, 0.2, 0.4, 0.2, 0.1), (0.4, 0.1, 0.0, 0.1, 0.4), (0.02, 0.03, 0.05, 0.2, 0.7)]
)
def test_intervals_hold_the_truth_as_often_as_they_say(n: int, shares: tuple[float, ...]) -> None:
    random = np.random.default_rng(n)
    value = random.choice(5, (2000, n), p=shares) + 1
    truth = np.dot(shares, [1, 2, 3, 4, 5])
    found = heat_map(
        np.repeat(np.arange(2000), n), np.zeros(2000 * n), value.ravel(), items=range(2000), units=[0], top=5
    )
    assert np.mean((found.item_low <= truth) & (truth <= found.item_high)) > 0.92


def test_a_small_cell_takes_a_larger_one_with_it() -> None:
    cells = {(1, 10): [3] * 2, (1, 20): [4] * 6, (1, 30): [5] * 9}
    found = heat_map(*spread(cells), items=[1], units=[10, 20, 30], top=5)
    assert found.suppressed.tolist() == [[True, True, False]]
    assert found.n.tolist() == [[0, 0, 9]]
    assert np.isnan(found.mean[0, :2]).all()
    assert found.item_n.tolist() == [17]


def test_a_person_without_unit_cannot_be_found_by_difference() -> None:
    cells = {(1, 10): [3] * 6, (1, 20): [4] * 8, (1, -1): [1]}
    found = heat_map(*spread(cells), items=[1], units=[10, 20], top=5)
    assert found.suppressed.tolist() == [[True, False]]


def test_an_item_with_few_raters_is_hidden_altogether() -> None:
    found = heat_map([1] * 4, [10, 10, 20, -1], [3, 4, 5, 1], items=[1], units=[10, 20], top=5)
    assert found.item_suppressed.tolist() == [True]
    assert found.suppressed.all()
    assert found.item_n.tolist() == [0]
    assert np.isnan(found.item_mean[0])


def unions_an_attacker_can_compute(found: HeatMap, row: int) -> list[tuple[int, float]]:
    """People and sum of ratings behind whatever is shown: cells, the item, and the item less any cells."""
    shown = [
        (int(found.n[row, u]), float(found.n[row, u] * found.mean[row, u]))
        for u in range(len(found.units))
        if not found.suppressed[row, u] and found.n[row, u]
    ]
    unions = list(shown)
    if not found.item_suppressed[row] and found.item_n[row]:
        whole = int(found.item_n[row]), float(found.item_n[row] * found.item_mean[row])
        for size in range(len(shown) + 1):
            unions += [
                (whole[0] - sum(t[0] for t in taken), whole[1] - sum(t[1] for t in taken))
                for taken in itertools.combinations(shown, size)
            ]
    return unions


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 9), min_size=5, max_size=5), min_size=1, max_size=3),
    st.integers(2, 6),
    st.integers(0, 1000),
)
def test_an_attacker_who_adds_and_subtracts_never_gets_below_the_floor(
    sizes: list[list[int]], floor: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    units = [10, 20, 30, 40]
    cells = {
        (i, u): random.integers(1, 6, n).tolist()
        for i, row in enumerate(sizes)
        for u, n in zip([*units, -1], row, strict=True)
    }
    found = heat_map(*spread(cells), items=range(len(sizes)), units=units, top=5, floor=floor)
    for row, true in enumerate(sizes):
        for people, total in unions_an_attacker_can_compute(found, row):
            assert people == 0 or people >= floor, (true, people)
            assert people or total == pytest.approx(0, abs=1e-9)
        assert (np.isnan(found.mean[row]) | (found.n[row] >= floor)).all()
        # Nothing is hidden without need: with no small cell and nobody without a unit, everything is shown.
        if all(n == 0 or n >= floor for n in true[:-1]) and not 0 < true[-1] < floor:
            assert not found.suppressed[row].any()


def test_an_item_is_hidden_whole_or_not_at_all_when_it_must_be() -> None:
    """Two small cells cover each other: nothing else needs to go."""
    cells = {(1, 10): [3] * 3, (1, 20): [4] * 4, (1, 30): [5] * 9}
    found = heat_map(*spread(cells), items=[1], units=[10, 20, 30], top=5)
    assert found.suppressed.tolist() == [[True, True, False]]
    assert found.item_n.tolist() == [16]


def test_nothing_rated_yet() -> None:
    found = heat_map([], [], [], items=[1, 2], units=[10], top=5)
    assert found.item_n.tolist() == [0, 0]
    assert not found.item_suppressed.any()
    assert heat_map([1] * 6, [0] * 6, [3] * 6, items=[1], units=[], top=5).mean.shape == (1, 0)


@pytest.mark.parametrize(
    ("given_", "more", "says"),
    [
        (([1], [1], [6]), {}, "from 1 to 5"),
        (([1], [1], [0]), {}, "from 1 to 5"),
        (([1, 1], [1], [3]), {}, "unequal"),
        (([1], [1], [3]), {"items": [1, 1]}, "each once"),
        (([1], [1], [3]), {"floor": 0}, "floor"),
    ],
)
def test_what_is_not_ratings_is_refused(given_: tuple, more: dict, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        heat_map(*given_, **{"items": [1], "units": [1], "top": 5, **more})
