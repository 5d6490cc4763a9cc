"""20 random kill -9 under load, for files and for PostgreSQL: what was acknowledged and is lost, what is there twice.

    python bench/live_kill.py [--kills 20] [--workers 1] [--phones 240] [--store file|postgres|both] [--votes 10000000]

`essaim live` (a supervisor, its workers, the ranker; wide limits) takes batches of 5 votes, ratings and ideas from phones
in two processes, as fast as it answers. Three kills of four hit one worker, the fourth the whole tree at once. A batch is
acknowledged after the commit that holds it. Then the same with that many votes in the journal already: how long from the
kill until a batch is acknowledged again. PostgreSQL is a cluster of its own in a temporary folder, fsync on.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from tests.live.pounding import Crowd, compared  # noqa: E402
from tests.live.rooms import MINUTE, make_spec  # noqa: E402
from tests.live.servers import AbsentError, PostgresServer, running  # noqa: E402
from tests.live.wide import WideServer  # noqa: E402

from essaim.live import hub as hubs  # noqa: E402
from essaim.live import records  # noqa: E402
from essaim.live.plan import PhaseWindow, Plan  # noqa: E402
from essaim.live.reader import read_room  # noqa: E402
from essaim.live.records import BatchRecord, JoinRecord, Record  # noqa: E402
from essaim.live.spec import Seed  # noqa: E402
from essaim.live.store import open_store  # noqa: E402

STATEMENTS = 300
VOTES = 5
EACH = 100
PROCESSES = 2
BLOCK = 200
IMPORTER = 99


@contextlib.contextmanager
def address_of(store: str, folder: Path, name: str) -> Iterator[str]:
    """Give the address of an empty store."""
    if store == "file":
        yield str(folder)
        return
    with running(PostgresServer, durable=True) as server:
        yield cast(PostgresServer, server).address(name)


def publish(address: str) -> None:
    begun = hubs.clock() - MINUTE
    plan = Plan(1, (PhaseWindow("draft", 0, begun), PhaseWindow("compare", 0, begun)))
    hubs.publish(address, make_spec(plan, seeds=tuple(Seed(n, f"s{n}") for n in range(STATEMENTS))))


def wait_for(crowd: Crowd, batches: int) -> None:
    end = time.monotonic() + 120
    while crowd.batches < batches:
        if time.monotonic() > end:
            raise RuntimeError("the server does not come back")
        time.sleep(0.005)


def kills(store: str, options: argparse.Namespace) -> bool:
    """Pound and kill; print what was found; say whether nothing was lost or doubled."""
    dice = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder, address_of(store, Path(folder), "kills") as address:
        publish(address)
        server = WideServer(address, Path(folder), workers=options.workers)
        server.start()
        crowd = Crowd(server.port, processes=PROCESSES, phones=options.phones, statements=STATEMENTS)
        gaps: dict[bool, list[float]] = {False: [], True: []}
        rates = []
        try:
            wait_for(crowd, 5 * options.phones)
            for kill in range(options.kills):
                begun, before = time.monotonic(), crowd.batches
                time.sleep(dice.uniform(0.5, 2.0))
                everything = kill % 4 == 3
                if everything:
                    server.kill()
                else:
                    server.kill_worker(dice.randrange(options.workers))
                killed, after = time.monotonic(), crowd.batches
                rates.append((after - before) / (killed - begun))
                if everything:
                    server.start()
                # What was answered before the kill may still be on its way to the phones.
                time.sleep(0.02)
                wait_for(crowd, crowd.batches + 1)
                gaps[everything].append(time.monotonic() - killed)
            wait_for(crowd, crowd.batches + options.phones)
            ledgers = crowd.stop()
            server.stop()
        finally:
            server.kill()
        kept = open_store(address)
        lost, doubled, acknowledged = compared(read_room(kept, "room-1"), ledgers)
        damaged = sum(len(one.damaged) for one in kept.examine("room-1", len))
        kept.close()
    retries = sum(one.retries for one in ledgers)
    same = len(ledgers) - len({one.participant for one in ledgers})
    print(
        f"{store:9} {options.kills:>6} {crowd.batches:>10,} {statistics.median(rates):>10,.0f} {min(rates):>8,.0f} "
        f"{acknowledged:>12,} {retries:>8,} {len(lost):>6} {len(doubled) + same:>8} {damaged:>8} "
        f"{seconds(gaps[False])} {seconds(gaps[True])}",
        flush=True,
    )
    for fault in [*lost, *doubled][:5]:
        print("   ", fault)
    return not lost and not doubled and not same and not damaged


def seconds(times: list[float]) -> str:
    return f"{statistics.median(times):>7.2f} /{max(times):>5.2f}" if times else f"{'-':>14}"


def fill(address: str, votes: int) -> tuple[int, float]:
    """Write votes as a session would have left them; give how many people voted, and the time to read it again."""
    dice = random.Random(3)
    people = votes // EACH
    at = hubs.clock() - 30_000
    store = open_store(address)
    store.claim("room-1", IMPORTER, people)
    journal = store.journal("room-1", IMPORTER)
    joins: list[Record] = [JoinRecord(who, at, "fr") for who in range(people)]
    for first in range(0, people, 1000):
        journal.append(records.encode(joins[first : first + 1000]))
    block: list[Record] = []
    for turn in range(EACH // VOTES):
        for who in range(people):
            first = (who + turn * VOTES) % STATEMENTS
            chosen = tuple(((first + n) % STATEMENTS, dice.choice((1, 0, -1))) for n in range(VOTES))
            block.append(BatchRecord(who, turn + 1, at, chosen))
            if len(block) == BLOCK:
                journal.append(records.encode(block))
                block = []
    if block:
        journal.append(records.encode(block))
    journal.close()
    begun = time.perf_counter()
    for _payload in store.tail("room-1").blocks():
        pass
    took = time.perf_counter() - begun
    store.close()
    return people, took


class Probe:
    """One participant that asks again every few milliseconds."""

    def __init__(self, port: int) -> None:
        self.port, self.seq = port, 0
        self.ticket = ""
        self.ticket = json.loads(self.until("join", {}))["ticket"]

    def until(self, path: str, document: object) -> bytes:
        """Post until it is acknowledged; give the body of the answer."""
        body = json.dumps(document).encode()
        bearer = f"Authorization: Bearer {self.ticket}\r\n" if self.ticket else ""
        head = f"POST /live/room-1/{path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{bearer}"
        request = f"{head}Connection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
        end = time.monotonic() + 120
        while time.monotonic() < end:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 60) as line:
                line.sendall(request)
                answer = b""
                while more := line.recv(65536):
                    answer += more
                if answer[9:12] in (b"200", b"201"):
                    return answer.partition(b"\r\n\r\n")[2]
            time.sleep(0.005)
        raise RuntimeError("the server does not come back")

    def vote(self) -> None:
        self.seq += 1
        self.until("batch", {"seq": self.seq, "votes": [[self.seq % STATEMENTS, 1]]})


def recovery(store: str, options: argparse.Namespace) -> None:
    """Print how long it takes to be back with a full journal."""
    with tempfile.TemporaryDirectory() as folder, address_of(store, Path(folder), "recovery") as address:
        publish(address)
        _people, scan = fill(address, options.votes)
        server = WideServer(address, Path(folder), workers=options.workers)
        gaps: dict[bool, list[float]] = {False: [], True: []}
        try:
            begun = time.monotonic()
            server.start()
            probe = Probe(server.port)
            first = time.monotonic() - begun
            for round_ in range(options.rounds):
                for everything in (False, True) if round_ % 2 else (False,):
                    time.sleep(4)  # let the ranker and the sorting of what was loaded end
                    probe.vote()
                    killed = time.monotonic()
                    if everything:
                        server.kill()
                        server.start()
                    else:
                        server.kill_worker(0)
                    probe.vote()
                    gaps[everything].append(time.monotonic() - killed)
        finally:
            server.kill()
    print(
        f"{store:9} {options.votes:>12,} {scan:>10.2f} {first:>12.2f} {seconds(gaps[False])} {seconds(gaps[True])}",
        flush=True,
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--phones", type=int, default=240)
    parser.add_argument("--store", choices=("file", "postgres", "both"), default="both")
    parser.add_argument("--votes", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    stores = ("file", "postgres") if options.store == "both" else (options.store,)
    good = True
    if options.kills:
        print(
            f"{'store':9} {'kills':>6} {'batches':>10} {'batches/s':>10} {'least':>8} {'acknowledged':>12} "
            f"{'retries':>8} {'lost':>6} {'doubled':>8} {'damaged':>8} {'worker back s':>14} {'all back s':>14}"
        )
        for store in stores:
            try:
                good = kills(store, options) and good
            except AbsentError as error:
                print(f"{store:9} skipped: {error}")
    if options.votes:
        print(
            f"\n{'store':9} {'votes':>12} {'scan s':>10} {'first start s':>12} {'worker back s':>14} {'all back s':>14}"
            "\n(median / largest, from the kill to the next acknowledged batch)"
        )
        for store in stores:
            with contextlib.suppress(AbsentError):
                recovery(store, options)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
