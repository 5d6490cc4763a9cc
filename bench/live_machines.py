"""Two machines on PostgreSQL and Redis beside one worker on files: the same result, and how long a lost lease is missed.

    python bench/live_machines.py [--people 400] [--kills 5]

Two `essaim live` on ports of their own share real servers (Debian's packages, in temporary folders). Every batch goes to a
random one of them. The same batches then go to one worker on files, and what the sessions come to is compared byte for
byte: votes, ratings, groups, places, statements, and what each participant is told. Then the machine whose ranker holds the
lease is killed (kill -9 of all its processes), again and again: seconds until the other one publishes.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import sys
import tempfile
import time
from pathlib import Path
from uuid import uuid4

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

import httpx  # noqa: E402
from tests.live.machines import (  # noqa: E402
    ROOM,
    epoch_of,
    machine,
    open_spec,
    play,
    result,
    same_key,
    two_machines,
)
from tests.live.servers import AbsentError, PostgresServer, RedisServer, running  # noqa: E402

from essaim.live.store import Store, open_store  # noqa: E402


def takeover(folder: Path, store: Store, redis: str) -> float:
    """Give the seconds from the death of the lease's holder to the first publication of the other machine."""
    with two_machines(folder, store, redis) as both, httpx.Client(base_url=both[1].url, timeout=30) as client:
        joined = client.post(f"{ROOM}/join", json={}).json()
        bearer = {"Authorization": f"Bearer {joined['ticket']}"}
        epoch, seq = epoch_of(store), int(time.time())
        both[0].fail()
        begun = time.monotonic()
        while epoch_of(store) <= epoch:  # somebody goes on voting, so that there is something to publish
            seq += 1
            votes = [[number, (seq + number) % 3 - 1] for number in range(10)]
            client.post(f"{ROOM}/batch", json={"seq": seq, "votes": votes}, headers=bearer)
            time.sleep(0.3)
        return time.monotonic() - begun


def main() -> int:
    """Run both parts; the exit code says whether the results were the same."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--people", type=int, default=400)
    parser.add_argument("--kills", type=int, default=5)
    options = parser.parse_args()
    try:
        with contextlib.ExitStack() as stack:
            postgres = stack.enter_context(running(PostgresServer))
            redis = stack.enter_context(running(RedisServer))
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            return compare(folder, postgres.address(f"bench_{uuid4().hex[:8]}"), redis.url, options)
    except AbsentError as error:
        print(error)
        return 2


def compare(folder: Path, address: str, redis: str, options: argparse.Namespace) -> int:
    """Play the same session on two machines and on one, then kill the holder of the lease."""
    store = open_store(address)
    store.write_spec(open_spec())
    with two_machines(folder / "two", store, redis) as both:
        sent = play([one.url for one in both], options.people)
    together, _ = result(store)
    copy = same_key(store, folder / "one")
    with machine(folder / "one") as alone:
        play([alone.url], options.people)
    single, _ = result(copy)
    print(f"{options.people} people, {sent} batches (a fifth of them sent twice)")
    print(f"    two machines, PostgreSQL and Redis   {together}")
    print(f"    one worker, files                    {single}")
    print(f"    {'the same' if together == single else 'NOT THE SAME'}")
    times = [takeover(folder / f"kill-{n}", store, redis) for n in range(options.kills)]
    if times:
        print(
            f"the holder of the lease killed {len(times)} times: the other machine publishes after "
            f"{statistics.median(times):.2f} s (median), {max(times):.2f} s (longest)"
        )
    return 0 if together == single else 1


if __name__ == "__main__":
    sys.exit(main())
