"""Which statement next: drawn, not dealt, so that nobody's screen decides what everybody sees.

Nine draws in ten follow the weights (the priorities of the opinion map when there is one, else least seen
first); one in ten is uniform, kept as an unbiased sample. A deal draws a long row of statements at once; each
person walks along it from a place of their own, which moves with every answer they give: as good as drawing
for each, at a tenth of the cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from essaim.live.votes import CODE

UNIFORM_SHARE: Final = 0.1
_ROW: Final = 4096
_WALK: Final = 48
_ORDERS: Final = 64
_MASK: Final = 2**64 - 1


class Deck:
    """The statements on offer (by number) with their weights; dealt again when they move."""

    def __init__(self, seed: int) -> None:
        self._seed = seed & _MASK
        self._numbers: list[int] = []
        self._weights = np.zeros(0)
        self._row: list[int] = []
        self._orders: list[list[int]] = []

    def deal(
        self, numbers: Sequence[int], seen: Sequence[int], priorities: Sequence[float] | None = None
    ) -> None:
        """Put `numbers` on offer. `seen`: votes on each; `priorities`: weights where the map knows them (else nan)."""
        self._numbers = list(numbers)
        weights = (1.0 + np.asarray(seen, dtype=np.float64)) ** -2.0
        if priorities is not None:
            known = np.asarray(priorities, dtype=np.float64)
            known = np.where(np.isfinite(known) & (known > 0), known, np.nan)
            if np.isfinite(known).any():
                # A statement the map does not know yet gets the attention of the best placed one.
                weights = np.where(np.isnan(known), np.nanmax(known), known)
        self._weights = weights
        self._orders = []
        if not self._numbers:
            self._row = []
            return
        dice = np.random.default_rng(
            self._seed
        )  # the same dice at each deal: what moves is what the weights move
        places = np.searchsorted(np.cumsum(weights), dice.random(_ROW) * weights.sum(), side="right")
        uniform = dice.random(_ROW) < UNIFORM_SHARE
        places[uniform] = dice.integers(0, len(self._numbers), int(uniform.sum()))
        row = np.asarray(self._numbers)[np.minimum(places, len(self._numbers) - 1)].tolist()
        self._row = row + row[:_WALK]  # a walk that begins near the end goes on at the beginning

    def __len__(self) -> int:
        return len(self._numbers)

    def draw(self, participant: int, n: int, hand: dict[int, int], own: frozenset[int]) -> list[int]:
        """Draw up to `n` distinct statements not in `hand` (entries of `votes`; those taken back count as
        unanswered) nor in `own`."""
        if not self._row:
            return []
        start = (participant * 0x9E3779B1 + len(hand) * 0x85EBCA77 + 0x165667B1) % _ROW
        drawn: list[int] = []
        answer_to = hand.get
        for one in self._row[start : start + _WALK]:
            if not answer_to(one, 0) & CODE and one not in drawn and one not in own:
                drawn.append(one)
                if len(drawn) == n:
                    return drawn
        # Most of the deck is answered (or weighs little): walk along one of the whole orders.
        if not self._orders:
            self._orders = self._ordered()
        for one in self._orders[start % len(self._orders)]:
            if not hand.get(one, 0) & CODE and one not in own and one not in drawn:
                drawn.append(one)
                if len(drawn) == n:
                    break
        return drawn

    def _ordered(self) -> list[list[int]]:
        """Draw whole orders of the deck without putting back, by the weights mixed with the uniform share."""
        count = len(self._numbers)
        mixed = (1 - UNIFORM_SHARE) * self._weights / self._weights.sum() + UNIFORM_SHARE / count
        dice = np.random.default_rng((self._seed, 1))
        keys = dice.exponential(size=(max(4, min(_ORDERS, _ROW * 16 // count)), count)) / mixed
        orders: list[list[int]] = np.asarray(self._numbers)[np.argsort(keys, axis=1)].tolist()
        return orders
