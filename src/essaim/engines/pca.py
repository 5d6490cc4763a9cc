"""The two axes of an opinion map, without ever building the filled matrix.

Filling holes with the column mean and then centring is the same as keeping v_ij - m_j where a vote exists and
0 elsewhere. That matrix X is as sparse as the votes, and the axes are the leading eigenvectors of X'X, found
here by block Krylov iteration with Rayleigh-Ritz (Halko, Martinsson, Tropp, SIAM Review 53, 2011, section
4.5; Musco and Musco, NIPS 2015), which is exact once the subspace holds every statement.

Products with X are scipy's sequential loops and the small dense ones go through einsum rather than BLAS, so
the bits do not depend on how many threads there are.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

Floats = npt.NDArray[np.float64]

BLOCK = 4  # directions grown together: two wanted, two of margin against close eigenvalues
DEPTH = 6  # blocks in a subspace before it is compressed
ROUNDS = 40
TOLERANCE = 1e-7  # relative residual; the angle to the true axis is of its order over the spectral gap
SEED = 20_150_630


@dataclass(frozen=True, eq=False)
class Axes:
    """components: (2, C) unit rows (a row of zeros where the votes have no such direction).
    variance: (2,) share of the total variance each axis carries, 0..1."""

    components: Floats
    variance: Floats


def principal_axes(centred: csr_array[Any], *, block: int = BLOCK, depth: int = DEPTH) -> Axes:
    """The two leading principal axes of a centred sparse matrix (P, C), with a fixed sign.

    Deterministic: fixed start, no random state. The sign makes the sum of cubed loadings positive, which does
    not depend on how statements are numbered.
    """
    columns = centred.shape[1]
    components, variance = np.zeros((2, columns)), np.zeros(2)
    total = float(np.einsum("i,i->", centred.data, centred.data))
    active = np.flatnonzero(np.bincount(centred.indices, weights=np.abs(centred.data), minlength=columns))
    if total <= 1e-18 or not len(active):
        return Axes(components, variance)
    across = centred.T.tocsr()  # rows of statements: both products then read memory in order
    values, vectors = _leading(centred, across, active, block, depth)
    for axis in range(min(2, len(values))):
        if values[axis] > 1e-12 * total:
            components[axis] = vectors[:, axis] * _sign(vectors[:, axis])
            variance[axis] = values[axis] / total
    return Axes(components, variance)


def _leading(
    x: csr_array[Any], xt: csr_array[Any], active: npt.NDArray[np.int64], block: int, depth: int
) -> tuple[Floats, Floats]:
    """Eigenvalues (descending) and eigenvectors (C, b) of X'X, the first two converged."""
    columns = x.shape[1]
    start = np.zeros((columns, min(block, len(active))))
    start[active] = np.random.Generator(np.random.PCG64(SEED)).random((len(active), start.shape[1])) - 0.5
    basis = _orthonormal(start, None)
    for _ in range(ROUNDS):
        space, images, grown = basis, np.zeros((columns, 0)), basis
        for step in range(depth):
            image = xt @ (x @ grown)
            images = np.concatenate([images, image], axis=1)
            if step + 1 == depth or space.shape[1] >= len(active):
                break
            grown = _orthonormal(image, space)
            if not grown.shape[1]:
                break
            space = np.concatenate([space, grown], axis=1)
        small = np.einsum("ij,ik->jk", space, images)
        values, rotation = np.linalg.eigh((small + small.T) / 2)
        values, rotation = values[::-1], rotation[:, ::-1]
        kept = rotation[:, :block]
        basis = np.einsum("ij,jk->ik", space, kept)
        residual = np.einsum("ij,jk->ik", images, kept) - basis * values[:block]
        wanted = residual[:, :2]
        if float(np.sqrt(np.einsum("ij,ij->j", wanted, wanted)).max()) <= TOLERANCE * max(
            float(values[0]), 1e-300
        ):
            break
        basis = _orthonormal(basis, None)
    return values[:block], basis


def _orthonormal(block: Floats, against: Floats | None) -> Floats:
    """An orthonormal basis of the part of `block` outside `against`;

    Directions without substance are dropped.
    """
    for _ in range(2):  # twice is enough (Kahan)
        if against is not None:
            block = block - np.einsum("ij,jk->ik", against, np.einsum("ij,ik->jk", against, block))
        size, turn = np.linalg.eigh(np.einsum("ij,ik->jk", block, block))
        keep = size > 1e-22 * max(float(size[-1]), 1e-300) if len(size) else np.zeros(0, dtype=bool)
        block = np.einsum("ij,jk->ik", block, turn[:, keep] / np.sqrt(size[keep]))
    return block


def _sign(vector: Floats) -> float:
    cubes = float(np.einsum("i,i,i->", vector, vector, vector))
    if abs(cubes) > 1e-12:
        return 1.0 if cubes > 0 else -1.0
    return 1.0 if vector[int(np.argmax(np.abs(vector) > 0.5 * np.abs(vector).max()))] > 0 else -1.0
