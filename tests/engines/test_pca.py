"""The two axes against a dense decomposition of the filled matrix."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from essaim.engines.pca import principal_axes
from tests.engines.conftest import Conversation, dense, planted
from tests.engines.reference import filled_and_centred


def cosines(table: np.ndarray, axes: np.ndarray) -> list[float]:
    _, _, right = np.linalg.svd(table, full_matrices=False)
    return [abs(float(axes[i] @ right[i])) for i in range(2)]


def test_real_conversations_to_a_dense_reference(conversation: Conversation) -> None:
    matrix = conversation.final
    filled = filled_and_centred(dense(matrix), np.zeros(matrix.shape[1], dtype=bool))
    rows = matrix.rows()
    axes = principal_axes(matrix.with_values(filled[rows, matrix.indices]))
    assert min(cosines(filled, axes.components)) > 0.999999
    power = np.linalg.svd(filled, compute_uv=False) ** 2
    assert axes.variance == pytest.approx(power[:2] / power.sum(), rel=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 40), st.integers(2, 30), st.integers(0, 10**6))
def test_any_sparse_matrix(people: int, cards: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    table = np.where(random.random((people, cards)) < 0.5, random.normal(size=(people, cards)), 0)
    axes = principal_axes(csr_array(table))
    power = np.linalg.eigvalsh(table.T @ table)[::-1]
    # The variance along the axes is the largest there is, even when axes are not unique.
    kept = [float(np.sum((table @ c) ** 2)) for c in axes.components]
    assert kept == pytest.approx([power[0], power[1]], rel=1e-6, abs=1e-9 * power[0])
    if power[1] > 1e-9 * power[0]:
        assert axes.components @ axes.components.T == pytest.approx(np.eye(2), abs=1e-8)


def test_a_close_third_axis_does_not_disturb_the_second() -> None:
    random = np.random.default_rng(1)
    left, _ = np.linalg.qr(random.normal(size=(300, 40)))
    right, _ = np.linalg.qr(random.normal(size=(40, 40)))
    power = np.concatenate([[10.0, 5.0, 4.999], np.linspace(4.9, 1, 37)])
    table = left * power @ right.T
    assert min(cosines(table, principal_axes(csr_array(table)).components)) > 0.9999


def test_without_variance_there_is_no_axis() -> None:
    axes = principal_axes(csr_array((4, 3)))
    assert not axes.components.any()
    assert axes.variance.tolist() == [0, 0]


def test_one_direction_leaves_the_second_axis_empty() -> None:
    table = np.outer([1.0, -1, 2, -2], [1.0, 0, 2])
    axes = principal_axes(csr_array(table))
    assert axes.components[0] == pytest.approx(np.array([1, 0, 2]) / np.sqrt(5))
    assert not axes.components[1].any()
    assert axes.variance == pytest.approx([1, 0])


def test_the_sign_does_not_depend_on_how_statements_are_numbered() -> None:
    matrix, _ = planted(200, 30, seed=4)
    table = filled_and_centred(dense(matrix), np.zeros(30, dtype=bool))
    order = np.random.default_rng(0).permutation(30)
    one = principal_axes(csr_array(table)).components
    other = principal_axes(csr_array(table[:, order])).components
    assert other == pytest.approx(one[:, order], abs=1e-6)
