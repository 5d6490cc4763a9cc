"""What simulated people think: groups that agree among themselves, so that the opinion map has something to find."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final

DRAWS: Final = 64
PASSES: Final = 6
"""How many of the draws are passes: 9 %, whatever the statement."""

Lean = Callable[[int, int, str], float]
"""Gives the share of agreement (0 to 1) of a kind of person on a statement (its id and text)."""


def planted(groups: int = 3) -> Lean:
    """Make groups that lean for or against each statement, always the same ones."""

    def lean(kind: int, statement: int, _text: str) -> float:
        digest = blake2b(b"%d %d" % (kind % groups, statement), digest_size=1).digest()[0]
        return 0.12 + 0.76 * digest / 255

    return lean


class Opinions:
    """A vote for each kind of person and statement, drawn from 64 prepared ones."""

    def __init__(self, kinds: Sequence[int], lean: Lean, seed: int = 7) -> None:
        """`kinds`: the kind of each participant, counted from 0."""
        self.kinds = kinds
        self.minds: list[dict[bytes, tuple[bytes, ...]]] = [{} for _ in range(max(kinds, default=0) + 1)]
        """Per kind: the digits of a statement's id → 64 entries `[id,vote],` to draw from."""
        self._lean = lean
        self._dice = random.Random(seed)  # noqa: S311 (simulated people)

    def learn(self, statements: Iterable[Mapping[str, Any]]) -> None:
        """Make up everybody's mind on the statements of an answer."""
        for one in statements:
            number = int(one["id"])
            entries = [b"[%d,%d]," % (number, vote) for vote in (1, -1, 0)]
            for kind, mind in enumerate(self.minds):
                share = min(1.0, max(0.0, self._lean(kind, number, one["text"])))
                agrees = round((DRAWS - PASSES) * share)
                times = (agrees, DRAWS - PASSES - agrees, PASSES)
                draws = [entry for entry, n in zip(entries, times, strict=True) for _ in range(n)]
                self._dice.shuffle(draws)
                mind[b"%d" % number] = tuple(draws)
