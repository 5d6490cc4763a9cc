"""`essaim live --workers 2` under load: a worker killed, all workers replaced; no ballot lost, nobody refused."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from essaim.live import hub as hubs
from essaim.live.reader import read_room
from essaim.live.spec import Seed
from essaim.live.store import open_store
from tests.live.raw import Broken, RawClient
from tests.live.rooms import MINUTE, make_spec, running
from tests.live.served import ROOM

PEOPLE, STATEMENTS, PATIENCE_S = 40, 60, 30
SOURCE = Path(__file__).resolve().parents[2] / "src"


class Supervised:
    """The live path under its supervisor."""

    def __init__(self, data: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        environ = {name: value for name, value in os.environ.items() if not name.startswith("ESSAIM_")}
        environ |= {"PYTHONPATH": str(SOURCE), "ESSAIM_DATA_DIR": str(data)}
        words = ["live", f"--port={self.port}", "--workers=2"]
        self.process = subprocess.Popen([sys.executable, "-m", "essaim.cli", *words], env=environ)

    def starts(self) -> dict[str, int]:
        """How often each process was started, as /metrics says it."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=PATIENCE_S) as answer:
            lines = answer.read().decode().splitlines()
        found = [line for line in lines if line.startswith("essaim_starts_total")]
        return {line.split('"')[1]: int(line.split()[-1]) for line in found}

    async def until(self, **starts: int) -> None:
        """Wait until the processes were started that often."""
        end = time.monotonic() + PATIENCE_S
        while True:
            try:
                if (await asyncio.to_thread(self.starts)).items() >= starts.items():
                    return
            except OSError:
                pass  # not there yet, or it died while it answered
            assert time.monotonic() < end and self.process.poll() is None
            await asyncio.sleep(0.05)

    def children(self) -> list[int]:
        pid = self.process.pid
        return sorted(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Supervised]:
    spec = make_spec(
        running(now=hubs.clock() - MINUTE), seeds=tuple(Seed(n, f"s{n}") for n in range(STATEMENTS))
    )
    hubs.publish(tmp_path, spec)
    found = Supervised(tmp_path)
    yield found
    if found.process.poll() is None:
        found.process.kill()
        found.process.wait()


async def person(
    server: Supervised, stop: asyncio.Event, kept: dict[int, dict[int, int]], refused: list[int]
) -> None:
    client = RawClient(server.port)

    async def until_taken(path: str, body: object, ticket: str | None) -> dict:
        while True:
            try:
                status, answer = await client.post(f"{ROOM}/{path}", body, ticket)
            except Broken as error:
                if isinstance(error.__cause__, ConnectionRefusedError):
                    refused.append(1)
                await asyncio.sleep(0.01)
                continue
            if status in (200, 201):
                return answer
            assert status in (429, 503), answer
            await asyncio.sleep(0.1)

    me = await until_taken("join", {}, None)
    votes = kept[me["participant"]] = {}
    for seq in range(1, STATEMENTS):
        if stop.is_set():
            break
        await asyncio.sleep(0.1)
        vote = (1, -1, 0)[(seq + me["participant"]) % 3]
        await until_taken("batch", {"seq": seq, "votes": [[seq, vote]]}, me["ticket"])
        votes[seq] = vote
    client.close()


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")
def test_nothing_is_lost_and_nobody_refused(server: Supervised, tmp_path: Path) -> None:
    kept: dict[int, dict[int, int]] = {}
    refused: list[int] = []

    async def go() -> None:
        await server.until(**{"0": 1, "1": 1, "ranker": 1})
        worker, _, ranker = server.children()
        stop = asyncio.Event()
        people = [asyncio.create_task(person(server, stop, kept, refused)) for _ in range(PEOPLE)]
        await asyncio.sleep(1)
        os.kill(worker, signal.SIGKILL)
        await server.until(**{"0": 2, "1": 1})
        os.kill(ranker, signal.SIGKILL)
        await server.until(ranker=2)
        server.process.send_signal(signal.SIGHUP)
        await server.until(**{"0": 3, "1": 2, "ranker": 3})
        await asyncio.sleep(0.5)
        stop.set()
        await asyncio.gather(*people)

    asyncio.run(go())
    server.process.terminate()
    assert server.process.wait(PATIENCE_S) == 0
    assert refused == []
    room = read_room(open_store(tmp_path), "room-1")
    lost = [
        (participant, statement)
        for participant, votes in kept.items()
        for statement, vote in votes.items()
        if room.votes_of(participant).get(statement) != vote
    ]
    assert len(kept) == PEOPLE and sum(map(len, kept.values())) > PEOPLE
    assert lost == []
