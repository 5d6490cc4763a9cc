"""The published formulas written out plainly over a dense table: slow, obvious, and only for tests."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

Table = npt.NDArray[np.float64]


def means(table: Table, rejected: npt.NDArray[np.bool_]) -> Table:
    shaped = table.copy()
    shaped[:, rejected] = 0
    return np.array([np.nanmean(c) if np.isfinite(c).any() else 0.0 for c in shaped.T])


def filled_and_centred(table: Table, rejected: npt.NDArray[np.bool_]) -> Table:
    shaped = table.copy()
    shaped[:, rejected] = 0
    middle = means(table, rejected)
    return np.where(np.isnan(shaped), middle, shaped) - middle


def projections(table: Table, rejected: npt.NDArray[np.bool_], axes: Table) -> Table:
    shaped = table.copy()
    shaped[:, rejected] = 0
    middle, cards = means(table, rejected), table.shape[1]
    out = np.zeros((len(table), 2))
    for i, row in enumerate(shaped):
        seen = [j for j in range(cards) if not math.isnan(row[j])]
        for axis in range(2):
            total = sum((row[j] - middle[j]) * axes[axis][j] for j in seen)
            out[i, axis] = math.sqrt(cards / len(seen)) * total if seen else 0.0
    return out


def prop_test(count: float, seen: float) -> float:
    return 2 * math.sqrt(seen + 1) * ((count + 1) / (seen + 1) - 0.5)


def two_prop_test(a: float, b: float, s: float, t: float) -> float:
    a, b, s, t = a + 1, b + 1, s + 1, t + 1
    pooled = (a + b) / (s + t)
    return 0.0 if pooled == 1 else (a / s - b / t) / math.sqrt(pooled * (1 - pooled) * (1 / s + 1 / t))


def statistics(table: Table, group: npt.NDArray[Any], g: int, j: int) -> dict[str, float]:
    inside, outside = table[group == g, j], table[(group >= 0) & (group != g), j]
    out: dict[str, float] = {
        "na": np.sum(inside == 1),
        "nd": np.sum(inside == -1),
        "ns": np.isfinite(inside).sum(),
    }
    rest = np.isfinite(outside).sum()
    for side, sign in (("a", 1), ("d", -1)):
        n, m = out["n" + side], np.sum(outside == sign)
        out["p" + side] = (n + 1) / (out["ns"] + 2)
        out["p" + side + "t"] = prop_test(n, out["ns"])
        out["r" + side] = out["p" + side] / ((m + 1) / (rest + 2))
        out["r" + side + "t"] = two_prop_test(n, m, out["ns"], rest)
    return out


def representative(
    table: Table, group: npt.NDArray[Any], g: int, rejected: npt.NDArray[np.bool_]
) -> list[tuple[int, bool]]:
    """(column, on the agree side) in the order of showing."""
    z = 1.2816
    sufficient: list[tuple[float, int, bool]] = []
    best: tuple[float, int, bool] | None = None
    lead: tuple[dict[str, float], int] | None = None
    for j in range(table.shape[1]):
        if rejected[j]:
            continue
        s = statistics(table, group, g, j)
        agree = s["rat"] > s["rdt"]
        side = "a" if agree else "d"
        metric = s["r" + side] * s["r" + side + "t"] * s["p" + side] * s["p" + side + "t"]
        if (s["rat"] > z and s["pat"] > z) or (s["rdt"] > z and s["pdt"] > z):
            sufficient.append((metric, j, agree))
        if best is None or max(s["rat"], s["rdt"]) > best[0]:
            best = max(s["rat"], s["rdt"]), j, agree
        if s["na"] == 0 and s["nd"] == 0:
            continue
        if lead is None:
            if s["pat"] > z or (s["ra"] > 1 and s["pa"] > 0.5):
                lead = s, j
        elif lead[0]["ra"] > 1:
            if math.prod(s[x] for x in ("ra", "rat", "pa", "pat")) > math.prod(
                lead[0][x] for x in ("ra", "rat", "pa", "pat")
            ):
                lead = s, j
        elif s["pa"] * s["pat"] > lead[0]["pa"] * lead[0]["pat"]:
            lead = s, j
    head = [(lead[1], True)] if lead else []
    if not sufficient and not head:
        head = [(best[1], best[2])] if best else []
    ranked = [
        (j, agree) for _, j, agree in sorted(sufficient, key=lambda x: -x[0]) if [j] != [h[0] for h in head]
    ]
    chosen = (head + ranked)[:5]
    return [x for x in chosen if x[1]] + [x for x in chosen if not x[1]]


def consensus(table: Table, sign: int, rejected: npt.NDArray[np.bool_]) -> list[int]:
    found = []
    for j in np.flatnonzero(~rejected):
        n, s = np.sum(table[:, j] == sign), np.isfinite(table[:, j]).sum()
        p, test = (n + 1) / (s + 2), prop_test(n, s)
        if p > 0.5 and test > 1.2816:
            found.append((-p * test, int(j)))
    return [j for _, j in sorted(found)[:5]]


def kmeans(points: Table, weights: Table, k: int, steps: int) -> npt.NDArray[np.int64]:
    """From the first k distinct points; at most `steps` steps after the first, until centres move < 0.01."""
    centres: list[Table] = []
    for p in points:
        if len(centres) < k and not any((p == c).all() for c in centres):
            centres.append(p)
    for step in range(steps + 1):
        labels = [min(range(len(centres)), key=lambda c: (math.dist(p, centres[c]), c)) for p in points]
        used = sorted(set(labels))
        labels = [used.index(label) for label in labels]
        moved = [
            np.average(points[np.array(labels) == c], axis=0, weights=weights[np.array(labels) == c])
            for c in range(len(used))
        ]
        pairs = zip(sorted(map(tuple, centres)), sorted(map(tuple, moved)), strict=False)
        if step == steps or all(math.dist(a, b) < 0.01 for a, b in pairs):
            break
        centres = moved
    return np.array(labels)


def silhouette(points: Table, labels: npt.NDArray[np.int64]) -> float:
    scores = []
    for i in range(len(points)):
        own = [j for j in range(len(points)) if labels[j] == labels[i] and j != i]
        if not own or len(set(labels)) < 2:
            scores.append(0.0)
            continue
        a = np.mean([math.dist(points[i], points[j]) for j in own])
        b = min(
            np.mean([math.dist(points[i], points[j]) for j in range(len(points)) if labels[j] == other])
            for other in set(labels) - {labels[i]}
        )
        scores.append((b - a) / max(a, b))
    return float(np.mean(scores))


def polis_groups(points: Table) -> npt.NDArray[np.int64]:
    base = kmeans(points, np.ones(len(points)), 100, 100)
    centres = np.array([points[base == b].mean(axis=0) for b in range(base.max() + 1)])
    weights = np.bincount(base).astype(float)
    best = (-2.0, base)
    for k in range(2, min(5, 2 + len(centres) // 12) + 1):
        labels = kmeans(centres, weights, k, 20)
        score = silhouette(centres, labels)
        if score >= best[0]:
            best = score, labels
    return best[1][base]
