"""`essaim crowd SESSION --people 20000`: will my server hold? Sends that many simulated people and gives a verdict."""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
from pathlib import Path
from typing import Any


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "crowd",
        help="send a simulated crowd to a session: will my server hold?",
        description="Simulated people join, vote and write at a human pace, over the protocol of the phones. "
        "Use a session made for the rehearsal: what they vote and write stays in it. "
        "Exit code: 0 it holds, 1 it does not or was refused, 2 wrong arguments.",
    )
    add = parser.add_argument
    add("session", help="the address (http://HOST/s/CODE) or, on this machine, the code of a session")
    add("--people", type=_whole, default=1000, help="how many people (default 1000)")
    add("--minutes", type=_positive, default=3.0, help="how long, once all are in (default 3)")
    add(
        "--join-over",
        type=_positive,
        default=30.0,
        metavar="S",
        help="all have come after S seconds (default 30)",
    )
    add(
        "--every",
        type=_positive,
        default=12.5,
        metavar="S",
        help="a batch a person every S seconds ± 30 %% (default 12.5)",
    )
    add("--votes", type=_range, default=(1, 3), metavar="1-3", help="votes in a batch, 1 to 5 (default 1-3)")
    add("--ideas", type=_share, default=0.01, help="share of the batches with a contribution (default 0.01)")
    add(
        "--poll",
        type=float,
        default=0.0,
        metavar="S",
        help="each also reads the state every S seconds (default: no)",
    )
    add("--connections", type=_whole, help="connections that people share, as behind a load balancer")
    add("--storm", action="store_true", help="halfway, cut all connections: everybody comes back")
    add(
        "--kill-ledger",
        type=Path,
        metavar="FILE",
        help="write what was acknowledged; kill the server meanwhile if you like",
    )
    add("--watch", type=_whole, default=0, metavar="N", help="also hold N streams open and time each event")
    add("--phase-spread", action="store_true", help="how far apart people would switch phase")
    add(
        "--within",
        type=_positive,
        default=1000.0,
        metavar="MS",
        help="the p99 that counts as holding (default 1000)",
    )
    add("--i-run-this-server", metavar="HOST", help="needed for any machine but this one: repeat its name")
    add("--json", action="store_true", help="print the figures as JSON")
    parser.set_defaults(func=run)


def run(options: argparse.Namespace) -> int:
    from essaim.live.crowd import rehearsal
    from essaim.live.crowd.pace import Pace
    from essaim.live.crowd.target import TargetError, find

    pace = Pace(
        options.people,
        minutes=options.minutes,
        join_over=options.join_over,
        every=options.every,
        votes=options.votes,
        ideas=options.ideas,
        poll=max(0.0, options.poll),
        storm=options.storm,
    )
    try:
        target = find(
            options.session,
            own=options.i_run_this_server,
            default_port=int(os.environ.get("ESSAIM_PORT", "8000")),
        )
        outcome = rehearsal.hold(
            target,
            pace,
            connections=min(options.people, options.connections or descriptors() // 2),
            ledger_file=options.kill_ledger,
            streams=options.watch,
            clocks=options.phase_spread,
            within_ms=options.within,
            say=lambda line: print(line, file=sys.stderr, flush=True),
        )
    except TargetError as error:
        print(f"essaim: {error}", file=sys.stderr)
        return 1
    print(json.dumps(outcome.document(), indent=1) if options.json else "\n".join(outcome.lines()))
    return 0 if outcome.holds else 1


def descriptors() -> int:
    """Raise the limit of open files as far as this user may, and give it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard if hard != resource.RLIM_INFINITY else 1_000_000


def _whole(given: str) -> int:
    number = int(given)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def _positive(given: str) -> float:
    number = float(given)
    if not 0 < number < 1e6:
        raise argparse.ArgumentTypeError("more than 0")
    return number


def _share(given: str) -> float:
    number = float(given)
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError("between 0 and 1")
    return number


def _range(given: str) -> tuple[int, int]:
    low, _, high = given.partition("-")
    few, many = int(low), int(high or low)
    if not 1 <= few <= many <= 5:
        raise argparse.ArgumentTypeError("between 1 and 5, such as 1-3")
    return few, many
