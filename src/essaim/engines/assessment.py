"""The assessment grid: mean ratings by item and by unit, without a way to read few people from it.

A cell of fewer than `floor` raters is hidden. Because the mean and the number of everybody are shown beside
the units, hidden cells could be obtained by difference; so in each row the hidden people (hidden units, and
those who gave no unit) are together at least `floor`, or nobody: while they are fewer, the smallest unit
still shown is hidden too (complementary suppression; Hundepool et al., Statistical Disclosure Control, Wiley
2012, chapter 4).

What this does not prevent: comparing two maps made moments apart, between which one person answered.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class HeatMap:
    """Means of I items over everybody (I,) and by U units (I, U), each with its n and 95 % interval.

    Where `suppressed` is set the mean, the bounds and the n are withheld: NaN and 0.
    """

    items: tuple[int, ...]
    units: tuple[int, ...]
    item_mean: Floats
    item_n: Ints
    item_low: Floats
    item_high: Floats
    item_suppressed: Flags
    mean: Floats
    n: Ints
    low: Floats
    high: Floats
    suppressed: Flags


def heat_map(
    item: npt.ArrayLike,
    unit: npt.ArrayLike,
    value: npt.ArrayLike,
    *,
    items: Sequence[int],
    units: Sequence[int],
    top: int,
    floor: int = 5,
    level: float = 0.95,
) -> HeatMap:
    """Average ratings by item and by unit.

    item, unit, value: one entry a rating (one rating a person and item), of equal length, values 1 to `top`.
        A unit that is not among `units` (such as -1) means that none was given; other items are left out.
    The interval of a mean is Student's, cut at the ends of the scale, with the variance of a uniform answer
    counted in as one more person: five people who all say 4 do not prove that everybody does.
    Raises ValueError for unequal lengths, a value off the scale, a floor below 1 or a repeated item or unit.
    """
    which, whose, rated = (np.asarray(given, dtype=np.int64).ravel() for given in (item, unit, value))
    if not len(which) == len(whose) == len(rated):
        raise ValueError(f"unequal lengths: {len(which)} items, {len(whose)} units, {len(rated)} values")
    if bool(np.any((rated < 1) | (rated > top))):
        raise ValueError(f"a rating is a whole number from 1 to {top}")
    if floor < 1 or len(set(items)) != len(items) or len(set(units)) != len(units):
        raise ValueError("floor: at least 1; items and units: each once")
    row = _places(which, items)
    known = row >= 0
    row, rated = row[known], rated[known]
    column = _places(whose[known], units)
    column[column < 0] = len(units)  # the last column: people who gave no unit, never shown
    shape = (len(items), len(units) + 1)
    count, total, squares = (
        _sums(row, column, weight, shape) for weight in (np.ones(len(rated)), rated, rated**2)
    )
    hidden = _hidden(count.astype(np.int64), floor)
    everybody = _statistics(
        count.sum(1), total.sum(1), squares.sum(1), hidden[:, :-1].all(1) & _few(count, floor), top, level
    )
    cells = _statistics(count[:, :-1], total[:, :-1], squares[:, :-1], hidden[:, :-1], top, level)
    return HeatMap(tuple(items), tuple(units), *everybody, *cells)


def _few(count: Floats, floor: int) -> Flags:
    """(I,) items rated by somebody, but by fewer than `floor` people in all."""
    people = count.sum(1)
    return np.asarray((people > 0) & (people < floor))


def _hidden(count: Ints, floor: int) -> Flags:
    """(I, U + 1) what must not be shown:

    Small cells, their complements, and always the column without a unit.
    """
    hidden = (count > 0) & (count < floor)
    hidden[:, -1] = True
    for here in range(len(count)):
        people = count[here]
        if 0 < people.sum() < floor:
            hidden[here] = True
            continue
        while 0 < people[hidden[here]].sum() < floor:
            shown = np.flatnonzero(~hidden[here] & (people > 0))
            if not len(shown):
                break
            hidden[here, shown[np.argmin(people[shown])]] = True
    return hidden


def _statistics(
    n: Floats, total: Floats, squares: Floats, hidden: Flags, top: int, level: float
) -> tuple[Floats, Ints, Floats, Floats, Flags]:
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = total / n
        variance = (np.maximum(squares - n * mean**2, 0.0) + (top**2 - 1) / 12) / n
        half = stdtrit(np.maximum(n - 1, 1), (1 + level) / 2) * np.sqrt(variance / n)
    low, high = np.clip(mean - half, 1, top), np.clip(mean + half, 1, top)
    withheld = [np.where(hidden, np.nan, array) for array in (mean, low, high)]
    return withheld[0], np.where(hidden, 0, n).astype(np.int64), withheld[1], withheld[2], hidden


def _places(given: Ints, known: Sequence[int]) -> Ints:
    """The place of each id in `known`, -1 where it is not there."""
    if not len(known):
        return np.full(len(given), -1, dtype=np.int64)
    order = np.argsort(np.asarray(known, dtype=np.int64), kind="stable")
    ordered = np.asarray(known, dtype=np.int64)[order]
    at = np.minimum(np.searchsorted(ordered, given), len(ordered) - 1)
    return np.where(ordered[at] == given, order[at], -1)


def _sums(row: Ints, column: Ints, weight: npt.NDArray[np.generic], shape: tuple[int, int]) -> Floats:
    flat = np.bincount(row * shape[1] + column, weights=weight.astype(float), minlength=shape[0] * shape[1])
    return flat.astype(np.float64).reshape(shape)
