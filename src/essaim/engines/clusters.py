"""Opinion groups on the map: k-means with a choice of k by silhouette, in two flavours.

"polis": the published steps. A hundred base clusters started from the first distinct points in row order,
then weighted k-means on their centres started from the first k. Cold: no memory of earlier runs.
"grid": cells of a grid over the map stand for the people in them, and k-means++ restarts with a fixed seed
find the best centres. Participants can be numbered in any way.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

BASE_CLUSTERS = 100
BASE_STEPS = 100
GROUP_STEPS = 20
MOST_GROUPS = 5
STILL = 0.01
GRID_SIDE = 48
RESTARTS = 8
SEED = 20_190_804


@dataclass(frozen=True, eq=False)
class Grouping:
    """labels: (n,) group of each point, 0-based.   silhouette: of the chosen k, -1..1 (0 for one group).
    anchors: (a, 2) points such that a person belongs to the group of the nearest one; anchor_group: (a,)."""

    labels: Ints
    anchors: Floats
    anchor_group: Ints
    silhouette: float


def group(points: Floats, *, method: str) -> Grouping:
    """Group points (n, 2) in rows of ascending participant id, by "grid" or "polis".

    n = 0 gives no group; identical points give one. Raises ValueError for another method.
    """
    if method not in ("grid", "polis"):
        raise ValueError(f"grouping: 'grid' or 'polis', got {method!r}")
    if not len(points):
        return Grouping(np.zeros(0, dtype=np.int64), np.zeros((0, 2)), np.zeros(0, dtype=np.int64), 0.0)
    span = float(np.ptp(points, axis=0).max())
    if span <= 1e-9 * max(1.0, float(np.abs(points).max())):  # everybody stands in one place
        nobody = np.zeros(len(points), dtype=np.int64)
        return Grouping(nobody, points[:1].copy(), np.zeros(1, dtype=np.int64), 0.0)
    return _by_grid(points) if method == "grid" else _by_base_clusters(points)


def nearest(points: Floats, centres: Floats) -> Ints:
    """Index of the nearest centre (k, 2) to each point (n, 2); the first one on a tie."""
    x, y = np.ascontiguousarray(points[:, 0]), np.ascontiguousarray(points[:, 1])
    best = np.zeros(len(points), dtype=np.int16)
    shortest = np.full(len(points), np.inf)
    distance, rest, closer = np.empty_like(x), np.empty_like(y), np.empty(len(points), dtype=bool)
    for index, (cx, cy) in enumerate(centres.tolist()):  # in place: a hundred centres stay within the cache
        np.subtract(x, cx, out=distance)
        np.subtract(y, cy, out=rest)
        np.multiply(distance, distance, out=distance)
        np.multiply(rest, rest, out=rest)
        np.add(distance, rest, out=distance)
        np.less(distance, shortest, out=closer)
        np.copyto(best, index, where=closer)
        np.minimum(shortest, distance, out=shortest)
    return best.astype(np.int64)


def silhouette(distance: Floats, labels: Ints) -> float:
    """Mean silhouette (Rousseeuw 1987) of points given distances (n, n) and labels (n,).

    The member of a group of one counts 0, and so does a single group.
    """
    sizes = np.bincount(labels)
    if np.count_nonzero(sizes) < 2:
        return 0.0
    everyone = np.arange(len(labels))
    sums = np.stack([distance[:, labels == g].sum(axis=1) for g in np.flatnonzero(sizes)], axis=1)
    sizes, own = sizes[sizes > 0], np.unique(labels, return_inverse=True)[1]
    inside = sums[everyone, own] / np.maximum(sizes[own] - 1, 1)
    means = sums / sizes
    means[everyone, own] = np.inf
    outside = means.min(axis=1)
    largest = np.maximum(inside, outside)
    alone = (sizes[own] == 1) | (largest == 0)
    return float(np.where(alone, 0.0, (outside - inside) / np.where(alone, 1.0, largest)).mean())


def _distances(points: Floats) -> Floats:
    dx = points[:, None, 0] - points[None, :, 0]
    dy = points[:, None, 1] - points[None, :, 1]
    return np.sqrt(dx * dx + dy * dy)


def _squared(points: Floats, centre: Floats) -> Floats:
    x, y = points[:, 0] - centre[0], points[:, 1] - centre[1]
    return np.asarray(x * x + y * y)


def _means(points: Floats, labels: Ints, weights: Floats, count: int) -> tuple[Floats, Floats]:
    """Weighted mean (count, 2) of each label, and the weight (count,) behind it."""
    total = np.bincount(labels, weights=weights, minlength=count).astype(np.float64)
    safe = np.where(total > 0, total, 1.0)
    x = np.bincount(labels, weights=weights * points[:, 0], minlength=count) / safe
    y = np.bincount(labels, weights=weights * points[:, 1], minlength=count) / safe
    return np.stack([x, y], axis=1), total


# --- "polis" -----------------------------------------------------------------------------------------


def _by_base_clusters(points: Floats) -> Grouping:
    ones = np.ones(len(points))
    base_of, seats, base = _kmeans(points, ones, _first_distinct(points, BASE_CLUSTERS), BASE_STEPS)
    weights = np.bincount(base_of, minlength=len(base)).astype(float)
    distance = _distances(base)
    best: tuple[float, Ints] | None = None
    for k in range(2, min(MOST_GROUPS, 2 + len(base) // 12) + 1):
        labels, _, _ = _kmeans(base, weights, _first_distinct(base, k), GROUP_STEPS)
        score = silhouette(distance, labels)
        if best is None or score >= best[0]:
            best = score, labels
    assert best is not None
    return Grouping(best[1][base_of], seats, best[1], best[0])


def _first_distinct(points: Floats, count: int) -> Floats:
    _, first = np.unique(points, axis=0, return_index=True)
    return points[np.sort(first)[:count]]


def _kmeans(points: Floats, weights: Floats, centres: Floats, steps: int) -> tuple[Ints, Floats, Floats]:
    """Labels, the centres people were assigned by, and the centres after the last step.

    As published: up to `steps` further steps after the first, until every centre (in sorted order) moves less
    than 0.01; a cluster left empty vanishes.
    """
    for step in range(steps + 1):
        labels = nearest(points, centres)
        used = np.unique(labels)
        labels = np.searchsorted(used, labels).astype(np.int64)
        seats = centres[used]
        moved, _ = _means(points, labels, weights, len(used))
        if step == steps or _same(centres, moved):
            break
        centres = moved
    return labels, seats, moved


def _same(before: Floats, after: Floats) -> bool:
    a = before[np.lexsort((before[:, 1], before[:, 0]))]
    b = after[np.lexsort((after[:, 1], after[:, 0]))]
    shared = min(len(a), len(b))
    return bool(np.all(_squared(a[:shared] - b[:shared], np.zeros(2)) < STILL * STILL))


# --- "grid" ------------------------------------------------------------------------------------------


def _by_grid(points: Floats) -> Grouping:
    cells, people = _cells(points)
    # The square root makes the sampling noise of a count the same everywhere, so the crowd around the middle
    # does not drown the edges of the map: on resampled real conversations, groups are steadier for it.
    weights = np.sqrt(people)
    distance = _distances(cells)
    best: tuple[float, Floats] | None = None
    for k in range(2, min(MOST_GROUPS, 2 + len(cells) // 12) + 1):
        centres = _best_start(cells, weights, k)
        score = silhouette(distance, nearest(cells, centres))
        if best is None or score > best[0]:
            best = score, centres
    assert best is not None
    labels = nearest(points, best[1])
    used, labels = np.unique(labels, return_inverse=True)
    return Grouping(labels, best[1][used], np.arange(len(used), dtype=np.int64), best[0])


def _cells(points: Floats) -> tuple[Floats, Floats]:
    """Mean (m, 2) of the people in every occupied cell of a square grid, and their number (m,), by place."""
    low = points.min(axis=0)
    step = float((points.max(axis=0) - low).max()) / GRID_SIDE
    place = np.minimum((points - low) / step, GRID_SIDE - 1).astype(np.int64)
    used, cell = np.unique(place[:, 0] * GRID_SIDE + place[:, 1], return_inverse=True)
    return _means(points, cell.astype(np.int64), np.ones(len(points)), len(used))


def _best_start(cells: Floats, weights: Floats, k: int) -> Floats:
    """Centres (k, 2) of least weighted inertia over restarts of k-means++ (Arthur and Vassilvitskii 2007).

    All restarts advance together: arrays are (restarts, k, 2) and (restarts, k, cells).
    """
    draws = np.random.Generator(np.random.PCG64(SEED + k)).random((RESTARTS, k))
    centres = np.stack([_spread(cells, weights, draw) for draw in draws])
    mass = [np.tile(part, RESTARTS) for part in (weights, weights * cells[:, 0], weights * cells[:, 1])]
    moving = np.arange(RESTARTS)
    for _ in range(BASE_STEPS):
        now, count = centres[moving], len(moving)
        seats = _seats(cells, now) + (np.arange(count) * k)[:, None]
        total, x, y = (
            np.bincount(seats.ravel(), weights=part[: seats.size], minlength=count * k).reshape(count, k)
            for part in mass
        )
        safe = np.where(total > 0, total, 1.0)
        moved = np.where((total > 0)[:, :, None], np.stack([x / safe, y / safe], axis=2), now)
        centres[moving] = moved
        moving = moving[np.abs(moved - now).max(axis=(1, 2)) >= 1e-9]
        if not len(moving):
            break
    inertia = (_to_each(cells, centres).min(axis=1) * weights).sum(axis=1)
    return np.asarray(centres[int(np.flatnonzero(inertia <= inertia.min() * (1 + 1e-9))[0])])


def _to_each(cells: Floats, centres: Floats) -> Floats:
    """(restarts, k, cells) squared distances."""
    x = cells[:, 0] - centres[:, :, 0:1]
    y = cells[:, 1] - centres[:, :, 1:2]
    return np.asarray(x * x + y * y)


def _seats(cells: Floats, centres: Floats) -> Ints:
    """(restarts, cells) index of the nearest centre."""
    distance = _to_each(cells, centres)
    best = np.zeros((len(centres), len(cells)), dtype=np.int64)
    shortest = distance[:, 0].copy()
    for index in range(1, centres.shape[1]):  # quicker than argmin over a short middle axis
        np.copyto(best, index, where=distance[:, index] < shortest)
        np.minimum(shortest, distance[:, index], out=shortest)
    return best


def _spread(cells: Floats, weights: Floats, draws: Floats) -> Floats:
    """One k-means++ start: every next centre is drawn by its weighted squared distance to those before."""
    away = np.ones(len(cells))
    chosen: list[int] = []
    for draw in draws.tolist():
        heap = np.cumsum(weights * away)
        chosen.append(min(int(np.searchsorted(heap, draw * heap[-1], side="right")), len(cells) - 1))
        distance = _squared(cells, cells[chosen[-1]])
        away = distance if len(chosen) == 1 else np.minimum(away, distance)
    return cells[chosen]
