"""How long people wait when a worker is killed, and when all workers are replaced, under load.

python bench/live_restart.py [--workers 2] [--people 300] [--kills 5]

`essaim live` takes batches from paced participants (4 a second each, over keep-alive connections). A worker is killed
(kill -9) several times, then all are replaced (SIGHUP). A gap is what one participant saw: from the moment their
connection broke, or their batch was sent, to its acknowledgement. At the end every acknowledged batch is looked for.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from tests.live.raw import Broken, RawClient  # noqa: E402
from tests.live.rooms import MINUTE, make_spec  # noqa: E402

from essaim.live import hub as hubs  # noqa: E402
from essaim.live.plan import PhaseWindow, Plan  # noqa: E402
from essaim.live.reader import read_room  # noqa: E402
from essaim.live.spec import Seed  # noqa: E402
from essaim.live.store import open_store  # noqa: E402

STATEMENTS = 200
PACE_S = 0.25


@dataclass
class Seen:
    """What the participants saw."""

    waits: list[tuple[float, float, bool]] = field(default_factory=list)  # when, seconds, connection broke
    refused: int = 0
    other: dict[int, int] = field(default_factory=dict)
    votes: dict[int, dict[int, int]] = field(default_factory=dict)


async def until_taken(client: RawClient, path: str, body: object, ticket: str | None, seen: Seen) -> dict:
    """Send until it is acknowledged, the same bytes each time."""
    asked, broke = time.monotonic(), False
    while True:
        try:
            status, answer = await client.post(f"/live/room-1/{path}", body, ticket)
        except Broken as error:
            broke = True
            seen.refused += isinstance(error.__cause__, ConnectionRefusedError)
            continue
        if status in (200, 201):
            seen.waits.append((time.monotonic(), time.monotonic() - asked, broke))
            return answer
        seen.other[status] = seen.other.get(status, 0) + 1
        await asyncio.sleep(0.05)


async def person(port: int, number: int, seen: Seen, stop: asyncio.Event) -> None:
    dice, client = random.Random(number), RawClient(port)
    await asyncio.sleep(dice.random() * 2)
    me = await until_taken(client, "join", {}, None, seen)
    votes = seen.votes[me["participant"]] = {}
    seq = 0
    while not stop.is_set():
        await asyncio.sleep(dice.uniform(0.5, 1.5) * PACE_S)
        seq += 1
        statement, vote = dice.randrange(STATEMENTS), dice.choice((1, 0, -1))
        await until_taken(client, "batch", {"seq": seq, "votes": [[statement, vote]]}, me["ticket"], seen)
        votes[statement] = vote
    client.close()


def processes(parent: int) -> list[int]:
    """The children of the supervisor, in the order of their start."""
    return sorted(map(int, Path(f"/proc/{parent}/task/{parent}/children").read_text().split()))


async def run(port: int, parent: int, options: argparse.Namespace) -> None:
    seen, stop = Seen(), asyncio.Event()
    people = [asyncio.create_task(person(port, n, seen, stop)) for n in range(options.people)]
    await asyncio.sleep(4)
    quiet = sorted(wait for at, wait, _ in seen.waits)
    rate = sum(at > time.monotonic() - 1 for at, _, _ in seen.waits)
    print(f"{options.people} people, {rate} batches/s; wait p50 {quiet[len(quiet) // 2] * 1000:.0f} ms")
    for number in range(options.kills):
        workers = processes(parent)
        seen.waits.clear()
        victim = random.choice([one for one in workers if one != options.ranker])
        os.kill(victim, signal.SIGKILL)
        await asyncio.sleep(3)
        report(f"kill -9 of a worker, {number + 1}", seen)
    seen.waits.clear()
    os.kill(parent, signal.SIGHUP)
    await asyncio.sleep(6)
    report("all replaced (SIGHUP)", seen)
    stop.set()
    await asyncio.gather(*people)
    print(f"connections refused: {seen.refused}; other answers: {seen.other or 'none'}")
    options.seen = seen


def report(what: str, seen: Seen) -> None:
    broken = sorted(wait for _, wait, broke in seen.waits if broke)
    longest = max(wait for _, wait, _ in seen.waits)
    middle = f"{broken[len(broken) // 2] * 1000:.0f} ms" if broken else "-"
    print(
        f"{what:26} broken {len(broken):4}, their gap p50 {middle:>7}; longest wait of all {longest * 1000:.0f} ms"
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--people", type=int, default=300)
    parser.add_argument("--kills", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        begun = hubs.clock() - MINUTE
        plan = Plan(1, (PhaseWindow("compare", 0, begun),))
        hubs.publish(folder, make_spec(plan, seeds=tuple(Seed(n, f"s{n}") for n in range(STATEMENTS))))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        environ = os.environ | {"PYTHONPATH": str(ROOT / "src"), "ESSAIM_DATA_DIR": folder}
        command = [
            sys.executable,
            "-m",
            "essaim.cli",
            "live",
            f"--port={port}",
            f"--workers={options.workers}",
        ]
        server = subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True)
        try:
            assert server.stderr is not None
            server.stderr.readline()  # the address: all workers are at work
            options.ranker = processes(server.pid)[options.workers]
            asyncio.run(run(port, server.pid, options))
        finally:
            server.terminate()
            log = server.stderr.read() if server.stderr else ""
            server.wait(30)
        print("\n".join(line for line in log.splitlines() if line) or "(nothing in the log)")
        room = read_room(open_store(folder), "room-1")
        lost = sum(
            room.votes_of(participant).get(statement) != vote
            for participant, votes in options.seen.votes.items()
            for statement, vote in votes.items()
        )
        kept = sum(map(len, options.seen.votes.values()))
        print(f"{kept} acknowledged votes stand, {lost} lost")
    return int(lost > 0)


if __name__ == "__main__":
    sys.exit(main())
