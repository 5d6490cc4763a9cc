"""Both ways of grouping: the published steps written out plainly, and the grid's promises."""

from __future__ import annotations

import numpy as np
import pytest

from essaim.engines import clusters
from tests.engines import reference
from tests.engines.conftest import same_partition


def cloud(
    sizes: list[int], centres: list[tuple[float, float]], *, seed: int = 0, spread: float = 1.0
) -> np.ndarray:
    random = np.random.default_rng(seed)
    return np.concatenate([random.normal(c, spread, (n, 2)) for n, c in zip(sizes, centres, strict=True)])


@pytest.mark.parametrize("seed", range(6))
def test_published_steps_written_out_plainly(seed: int) -> None:
    random = np.random.default_rng(seed)
    count = int(random.integers(3, 260))
    points = cloud([count // 2, count - count // 2], [(0, 0), (3, 1)], seed=seed)
    found = clusters.group(points, method="polis")
    assert same_partition(found.labels, reference.polis_groups(points)) == 1


def test_silhouette_by_hand() -> None:
    points = np.array([[0.0, 0], [1, 0], [4, 0], [10, 0]])
    labels = np.array([0, 0, 1, 2])
    distance = np.abs(points[:, :1] - points[:, 0])
    # 0: a 1, b 4 -> 3/4; 1: a 1, b 3 -> 2/3; the two groups of one count 0
    assert clusters.silhouette(distance, labels) == pytest.approx((3 / 4 + 2 / 3) / 4)
    assert clusters.silhouette(distance, np.zeros(4, dtype=np.int64)) == 0


@pytest.mark.parametrize("seed", range(4))
def test_silhouette_written_out_plainly(seed: int) -> None:
    random = np.random.default_rng(seed)
    points, labels = random.normal(size=(30, 2)), random.integers(0, 4, 30)
    distance = np.hypot(*(points[:, None] - points[None]).transpose(2, 0, 1))
    assert clusters.silhouette(distance, labels) == pytest.approx(reference.silhouette(points, labels))


@pytest.mark.parametrize(
    ("sizes", "centres"),
    [
        ([300, 120], [(0, 0), (8, 0)]),
        ([200, 150, 60], [(0, 0), (9, 0), (4, 8)]),
        ([200, 150, 60, 80], [(0, 0), (12, 0), (6, 10), (18, 12)]),
    ],
)
def test_the_grid_finds_groups_that_stand_apart(sizes: list[int], centres: list[tuple[float, float]]) -> None:
    points = cloud(sizes, centres)
    truth = np.repeat(np.arange(len(sizes)), sizes)
    found = clusters.group(points, method="grid")
    assert found.labels.max() + 1 == len(sizes)
    assert same_partition(found.labels, truth) > 0.97


def test_the_grid_does_not_care_how_people_are_numbered() -> None:
    points = cloud([300, 200, 90], [(0, 0), (3, 0), (1, 3)], seed=9)
    one = clusters.group(points, method="grid")
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(len(points))
        other = clusters.group(points[order], method="grid")
        assert same_partition(other.labels, one.labels[order]) == 1
        assert other.silhouette == pytest.approx(one.silhouette)


def test_the_grid_does_not_care_about_scale_and_place() -> None:
    points = cloud([300, 200, 90], [(0, 0), (3, 0), (1, 3)], seed=2)
    one = clusters.group(points, method="grid")
    assert same_partition(clusters.group(points * 1024 + 4096, method="grid").labels, one.labels) == 1


@pytest.mark.parametrize("method", ["grid", "polis"])
def test_a_person_is_in_the_group_of_the_nearest_anchor(method: str) -> None:
    points = cloud([150, 150], [(0, 0), (3, 1)], seed=5)
    found = clusters.group(points, method=method)
    nearest = ((points[:, None] - found.anchors[None]) ** 2).sum(axis=2).argmin(axis=1)
    assert found.anchor_group[nearest].tolist() == found.labels.tolist()


@pytest.mark.parametrize("method", ["grid", "polis"])
@pytest.mark.parametrize("count", [1, 2, 3, 5, 12])
def test_few_people(method: str, count: int) -> None:
    points = np.random.default_rng(count).normal(size=(count, 2))
    found = clusters.group(points, method=method)
    assert len(found.labels) == count
    assert set(found.labels.tolist()) == set(range(int(found.labels.max()) + 1))
    assert found.labels.max() < max(1, count)


@pytest.mark.parametrize("method", ["grid", "polis"])
def test_everybody_in_one_place_is_one_group(method: str) -> None:
    found = clusters.group(np.full((40, 2), 0.3), method=method)
    assert found.labels.tolist() == [0] * 40
    assert found.silhouette == 0


@pytest.mark.parametrize("method", ["grid", "polis"])
def test_everybody_on_a_line(method: str) -> None:
    points = np.array([[float(i % 2), 0.0] for i in range(50)])
    found = clusters.group(points, method=method)
    assert same_partition(found.labels, [i % 2 for i in range(50)]) == 1


def test_nobody() -> None:
    found = clusters.group(np.zeros((0, 2)), method="grid")
    assert len(found.labels) == len(found.anchors) == 0


def test_another_method_is_refused() -> None:
    with pytest.raises(ValueError, match="'grid' or 'polis'"):
        clusters.group(np.zeros((1, 2)), method="dbscan")
