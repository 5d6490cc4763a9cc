"""kill -9 and a database that goes away, under load: nothing acknowledged is lost, nothing is counted twice.

ESSAIM_TEST_KILLS=20 and ESSAIM_TEST_GONE=30 (seconds) run the long form; `bench/live_kill.py` measures it.
"""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest

from essaim.live import hub as hubs
from essaim.live.plan import PhaseWindow, Plan
from essaim.live.reader import read_room
from essaim.live.spec import Seed
from essaim.live.store import open_store
from tests.live.pounding import Crowd, Ledger, compared
from tests.live.rooms import MINUTE, make_spec
from tests.live.servers import PostgresServer
from tests.live.stores import until
from tests.live.wide import WideServer

KILLS = int(os.environ.get("ESSAIM_TEST_KILLS", "4"))
GONE_S = float(os.environ.get("ESSAIM_TEST_GONE", "2"))
PHONES = 60
STATEMENTS = 300


def publish(address: str) -> None:
    begun = hubs.clock() - MINUTE
    # Two phases open at once: every kind of entry is under load all the time.
    plan = Plan(1, (PhaseWindow("draft", 0, begun), PhaseWindow("compare", 0, begun)))
    hubs.publish(address, make_spec(plan, seeds=tuple(Seed(n, f"s{n}") for n in range(STATEMENTS))))


def check(address: str, ledgers: list[Ledger]) -> None:
    """All that was acknowledged is in the journals, once."""
    store = open_store(address)
    lost, doubled, acknowledged = compared(read_room(store, "room-1"), ledgers)
    batches, retries = (sum(getattr(one, name) for one in ledgers) for name in ("batches", "retries"))
    print(
        f"\n{len(ledgers)} phones, {batches} batches ({retries} retries), {acknowledged} acknowledged entries: "
        f"lost {len(lost)}, doubled {len(doubled)}"
    )
    assert len({one.participant for one in ledgers}) == len(ledgers) == PHONES, "one number for two people"
    assert retries > 0
    assert (lost[:5], doubled[:5]) == ([], [])
    assert not any(report.damaged for report in store.examine("room-1", len))
    store.close()


def test_kill_nine(address: str, tmp_path: Path) -> None:
    publish(address)
    server = WideServer(address, tmp_path, workers=2)
    server.start()
    crowd = Crowd(server.port, processes=1, phones=PHONES, statements=STATEMENTS)
    dice = random.Random()
    try:
        for kill in range(KILLS):
            enough = crowd.batches + dice.randrange(PHONES, 20 * PHONES)
            until(lambda enough=enough: crowd.batches > enough, 60)
            if kill % 2:
                server.kill()
                server.start()
            else:
                server.kill_worker(dice.randrange(2))
        enough = crowd.batches + 2 * PHONES
        until(lambda: crowd.batches > enough, 60)
        ledgers = crowd.stop()
        # uvicorn ends as it was asked to, after a clean close.
        assert server.stop() in (0, -signal.SIGTERM)
    finally:
        server.kill()
    check(address, ledgers)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_the_database_is_gone_for_a_while(
    postgres: PostgresServer, tmp_path: Path, how: signal.Signals
) -> None:
    address = postgres.address(f"gone_{how.name.lower()}")
    publish(address)
    server = WideServer(address, tmp_path, workers=2)
    server.start()
    crowd = Crowd(server.port, processes=1, phones=PHONES, statements=STATEMENTS)
    try:
        for _ in range(2):
            enough = crowd.batches + 10 * PHONES
            until(lambda enough=enough: crowd.batches > enough, 60)
            postgres.stop(how)
            time.sleep(GONE_S)
            postgres.start()
        enough = crowd.batches + 2 * PHONES
        until(lambda: crowd.batches > enough, 60)
        ledgers = crowd.stop()
        assert server.stop() in (0, -signal.SIGTERM)
    finally:
        server.kill()
    check(address, ledgers)
