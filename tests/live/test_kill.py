"""kill -9 at random moments under load: nothing acknowledged is lost, nothing is counted twice.

ESSAIM_TEST_KILLS=20 runs the long form.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from essaim.live import hub as hubs
from essaim.live.plan import PhaseWindow, Plan
from essaim.live.reader import read_room
from essaim.live.spec import Seed
from tests.live.raw import Broken, RawClient
from tests.live.rooms import MINUTE, make_spec
from tests.live.served import ROOM

KILLS = int(os.environ.get("ESSAIM_TEST_KILLS", "3"))
CLIENTS = 60
STATEMENTS = 300
SOURCE = Path(__file__).resolve().parents[2] / "src"


class Server:
    """The live path in a process of its own."""

    def __init__(self, data: Path) -> None:
        self.data = data
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; clients find it by trying again."""
        command = [
            sys.executable,
            "-m",
            "essaim.live.serve",
            str(self.data),
            "--port",
            str(self.port),
            "--wide",
        ]
        path = os.pathsep.join(filter(None, [str(SOURCE), os.environ.get("PYTHONPATH")]))
        self.process = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": path})

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """Stop it gracefully and give its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(15)


@dataclass
class Ledger:
    """What one client was told to be kept, and what it sent without knowing."""

    participant: int
    votes: dict[int, int] = field(default_factory=dict)
    ratings: dict[tuple[int, str], int] = field(default_factory=dict)
    ideas: dict[str, str] = field(default_factory=dict)
    unsure: dict[str, Any] | None = None
    batches: int = 0
    retries: int = 0


async def post(
    client: RawClient, path: str, document: object, ticket: str | None, stop: asyncio.Event
) -> object:
    """Post until it is acknowledged, with the same bytes; None when the load ended before that."""
    tries = 0
    while not stop.is_set():
        try:
            status, answer = await client.post(f"{ROOM}/{path}", document, ticket)
        except Broken:
            status, answer = 0, None
        if status in (200, 201):
            return answer, tries
        assert status in (0, 503), (status, answer)
        tries += 1
        await asyncio.sleep(random.uniform(0.01, 0.08))
    return None


async def phone(
    port: int, number: int, stop: asyncio.Event, ledgers: list[Ledger], joined: list[int]
) -> None:
    """One participant: batches of votes, ratings and ideas, each sent again until acknowledged."""
    dice = random.Random(number)
    client = RawClient(port)
    first = await post(client, "join", {}, None, stop)
    if first is None:
        return
    answer, _ = first
    joined.append(answer["participant"])
    ledger = Ledger(answer["participant"])
    ledgers.append(ledger)
    for seq in range(1, 10**6):
        votes = [[dice.randrange(STATEMENTS), dice.choice((1, 0, -1))] for _ in range(5)]
        votes = [list(pair) for pair in dict(votes).items()]
        batch: dict[str, Any] = {"seq": seq, "votes": votes}
        if seq % 7 == 0:
            batch["ideas"] = [
                {"id": f"idea-{number}-{seq}", "item": 2, "kind": "idea", "text": f"{number} {seq}"}
            ]
        if seq % 5 == 0:
            batch["ratings"] = [[2, "maturity", dice.randint(1, 5)]]
        ledger.unsure = batch
        done = await post(client, "batch", json.dumps(batch).encode(), answer["ticket"], stop)
        if done is None:
            break
        (_, tries) = done
        ledger.batches += 1
        ledger.retries += tries
        ledger.votes.update((s, v) for s, v in votes)
        ledger.ratings.update({(i, s): v for i, s, v in batch.get("ratings", [])})
        ledger.ideas.update({one["id"]: one["text"] for one in batch.get("ideas", [])})
        ledger.unsure = None
    client.close()


async def load(server: Server, kills: int) -> tuple[list[Ledger], list[int]]:
    stop, ledgers, joined = asyncio.Event(), [], []
    phones = [asyncio.create_task(phone(server.port, n, stop, ledgers, joined)) for n in range(CLIENTS)]
    dice = random.Random()
    for _ in range(kills):
        served = sum(ledger.batches for ledger in ledgers)
        while sum(ledger.batches for ledger in ledgers) <= served + CLIENTS:
            await asyncio.sleep(0.02)
        await asyncio.sleep(dice.uniform(0, 0.4))
        await asyncio.to_thread(server.kill)
        server.start()
    served = sum(ledger.batches for ledger in ledgers)
    while sum(ledger.batches for ledger in ledgers) <= served + 2 * CLIENTS:
        await asyncio.sleep(0.02)
    stop.set()
    await asyncio.gather(*phones)
    return ledgers, joined


def test_kill_nine(tmp_path: Path) -> None:
    begun = hubs.clock() - MINUTE
    # Two phases open at once: every kind of entry is under load all the time.
    plan = Plan(1, (PhaseWindow("draft", 0, begun), PhaseWindow("compare", 0, begun)))
    hubs.publish(tmp_path, make_spec(plan, seeds=tuple(Seed(n, f"s{n}") for n in range(STATEMENTS))))
    server = Server(tmp_path)
    server.start()
    started = time.monotonic()
    try:
        ledgers, joined = asyncio.run(load(server, KILLS))
        assert server.stop() in (0, -signal.SIGTERM)  # uvicorn ends as it was asked to, after a clean close
    finally:
        if server.process is not None and server.process.poll() is None:
            server.kill()
    took = time.monotonic() - started
    lost, doubled, acknowledged = compared(tmp_path, ledgers)
    batches, retries = sum(one.batches for one in ledgers), sum(one.retries for one in ledgers)
    print(
        f"\n{KILLS} kills, {len(ledgers)} clients, {batches} batches ({retries} retries), {acknowledged} "
        f"acknowledged entries in {took:.1f} s: lost {len(lost)}, doubled {len(doubled)}"
    )
    assert len(set(joined)) == len(joined) == CLIENTS, "two people were given one number"
    assert retries > 0
    assert (lost[:5], doubled[:5]) == ([], [])


def compared(data: Path, ledgers: list[Ledger]) -> tuple[list[object], list[object], int]:
    """Compare what was acknowledged with the room rebuilt from its journal."""
    room = read_room(data, "room-1")
    lost: list[object] = []
    doubled: list[object] = []
    acknowledged = 0
    tallies: dict[int, list[int]] = {n: [0, 0, 0] for n in range(STATEMENTS)}
    for ledger in ledgers:
        unsure = ledger.unsure or {}
        maybe_votes = dict(unsure.get("votes", []))
        maybe_ratings = {(i, s): v for i, s, v in unsure.get("ratings", [])}
        maybe_ideas = {one["id"] for one in unsure.get("ideas", [])}
        votes, ratings = room.votes_of(ledger.participant), room.ratings_of(ledger.participant)
        ideas = [room.statements.contributions[row.id].idea for row in room.mine(ledger.participant)]
        acknowledged += len(ledger.votes) + len(ledger.ratings) + len(ledger.ideas)
        lost += [
            (ledger.participant, s, v, votes.get(s))
            for s, v in ledger.votes.items()
            if votes.get(s) != v and not (s in maybe_votes and votes.get(s) == maybe_votes[s])
        ]
        lost += [
            (ledger.participant, pair, v)
            for pair, v in ledger.ratings.items()
            if ratings.get(pair) != v and ratings.get(pair) != maybe_ratings.get(pair)
        ]
        kept = [one.mark for one in ideas]
        lost += [(ledger.participant, mark) for mark in ledger.ideas if mark not in kept]
        doubled += [(ledger.participant, mark) for mark in set(kept) if kept.count(mark) > 1]
        doubled += [
            (ledger.participant, mark)
            for mark in kept
            if mark not in ledger.ideas and mark not in maybe_ideas
        ]
        doubled += [(ledger.participant, s) for s in votes if s not in ledger.votes and s not in maybe_votes]
        for statement, value in votes.items():
            tallies[statement][(1, -1, 0).index(value)] += 1
    known = {ledger.participant for ledger in ledgers}
    strangers = [p for p in range(room.next_participant) if p not in known and room.votes_of(p)]
    doubled += strangers
    for number, (agrees, disagrees, passes) in tallies.items():
        row = room.statement(number)
        if (row.agrees, row.disagrees, row.passes) != (agrees, disagrees, passes):
            doubled.append(("tally", number, row))
    return lost, doubled, acknowledged
