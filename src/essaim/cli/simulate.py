"""Simulated participants with planted opinion groups: the demo's crowd. Deterministic under its seed."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np

from essaim.cli.altura import GROUP_SHARES, Leans

PASS_SHARE = 0.09


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


def answer(person: Person, leans: Leans, rng: np.random.Generator) -> int:
    """Return +1, -1 or 0 (pass): a logistic choice around the lean of the person's group."""
    if rng.random() < PASS_SHARE:
        return 0
    return 1 if rng.random() < 1 / (1 + np.exp(-(leans[person.group] + person.bias))) else -1


async def crowd(
    *, base: str, room: str, leans: dict[str, Leans], count: int, minutes: float, seed: int
) -> None:
    """Let `count` people join over `minutes` and vote at a human pace, through the same doors as a phone.

    A statement that the demo does not know (written by whoever watches) gets leans near zero. Ends when everybody has left,
    or when the session closes.
    """
    rng = np.random.default_rng(seed)
    crowd_ = people(count, rng)
    limits = httpx.Limits(max_connections=64, max_keepalive_connections=64)
    over = asyncio.Event()
    watch = asyncio.create_task(_until_orphaned(over))
    async with httpx.AsyncClient(base_url=f"{base}/live/{room}", limits=limits, timeout=20) as client:
        tasks = []
        for person in crowd_:
            tasks.append(
                asyncio.create_task(
                    _one(client, person, leans, np.random.default_rng(rng.integers(2**32)), over)
                )
            )
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), rng.exponential(minutes * 60 / count))
            if over.is_set():
                break
        await asyncio.gather(*tasks, return_exceptions=True)
    watch.cancel()


async def _until_orphaned(over: asyncio.Event) -> None:
    """End the crowd when the server that started it is gone, however it went."""
    parent = os.getppid()
    while os.getppid() == parent:
        await asyncio.sleep(1)
    over.set()


async def _one(
    client: httpx.AsyncClient,
    person: Person,
    leans: dict[str, Leans],
    rng: np.random.Generator,
    over: asyncio.Event,
) -> None:
    """One simulated participant: joins, then answers one or two statements every few seconds."""
    joined = await _post(client, "/join", {"lang": "fr", "unit": None}, None, over, rng)
    if joined is None:
        return
    ticket, waiting = joined["ticket"], joined["next"]
    answered = seq = 0
    while waiting and answered < person.patience and not over.is_set():
        await asyncio.sleep(rng.gamma(4.0, 2.0))
        taken = waiting[: int(rng.integers(1, 4))]
        votes = [[one["id"], answer(person, leans.get(one["text"], (0.3, 0.0, -0.3)), rng)] for one in taken]
        seq += 1
        reply = await _post(client, "/batch", {"seq": seq, "votes": votes}, ticket, over, rng)
        if reply is None:
            return
        answered += len(votes)
        waiting = reply["next"]


async def _post(
    client: httpx.AsyncClient,
    path: str,
    body: dict[str, object],
    ticket: str | None,
    over: asyncio.Event,
    rng: np.random.Generator,
) -> dict[str, Any] | None:
    """Post until it is taken; None when the session is over or this person should give up."""
    headers = {"Authorization": f"Bearer {ticket}"} if ticket else {}
    for attempt in range(200):
        if over.is_set():
            return None
        with contextlib.suppress(httpx.TransportError):
            answer_ = await client.post(path, json=body, headers=headers)
            if answer_.status_code < 300:
                return dict(answer_.json())
            code = answer_.json().get("code", "")
            if code in ("closed", "frozen", "unknown-room"):
                over.set()
                return None
            if answer_.status_code in (400, 401, 403, 404, 413, 415):
                return None
        await asyncio.sleep(min(8.0, 0.5 * 2 ** min(attempt, 5)) * rng.random() + 0.2)
    return None


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
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(
            crowd(
                base=options.base,
                room=options.room,
                leans=leans,
                count=options.people,
                minutes=options.minutes,
                seed=options.seed,
            )
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
