"""Which statement next: drawn, not dealt, so that nobody's screen decides what everybody sees.

Nine draws in ten follow the weights (the priorities of the opinion map when there is one, else least seen
first); one in ten is uniform, kept as an unbiased sample. Draws depend on the seed, the participant and what
they answered so far, so a reload shows the same statement and a test can repeat them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Final

import numpy as np

UNIFORM_SHARE: Final = 0.1
_TRIES: Final = 8
_MASK: Final = 2**64 - 1


class Deck:
    """The statements on offer with their weights; rebuilt when they move, drawn from for each answer."""

    def __init__(self, seed: int) -> None:
        self._seed = seed & _MASK
        self._ids: list[int] = []
        self._weights: list[float] = []
        self._steps: list[float] = []

    def deal(
        self, ids: Sequence[int], seen: Sequence[int], priorities: dict[int, float] | None = None
    ) -> None:
        """Put `ids` on offer. `seen`: votes on each; `priorities`: weights where the map knows them."""
        self._ids = list(ids)
        counts = np.asarray(seen, dtype=np.float64)
        weights = (1.0 + counts) ** -2.0
        if priorities:
            known = np.array([priorities.get(one, np.nan) for one in ids], dtype=np.float64)
            known = np.where(np.isfinite(known) & (known > 0), known, np.nan)
            if np.isfinite(known).any():
                # A statement the map does not know yet gets the attention of the best placed one.
                weights = np.where(np.isnan(known), np.nanmax(known), known)
        self._weights = weights.tolist()
        self._steps = np.cumsum(weights).tolist()

    def __len__(self) -> int:
        return len(self._ids)

    def draw(self, participant: int, turn: int, n: int, refused: Callable[[int], bool]) -> list[int]:
        """Draw up to `n` distinct statements that `refused` does not refuse; `turn`: answers given so far."""
        if not self._ids:
            return []
        noise = _Noise(self._seed ^ (participant * 0x9E3779B97F4A7C15) ^ (turn * 0xC2B2AE3D27D4EB4F))
        drawn: list[int] = []
        total, count = self._steps[-1], len(self._ids)
        for _ in range(_TRIES * n):
            if noise.next() < UNIFORM_SHARE:
                place = int(noise.next() * count)
            else:
                place = bisect_right(self._steps, noise.next() * total)
            one = self._ids[min(place, count - 1)]
            if one not in drawn and not refused(one):
                drawn.append(one)
                if len(drawn) == n:
                    return drawn
        # Most of the deck is answered: draw from what is left, by the same weights.
        left = [
            (one, weight)
            for one, weight in zip(self._ids, self._weights, strict=True)
            if one not in drawn and not refused(one)
        ]
        while left and len(drawn) < n:
            steps = list(accumulate(weight for _, weight in left))
            if noise.next() < UNIFORM_SHARE:
                place = int(noise.next() * len(left))
            else:
                place = bisect_right(steps, noise.next() * steps[-1])
            drawn.append(left.pop(min(place, len(left) - 1))[0])
        return drawn


class _Noise:
    """splitmix64: seeding costs nothing, where random.Random takes microseconds."""

    def __init__(self, seed: int) -> None:
        self._state = seed & _MASK

    def next(self) -> float:
        """Give the next number in [0, 1)."""
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        mixed = self._state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
        return ((mixed ^ (mixed >> 31)) >> 11) * 2.0**-53
