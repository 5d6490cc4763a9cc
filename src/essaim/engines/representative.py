"""Which statements describe a group, and which unite everybody: the published Polis tests.

Statistics per statement, for agree and for disagree: p = (A+1)/(S+2), p-test (one proportion against 1/2),
and against the people of the other groups the ratio r and r-test (two proportions, pooled). Significant means
above 1.2816 (90 %, one side). There is no correction for testing many statements: read the intervals too.
Source: Small et al., "Polis: scaling deliberation by mapping high dimensional opinion spaces", Recerca 26
(2021).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from essaim.engines import intervals

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

SIGNIFICANT = 1.2816
SHOWN = 5


@dataclass(frozen=True)
class Representative:
    """A statement that sets a group apart.

    share: observed, of those who saw it (low..high: 95 % Jeffreys interval); p: smoothed, (n+1)/(n_seen+2).
    """

    statement: int
    agree: bool
    share: float
    low: float
    high: float
    r: float
    r_test: float
    p_test: float
    score: float
    n_agree: int
    n_disagree: int
    n_seen: int
    p: float
    best_agree: bool


@dataclass(frozen=True)
class Consensus:
    """A statement most people answer alike.

    share: observed, of those who saw it (low..high: 95 % Jeffreys interval); p: smoothed, (n+1)/(n_seen+2).
    """

    statement: int
    share: float
    low: float
    high: float
    p_test: float
    score: float
    n: int
    n_seen: int
    p: float


def smoothed(count: npt.ArrayLike, seen: npt.ArrayLike) -> Floats:
    """(A+1)/(S+2)."""
    return np.asarray((np.asarray(count) + 1.0) / (np.asarray(seen) + 2.0))


def proportion_test(count: npt.ArrayLike, seen: npt.ArrayLike) -> Floats:
    """z of a share against one half, with one success added."""
    s = np.asarray(seen) + 1.0
    return np.asarray(2 * np.sqrt(s) * ((np.asarray(count) + 1.0) / s - 0.5))


def two_proportion_test(
    count: npt.ArrayLike, other: npt.ArrayLike, seen: npt.ArrayLike, other_seen: npt.ArrayLike
) -> Floats:
    """z of a share against another's: one added to all four counts, pooled variance, 0 if all agree."""
    a, b = np.asarray(count) + 1.0, np.asarray(other) + 1.0
    s, t = np.asarray(seen) + 1.0, np.asarray(other_seen) + 1.0
    pooled = (a + b) / (s + t)
    spread = np.sqrt(np.maximum(pooled * (1 - pooled), 0) * (1 / s + 1 / t))
    return np.where(spread == 0, 0.0, (a / s - b / t) / np.where(spread == 0, 1.0, spread))


def of_groups(
    statements: Ints, agrees: Ints, disagrees: Ints, seen: Ints, rejected: Flags, *, level: float = 0.95
) -> tuple[tuple[Representative, ...], ...]:
    """Representative statements of every group, at most five each, agrees before disagrees.

    agrees, disagrees, seen: (G, C) counts among the members of each group. rejected: (C,) statements left
    out. The best agree statement leads. If nothing is significant it stands alone or, without one, the
    largest r-test does.
    """
    chosen = []
    for g in range(len(seen)):
        others = np.arange(len(seen)) != g
        rest, rest_a, rest_d = (counts[others].sum(axis=0) for counts in (seen, agrees, disagrees))
        a, d, s = agrees[g], disagrees[g], seen[g]
        agree = _side(a, s, rest_a, rest)
        disagree = _side(d, s, rest_d, rest)
        chosen.append(_choose(statements, a, d, s, agree, disagree, rejected, level))
    return tuple(chosen)


def of_everybody(
    statements: Ints, counts: Ints, seen: Ints, rejected: Flags, *, level: float = 0.95
) -> tuple[Consensus, ...]:
    """The (at most five) statements everybody agrees with, given agree counts (C,);

    Or disagrees, given disagrees.
    """
    p, test = smoothed(counts, seen), proportion_test(counts, seen)
    score = p * test
    fit = np.flatnonzero((p > 0.5) & (test > SIGNIFICANT) & ~rejected)
    order = fit[np.lexsort((fit, -score[fit]))][:SHOWN]
    low, high = intervals.proportion(counts[order], seen[order], level=level)
    return tuple(
        Consensus(
            statement=int(statements[j]),
            share=float(counts[j] / seen[j]),
            low=float(low[i]),
            high=float(high[i]),
            p_test=float(test[j]),
            score=float(score[j]),
            n=int(counts[j]),
            n_seen=int(seen[j]),
            p=float(p[j]),
        )
        for i, j in enumerate(order)
    )


@dataclass(frozen=True, eq=False)
class _Side:
    count: Ints
    p: Floats
    p_test: Floats
    r: Floats
    r_test: Floats
    score: Floats


def _side(count: Ints, seen: Ints, rest: Ints, rest_seen: Ints) -> _Side:
    p, test = smoothed(count, seen), proportion_test(count, seen)
    r = p / smoothed(rest, rest_seen)
    r_test = two_proportion_test(count, rest, seen, rest_seen)
    return _Side(count, p, test, r, r_test, r * r_test * p * test)


def _choose(
    statements: Ints, a: Ints, d: Ints, s: Ints, agree: _Side, disagree: _Side, rejected: Flags, level: float
) -> tuple[Representative, ...]:
    direction = agree.r_test > disagree.r_test
    score = np.where(direction, agree.score, disagree.score)
    fit = ((agree.r_test > SIGNIFICANT) & (agree.p_test > SIGNIFICANT)) | (
        (disagree.r_test > SIGNIFICANT) & (disagree.p_test > SIGNIFICANT)
    )
    open_ = np.flatnonzero(~rejected)
    if not len(open_):
        return ()
    head = _best_agree(open_, a, d, agree)
    if head is not None:
        direction[head], score[head] = True, agree.score[head]  # chosen for its agrees, so told by them
    ranked = open_[fit[open_]]
    ranked = ranked[np.lexsort((ranked, -score[ranked]))]
    if head is not None:
        order = [head, *(int(j) for j in ranked if j != head)][:SHOWN]
    elif len(ranked):
        order = [int(j) for j in ranked][:SHOWN]
    else:
        order = [int(open_[np.argmax(np.maximum(agree.r_test, disagree.r_test)[open_])])]
    order = [j for j in order if direction[j]] + [j for j in order if not direction[j]]
    picked = np.array(order)
    count = np.where(direction[picked], a[picked], d[picked])
    low, high = intervals.proportion(count, s[picked], level=level)
    result = []
    for i, j in enumerate(order):
        side = agree if direction[j] else disagree
        result.append(
            Representative(
                statement=int(statements[j]),
                agree=bool(direction[j]),
                share=float(side.count[j] / s[j]) if s[j] else 0.5,
                low=float(low[i]),
                high=float(high[i]),
                r=float(side.r[j]),
                r_test=float(side.r_test[j]),
                p_test=float(side.p_test[j]),
                score=float(score[j]),
                n_agree=int(a[j]),
                n_disagree=int(d[j]),
                n_seen=int(s[j]),
                p=float(side.p[j]),
                best_agree=j == head,
            )
        )
    return tuple(result)


def _best_agree(columns: Ints, a: Ints, d: Ints, agree: _Side) -> int | None:
    """The statement a group agrees with best: one pass in order, as the rule depends on the best so far."""
    best: int | None = None
    generally = agree.p * agree.p_test
    for j in columns[(a[columns] > 0) | (d[columns] > 0)].tolist():
        if best is None:
            if agree.p_test[j] > SIGNIFICANT or (agree.r[j] > 1 and agree.p[j] > 0.5):
                best = j
        elif agree.r[best] > 1:
            if agree.score[j] > agree.score[best]:
                best = j
        elif generally[j] > generally[best]:
            best = j
    return best
