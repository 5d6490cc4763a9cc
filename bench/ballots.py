"""Durable ballots a second, beside the floor of the same server measured in the same run.

The floor is uvicorn answering 200 to the same requests from the smallest ASGI application: no ticket, no room, no disk.
Ours checks the ticket, validates the batch, applies it, and answers after the group commit that holds it is on the disk
(fdatasync). Both run in a process of their own; the load comes from this one, over keep-alive connections on loopback.

    python bench/ballots.py [--seconds 4] [--connections 256] [--rounds 3]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from tests.live.raw import Broken, RawClient  # noqa: E402
from tests.live.rooms import make_spec  # noqa: E402

from essaim.live import hub as hubs  # noqa: E402
from essaim.live.plan import PhaseWindow, Plan  # noqa: E402
from essaim.live.spec import Seed  # noqa: E402

VOTES = 5
STATEMENTS = 500
FLOOR = """
import sys, uvicorn
async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    headers = [(b"content-type", b"application/json"), (b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"{}"})
uvicorn.run(app, port=int(sys.argv[1]), log_level="error", access_log=False)
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def ready(port: int) -> None:
    for _attempt in range(200):
        try:
            _reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
    raise RuntimeError("the server did not start")


async def load(port: int, seconds: float, connections: int, room: str | None) -> tuple[float, list[float]]:
    """Send batches as fast as they are answered; return batches a second and the times to answer in ms."""
    clients = [RawClient(port) for _connection in range(connections)]
    tickets: list[str | None] = [None] * connections
    if room:
        for who, client in enumerate(clients):
            status, joined = await client.post(f"/live/{room}/join", {"lang": "fr"})
            assert status == 201, joined
            tickets[who] = joined["ticket"]
    until = time.monotonic() + seconds
    taken: list[float] = []

    async def one(who: int) -> None:
        seq = 0
        while time.monotonic() < until:
            seq += 1
            first = (seq * VOTES) % STATEMENTS
            votes = [[(first + n) % STATEMENTS, 1 - (seq + n) % 3] for n in range(VOTES)]
            begun = time.perf_counter()
            try:
                status, answer = await clients[who].post(
                    f"/live/{room or 'floor'}/batch", {"seq": seq, "votes": votes}, tickets[who] or "x" * 32
                )
            except Broken:
                continue
            assert status == 200, answer
            taken.append((time.perf_counter() - begun) * 1000)

    begun = time.monotonic()
    await asyncio.gather(*(one(who) for who in range(connections)))
    spent = time.monotonic() - begun
    for client in clients:
        client.close()
    return len(taken) / spent, taken


def measure(command: list[str], port: int, run: Callable[[], Any]) -> Any:
    environ = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
    child = subprocess.Popen(command, env=environ)
    try:
        asyncio.run(ready(port))
        return asyncio.run(run())
    finally:
        child.terminate()
        child.wait(15)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--connections", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(
        f"{options.connections} connections, {VOTES} votes a batch, {options.seconds:g} s a round, loopback"
    )
    print(f"{'':10}{'batches/s':>12}{'votes/s':>12}{'p50 ms':>10}{'p99 ms':>10}{'of floor':>10}")
    ratios = []
    for _round in range(options.rounds):
        floor_port = free_port()
        floor, floor_times = measure(
            [sys.executable, "-c", FLOOR, str(floor_port)],
            floor_port,
            lambda port=floor_port: load(port, options.seconds, options.connections, None),  # type: ignore[misc]
        )
        with tempfile.TemporaryDirectory() as data:
            now = int(time.time() * 1000)
            plan = Plan(1, (PhaseWindow("compare", 60, now - 1000, now + 3_600_000),))
            spec = make_spec(plan=plan, seeds=tuple(Seed(n, f"Statement {n}") for n in range(STATEMENTS)))
            hubs.publish(data, spec)
            port = free_port()
            ours, our_times = measure(
                [sys.executable, "-m", "essaim.live.serve", data, "--port", str(port), "--wide"],
                port,
                lambda port=port, room=spec.room: load(port, options.seconds, options.connections, room),  # type: ignore[misc]
            )
        ratios.append(ours / floor)
        for name, rate, times in (("floor", floor, floor_times), ("essaim", ours, our_times)):
            p50, p99 = statistics.median(times), statistics.quantiles(times, n=100)[98]
            share = f"{ours / floor:.2f}" if name == "essaim" else ""
            print(f"{name:10}{rate:12,.0f}{rate * VOTES:12,.0f}{p50:10.1f}{p99:10.1f}{share:>10}")
    print(f"median share of the floor: {statistics.median(ratios):.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
