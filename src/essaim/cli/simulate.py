"""Simulated participants with planted opinion groups: the demo's crowd, sent by the same engine as `essaim crowd`."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from essaim.cli.altura import GROUP_SHARES, Leans
from essaim.live.crowd.engine import Crowd
from essaim.live.crowd.opinions import Lean, Opinions
from essaim.live.crowd.pace import Pace
from essaim.live.crowd.target import TargetError, find

PASS_SHARE = 0.09
UNKNOWN: Leans = (0.3, 0.0, -0.3)
"""What the groups think of a statement that the demo does not know: somebody who watches wrote it."""
BIASES = (-0.8, -0.4, 0.0, 0.4, 0.8)
"""The crowd's strictness in five kinds: what is drawn with a standard deviation of 0.5, rounded."""
CONNECTIONS = 64
DAY_MINUTES = 24 * 60.0


@dataclass(frozen=True)
class Person:
    """Somebody with a group and their own strictness."""

    group: int
    bias: float
    patience: int  # how many statements they answer before leaving


def people(count: int, rng: np.random.Generator, *, most: int = 40) -> list[Person]:
    """Return `count` people: a group by its share, a personal bias (sd 0.5), 8 to `most` answers."""
    groups = rng.choice(len(GROUP_SHARES), size=count, p=GROUP_SHARES)
    biases = rng.normal(0.0, 0.5, size=count)
    patience = 8 + rng.geometric(0.06, size=count)
    return [
        Person(int(g), float(b), int(min(n, most))) for g, b, n in zip(groups, biases, patience, strict=True)
    ]


def agreement(leans: Leans, group: int, bias: float) -> float:
    """Return the share of agreement among those who do not pass: logistic around the lean of the group."""
    return float(1 / (1 + np.exp(-(leans[group] + bias))))


def answer(person: Person, leans: Leans, rng: np.random.Generator) -> int:
    """Return +1, -1 or 0 (pass)."""
    if rng.random() < PASS_SHARE:
        return 0
    return 1 if rng.random() < agreement(leans, person.group, person.bias) else -1


def lean_of(leans: dict[str, Leans]) -> Lean:
    """Return what a kind of person (group × strictness) thinks of a statement, by its text."""

    def lean(kind: int, _statement: int, text: str) -> float:
        group, strictness = divmod(kind, len(BIASES))
        return agreement(leans.get(text, UNKNOWN), group, BIASES[strictness])

    return lean


def crowd(*, base: str, room: str, leans: dict[str, Leans], count: int, minutes: float, seed: int) -> None:
    """Let `count` people join over `minutes` and vote at a human pace, through the same doors as a phone.

    Ends when everybody has left, when the session closes, or when the process that started this one is gone.
    Raises TargetError.
    """
    crowd_ = people(count, np.random.default_rng(seed))
    kinds = [
        one.group * len(BIASES) + min(range(len(BIASES)), key=lambda n: abs(BIASES[n] - one.bias))
        for one in crowd_
    ]
    parent = os.getppid()
    pace = Pace(
        count,
        minutes=DAY_MINUTES,
        join_over=minutes * 60,
        every=8.0,
        jitter=0.6,
        ideas=0.0,
        patience=tuple(one.patience for one in crowd_),
    )
    Crowd(
        find(f"{base}/live/{room}", own=None),
        pace,
        connections=CONNECTIONS,
        opinions=Opinions(kinds, lean_of(leans), seed),
        stop=lambda: os.getppid() != parent,
    ).run()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the crowd of the demo's live session (a child process of `essaim demo`)."""
    from essaim.cli import altura

    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("base")
    parser.add_argument("room")
    parser.add_argument("--people", type=int, default=2400)
    parser.add_argument("--minutes", type=float, default=12)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args(arguments)
    leans = {line.text: line.leans for line in (*altura.SEEDS, *altura.VOICES)}
    try:
        with contextlib.suppress(KeyboardInterrupt):
            crowd(
                base=options.base,
                room=options.room,
                leans=leans,
                count=options.people,
                minutes=options.minutes,
                seed=options.seed,
            )
    except TargetError as error:
        print(f"essaim: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
