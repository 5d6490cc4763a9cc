"""Two machines for tests and benches: two `essaim live` on ports of their own, sharing PostgreSQL and Redis."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx

from essaim.live import hub as hubs
from essaim.live.plan import PhaseWindow, Plan
from essaim.live.reader import read_room, read_view
from essaim.live.spec import RoomSpec, Seed
from essaim.live.store import Store, open_store
from tests.live.rooms import MINUTE, make_spec
from tests.live.servers import free_port

ROOT = Path(__file__).resolve().parents[2]
ROOM = "/live/room-1"
STATEMENTS = 30


def open_spec(**changes: Any) -> RoomSpec:
    """A room where everything can be sent at once."""
    begun = hubs.clock() - MINUTE
    plan = Plan(1, (PhaseWindow("draft", 0, begun), PhaseWindow("compare", 0, begun)))
    return make_spec(plan, seeds=tuple(Seed(n, f"s{n}") for n in range(STATEMENTS)), **changes)


class Machine:
    """One `essaim live` with one worker and a ranker, in a process group of its own."""

    def __init__(self, folder: Path, number: int, *, store: str = "", redis: str = "") -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        folder.mkdir(parents=True, exist_ok=True)
        self._log = (folder / f"machine-{number}.log").open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "essaim.cli", "live"],
            env={
                **{name: value for name, value in os.environ.items() if not name.startswith("ESSAIM_")},
                "ESSAIM_DATA_DIR": str(folder),
                "ESSAIM_PORT": str(self.port),
                "ESSAIM_FIRST_WORKER": str(100 * number),
                **({"ESSAIM_LIVE_STORE": store} if store else {}),
                **({"ESSAIM_REDIS_URL": redis} if redis else {}),
                "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
            },
            cwd=ROOT,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )

    def wait(self) -> None:
        """Wait until it answers."""
        for _attempt in range(600):
            with contextlib.suppress(urllib.error.URLError, OSError):
                urllib.request.urlopen(f"{self.url}{ROOM}/state", timeout=5)
                return
            time.sleep(0.05)
        raise RuntimeError("the machine does not answer")

    def fail(self) -> None:
        """The machine is gone: kill -9 of all its processes at once."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._log.close()

    def stop(self) -> None:
        """Stop it as an operator does."""
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait(60)
        self._log.close()


@contextlib.contextmanager
def machine(folder: Path, number: int = 0, *, store: str = "", redis: str = "") -> Iterator[Machine]:
    """Start a machine and wait until it answers; it is gone in the end."""
    started = Machine(folder, number, store=store, redis=redis)
    try:
        started.wait()
        yield started
    finally:
        started.fail()


@contextlib.contextmanager
def two_machines(folder: Path, store: Store, redis: str) -> Iterator[tuple[Machine, Machine]]:
    """Start two machines on one store, the first of which holds the lease."""
    with machine(folder / "0", 0, store=store.address, redis=redis) as first:
        lease = store.lease()
        while lease.acquire() is not None:
            lease.release()
            time.sleep(1)
        with machine(folder / "1", 1, store=store.address, redis=redis) as second:
            yield first, second


def entries(people: int, *, seed: int = 4) -> list[tuple[int, dict[str, Any]]]:
    """Batches of votes, ratings and ideas of that many people, some of them twice, in a random order."""
    dice = random.Random(seed)
    sent: list[tuple[int, dict[str, Any]]] = []
    for person in range(people):
        camp = person % 2
        for seq in range(1, 6):
            votes = {dice.randrange(STATEMENTS): 0 for _ in range(5)}
            for number in votes:
                votes[number] = dice.choice((1, 1, 1, 0, -1)) * (1 if number % 2 == camp else -1)
            batch: dict[str, Any] = {"seq": seq, "votes": [list(pair) for pair in votes.items()]}
            if seq == 2:
                batch["ratings"] = [[2, "maturity", dice.randint(1, 5)]]
            if seq == 3 and person % 4 == 0:
                batch["ideas"] = [
                    {"id": f"idea-{person:06d}", "item": 2, "kind": "idea", "text": f"I{person}"}
                ]
            sent.append((person, batch))
    sent += dice.sample(sent, len(sent) // 4)
    dice.shuffle(sent)
    return sent


def play(urls: list[str], people: int) -> int:
    """Let everybody in at the first machine, send every batch to a random one; give how many were sent."""
    dice, sent = random.Random(9), entries(people)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(httpx.Client(base_url=url, timeout=30)) for url in urls]
        tickets = []
        for person in range(people):
            joined = clients[0].post(f"{ROOM}/join", json={}).json()
            assert joined["participant"] == person
            tickets.append(joined["ticket"])
        for person, batch in sent:
            headers = {"Authorization": f"Bearer {tickets[person]}"}
            for _attempt in range(20):
                answer = dice.choice(clients).post(f"{ROOM}/batch", json=batch, headers=headers)
                if answer.status_code not in (429, 503):
                    break
                time.sleep(0.5)
            assert answer.status_code == 200 and not answer.json()["refused"], answer.text
    return len(sent)


def result(store: Store) -> tuple[str, dict[str, Any]]:
    """Give a digest of everything that a session comes to, and its parts; times of arrival are left out."""
    room, view = read_room(store, "room-1"), read_view(store.address, "room-1", hubs.clock())
    matrix, opinion = view.vote_matrix, view.opinion
    assert opinion is not None
    arrays = [matrix.participants, matrix.statements, matrix.indptr, matrix.indices, matrix.values]
    arrays += [opinion.coordinates, opinion.group, opinion.priorities, opinion.group_aware]
    arrays += [view.rating_participant, view.rating_item, view.rating_scale, view.rating_value]
    parts = {
        "arrays": [one.tobytes() for one in arrays],
        "statements": [replace(row, at=0) for row in view.statements],
        "people": [room.me(person) for person in range(room.people.next_number)],
    }
    digest = hashlib.sha256(b"".join(parts["arrays"]) + repr((parts["statements"], parts["people"])).encode())
    return digest.hexdigest(), parts


def same_key(store: Store, folder: Path) -> Store:
    """Make a store in a folder whose room has the key of another: contributions then have the same identifiers."""
    copy = open_store(folder)
    copy.write_spec(store.read_spec("room-1"))
    (folder / "live" / "room-1" / "key").write_bytes(store.key("room-1"))
    return copy


def epoch_of(store: Store) -> int:
    """Give the epoch of the holder who published last, 0 when nobody has."""
    found = store.published("room-1")
    return 0 if found is None else int(found[0][0])  # type: ignore[index]
