"""A whole session on this machine, people, server and all: pace, streams, storm.

    python bench/live_crowd.py [--show pace|streams|storm] [--people N] [--workers N]

pace     300,000 people, a batch each 12.5 s, statements dealt, counts and opinion map beside it; then 500,000
streams  50,000 open streams and an event to all of them; and how far apart 100,000 people switch phase
storm    100,000 people are cut off at once, and come back with what was not acknowledged

`--people` is the number of the first show (300,000); the others keep their proportion to it. `--workers 0` is the live path
alone in one process, with wide limits. Everything shares the processor cores of this machine, the crowd included.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from msgspec.structs import replace

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from tests.live.rooms import make_spec  # noqa: E402

from essaim.live import hub as hubs  # noqa: E402
from essaim.live.crowd import usage  # noqa: E402
from essaim.live.crowd.target import Target, TargetError, find  # noqa: E402
from essaim.live.crowd.watching import Watchers  # noqa: E402
from essaim.live.plan import PhaseWindow, Plan  # noqa: E402
from essaim.live.spec import RoomSpec, Seed  # noqa: E402

STATEMENTS = 500
ENVIRON = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
JOINS_PER_S = 1_800
"""A little under what one worker lets in (2,000 a second): a ramp, not a siege of the waiting room."""


class Served:
    """A server with one room in Compare, in a process of its own."""

    def __init__(self, folder: str, workers: int) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        now = int(time.time() * 1000)
        plan = Plan(1, (PhaseWindow("compare", 120, now - 1000, now + 7_200_000),))
        self.folder = folder
        self.spec: RoomSpec = make_spec(
            plan=plan, seeds=tuple(Seed(n, f"Statement {n}") for n in range(STATEMENTS))
        )
        hubs.publish(folder, self.spec)
        if workers:
            command = ["-m", "essaim.cli", "live", "--workers", str(workers), "--port", str(self.port)]
        else:
            command = ["-m", "essaim.live.serve", folder, "--port", str(self.port), "--wide"]
        self.process = subprocess.Popen(
            [sys.executable, *command],
            env=ENVIRON | {"ESSAIM_DATA_DIR": folder, "ESSAIM_HOST": "127.0.0.1"},
            stderr=subprocess.DEVNULL,
        )
        self.url = f"http://127.0.0.1:{self.port}/live/{self.spec.room}"
        self.target = self._ready()

    def _ready(self) -> Target:
        for _attempt in range(300):
            with contextlib.suppress(TargetError):
                return find(self.url, own=None)
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        raise SystemExit("the server did not start")

    def change_plan(self) -> None:
        """What a facilitator does: a new revision of the plan, which every stream hears of."""
        window = self.spec.plan.phases[0]
        longer = replace(window, ends_at=(window.ends_at or 0) + 60_000)
        plan = replace(self.spec.plan, rev=self.spec.plan.rev + 1, phases=(longer,))
        self.spec = replace(self.spec, rev=self.spec.rev + 1, plan=plan)
        hubs.publish(self.folder, self.spec)


@contextlib.contextmanager
def served(workers: int) -> Iterator[Served]:
    with tempfile.TemporaryDirectory() as folder:
        here = Served(folder, workers)
        try:
            yield here
        finally:
            here.process.terminate()
            here.process.wait(30)


def crowd(here: Served, people: int, workers: int, *words: str) -> dict[str, Any]:
    """Send `essaim crowd` in a process of its own; give what it found."""
    ramp = max(5.0, people / (JOINS_PER_S * max(1, workers)))
    command = [sys.executable, "-m", "essaim.cli", "crowd", here.url, "--json", "--people", str(people)]
    command += ["--join-over", f"{ramp:.0f}", *words]
    quiet = None if sys.stderr.isatty() else subprocess.DEVNULL  # a line a second, for those who watch
    done = subprocess.run(command, env=ENVIRON, stdout=subprocess.PIPE, stderr=quiet, check=False)
    if done.returncode not in (0, 1) or not done.stdout:
        raise SystemExit(f"the crowd ended with {done.returncode}")
    return dict(json.loads(done.stdout))


def intervals(found: dict[str, Any], name: str) -> list[float]:
    at = [one["at_ms"] / 1000 for one in found["events"] if one["name"] == name]
    return [after - before for before, after in pairwise(at)]


def tell_faults(found: dict[str, Any]) -> None:
    check = found["check"] or {"acknowledged": 0, "lost": "?", "doubled": "?", "asked": 0}
    print(
        f"    ledger: {check['acknowledged']:,} acknowledged, {check['lost']} lost, {check['doubled']} doubled "
        f"({check['asked']:,} people asked one by one)"
    )
    for name, times in found["refusals"].items():
        print(f"    refused for a while: {times:,} × {name}")
    for fault in found["faults"]:
        print(f"    ! {fault}")


def show_pace(people: int, workers: int, minutes: float) -> None:
    print("\n  people      batches/s    p50    p99  p99.9    max ms   errors  server  crowd  map updates")
    for count in (people, people * 5 // 3):
        with served(workers) as here:
            found = crowd(here, count, workers, "--minutes", str(minutes), "--watch", "1")
        steady, maps = found["batches"]["steady"], intervals(found, "opinion")
        rate = steady["count"] / (minutes * 60)
        every = f"each {sum(maps) / len(maps):.1f} s, at most {max(maps):.1f}" if maps else "none seen"
        print(
            f"  {found['inside']:>9,} {rate:>11,.0f} {steady['p50']:>6.0f} {steady['p99']:>6.0f} {steady['p99.9']:>6.0f}"
            f" {steady['max']:>9.0f} {sum(found['errors'].values()):>8,}  {found['server_cores'] or 0:>6.2f}"
            f" {found['own_cores']:>6.2f}  {every}"
        )
        tell_faults(found)


def show_streams(streams: int, people: int, workers: int, minutes: float) -> None:
    with served(workers) as here:
        processes = usage.processes_on_port(here.port)
        before = usage.read(processes)
        watchers = Watchers(here.target, streams)
        watchers.start()
        opened, refused = watchers.opened()
        time.sleep(2)
        after = usage.read(processes)
        each = (after.memory - before.memory) / max(1, opened)
        print(f"\n  {opened:,} streams ({refused:,} refused), {each / 1000:.1f} kB of server memory each")
        for _ in range(5):
            here.change_plan()
            time.sleep(4)
        seen = watchers.stop()
        print("  an event to all of them, ms from the first to reach it:")
        for one in seen.events():
            if one.name == "plan":
                print(
                    f"    {one.received:>8,} received   p50 {one.p50:,}   p99 {one.p99:,}   last {one.last:,}"
                )
    with served(workers) as here:
        found = crowd(here, people, workers, "--minutes", str(minutes), "--phase-spread")
    spread = found["spread_ms"]
    print(
        f"  {spread['people']:,} people would switch phase within {spread['range']:.0f} ms of each other "
        f"(from the middle: p50 {spread['p50']:.1f}, p99 {spread['p99']:.1f}), {spread['uninformed']:,} with an older plan"
    )
    tell_faults(found)


def show_storm(people: int, workers: int, minutes: float) -> None:
    with served(workers) as here:
        found = crowd(here, people, workers, "--minutes", str(minutes), "--storm")
    back = found["back"]
    print(
        f"\n  {found['storm']['hit']:,} people cut off: {back['count']:,} back, {found['storm']['missing']:,} missing; "
        f"half within {back['p50'] / 1000:.1f} s, 99 % within {back['p99'] / 1000:.1f} s, all within {back['max'] / 1000:.1f} s"
    )
    tell_faults(found)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--show", choices=("pace", "streams", "storm", "all"), default="all")
    parser.add_argument("--people", type=int, default=300_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=1.0, help="how long the steady time lasts")
    options = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    people, workers, minutes = options.people, options.workers, options.minutes
    print(
        f"{os.cpu_count()} cores for server ({workers} workers) and crowd together; {hard:,} files a process"
    )
    if options.show in ("pace", "all"):
        show_pace(people, workers, minutes)
    if options.show in ("streams", "all"):
        show_streams(people // 6, people // 3, workers, minutes)
    if options.show in ("storm", "all"):
        show_storm(people // 3, workers, minutes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
