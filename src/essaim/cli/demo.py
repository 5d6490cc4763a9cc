"""`essaim demo`: the filled demo organisation, with a session in progress. Its data stay in var/demo until removed."""

from __future__ import annotations

import argparse
import contextlib
import os
import secrets
import shutil
import sys
import time
import urllib.request
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from essaim.cli.serve import set_address
from essaim.cli.setup import prepare

FOLDER = Path("var/demo")


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser("demo", help="serve a filled demo organisation with a session in progress")
    parser.add_argument("--host", help="address to listen on (default: every one, so that a phone can join)")
    parser.add_argument("--port", type=int, help="port to listen on (default 8000)")
    parser.add_argument(
        "--people", type=int, default=2400, help="simulated participants (default 2400, 0: none)"
    )
    parser.add_argument("--keep", action="store_true", help="go on with the data of the last time")
    parser.set_defaults(func=run)


def run(options: argparse.Namespace) -> int:
    folder = Path(os.environ.get("ESSAIM_DATA_DIR", FOLDER))
    marker = folder / "DEMO"
    if folder.exists() and not options.keep:
        if not marker.exists():
            print(
                f"essaim: {folder} holds data that the demo did not make; choose another ESSAIM_DATA_DIR.",
                file=sys.stderr,
            )
            return 2
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    marker.write_text("Made by `essaim demo`, which may remove this folder.\n")
    os.environ["ESSAIM_DATA_DIR"] = str(folder)
    set_address(options)
    prepare(host="0.0.0.0", demo="yes")  # noqa: S104 (phones on the same network join; the door to the pages is loopback only)
    from essaim.cli.demo_data import fill, live_session

    if not options.keep or live_session() is None:
        print("Filling the demo organisation Altura…", file=sys.stderr, flush=True)
        password = secrets.token_urlsafe(9)
        fill(password)
        (folder / "password").write_text(password + "\n")
    announce(folder)
    from essaim.cli.serve import serve
    from essaim.live.supervisor import Child

    return serve([Child("crowd", partial(_crowd, options.people), again=False)])


def announce(folder: Path) -> None:
    """Say where to go, on this computer and with a phone."""
    import segno
    from django.conf import settings

    from essaim.cli.demo_data import live_session
    from essaim.home.demo import DEMO_FACILITATOR
    from essaim.listen.sessions.queries.links import network_address

    port = settings.ENVIRONMENT.port
    session = live_session()
    print(
        f"\n  Altura, the demo organisation\n\n  This computer   http://127.0.0.1:{port}/   (one click to enter)"
    )
    if settings.ENVIRONMENT.host == "0.0.0.0" and session is not None:  # noqa: S104
        phone = f"http://{network_address() or '127.0.0.1'}:{port}/s/{session.code}"
        print(f"  Your phone      {phone}   (same network)\n")
        if sys.stdout.isatty():
            segno.make(phone, error="l").terminal(compact=True)
    print(f"  Or log in as    {DEMO_FACILITATOR} / {(folder / 'password').read_text().strip()}\n", flush=True)


def _crowd(people: int, ready: Callable[[], None]) -> int:
    """Wait for the server, then let the simulated participants in (in a process of its own, which ends with it)."""
    from django.conf import settings
    from django.db import connections

    from essaim.cli import simulate
    from essaim.cli.demo_data import live_session

    session = live_session()
    connections.close_all()
    base = f"http://127.0.0.1:{settings.ENVIRONMENT.port}"
    if session is None or not people:
        return 0
    ready()
    for _attempt in range(120):
        time.sleep(0.5)
        with contextlib.suppress(OSError):
            with urllib.request.urlopen(f"{base}/live/{session.id}/state", timeout=2):  # noqa: S310 (our own server)
                pass
            return simulate.main([base, session.id, "--people", str(people)])
    return 1
