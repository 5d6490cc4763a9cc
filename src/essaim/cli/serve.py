"""`essaim serve`: pages and live sessions on one port, in as many processes as wanted. `essaim live`: without the pages."""

from __future__ import annotations

import argparse
import os
import socket
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from essaim.cli.setup import prepare

if TYPE_CHECKING:
    from essaim.config.environment import Environment
    from essaim.live.hub import Hub
    from essaim.live.metrics import Board
    from essaim.live.monitor import Monitored
    from essaim.live.supervisor import Child


def add_parser(subparsers: Any) -> None:
    for name, words, run in (
        ("serve", "serve the pages and the live sessions", run_serve),
        ("live", "serve the live sessions alone, without the pages", run_live),
    ):
        parser = subparsers.add_parser(name, help=words)
        parser.add_argument("--host", help="address to listen on (ESSAIM_HOST)")
        parser.add_argument("--port", type=int, help="port to listen on (ESSAIM_PORT)")
        parser.add_argument("--workers", type=int, help="processes that answer (ESSAIM_WORKERS)")
        parser.set_defaults(func=run)


def set_address(options: argparse.Namespace) -> None:
    """Let the words of the command line win over the environment."""
    for name in ("host", "port", "workers"):
        if getattr(options, name, None):
            os.environ[f"ESSAIM_{name.upper()}"] = str(getattr(options, name))


def run_serve(options: argparse.Namespace) -> int:
    set_address(options)
    prepare()
    return serve()


def serve(beside: Sequence[Child] = ()) -> int:
    """Collect the static files, hand every session to the live path, and serve until told to stop.

    `beside`: what else to run in processes of their own.
    """
    from django.conf import settings
    from django.core.management import call_command
    from django.db import connections

    from essaim.listen.sessions.actions.publishing import republish_all
    from essaim.live.store import shared_store

    call_command("collectstatic", interactive=False, verbosity=0)
    republish_all()
    from essaim.config import asgi

    shared_store(settings.LIVE_STORE).close()
    connections.close_all()  # a connection must not be shared with the processes that are forked
    return supervise(settings.ENVIRONMENT, asgi.make, beside)


def run_live(options: argparse.Namespace) -> int:
    set_address(options)
    from essaim.config.environment import BadSetting, read_environment
    from essaim.live.app import LiveApp
    from essaim.live.monitor import Monitored, store_check

    try:
        environment = read_environment()
    except BadSetting as error:
        print(f"essaim: {error}", file=sys.stderr)
        return 2

    def make(hub: Hub, name: str, board: Board) -> Monitored:
        checks = {"store": store_check(hub.store)}
        return Monitored(LiveApp(hub), checks=checks, token=environment.metrics_token, name=name, board=board)

    return supervise(environment, make)


def supervise(
    environment: Environment, make: Callable[[Hub, str, Board], Monitored], beside: Sequence[Child] = ()
) -> int:
    """Listen, then run the workers and what goes with them until told to stop; give the exit code."""
    from essaim.live import listening, ranker
    from essaim.live.hub import Hub
    from essaim.live.limits import Limits
    from essaim.live.metrics import Board
    from essaim.live.monitor import SUPERVISOR
    from essaim.live.serve import settle_memory
    from essaim.live.supervisor import Child, Ready, Supervisor
    from essaim.live.worker import work

    host, port, workers = environment.host, environment.port, environment.workers
    try:
        sockets = listening.inherited() or listening.bound(host, port, workers)
    except listening.ListeningError as error:
        print(f"essaim: {error}", file=sys.stderr)
        return 2
    shares = listening.shares(sockets, workers)
    numbers = range(environment.first_worker, environment.first_worker + workers)
    board = Board([*map(str, numbers), SUPERVISOR])
    starts: dict[str, int] = {}
    address, limits = environment.store_address, Limits(trusted_proxies=environment.trusted_proxies)

    def rank(ready: Ready) -> int:
        ready()
        ranker.main(address)
        return 0

    def worker(number: int, share: list[socket.socket]) -> Child:
        def run(ready: Ready) -> int:
            hub = Hub(address, worker=number, ranks=False, limits=limits)
            return work(make(hub, str(number), board), hub, share, ready)

        return Child(f"worker {number}", run, share)

    def started(name: str, times: int) -> None:
        starts[name.removeprefix("worker ")] = times
        board.write(SUPERVISOR, {"starts": starts})

    def ready() -> None:
        print(f"Essaim: {_address(sockets[0].getsockname())}", file=sys.stderr, flush=True)
        listening.tell_systemd("READY=1")

    settle_memory()  # and what the collector does not touch stays shared with the children
    children = [worker(number, share) for number, share in zip(numbers, shares, strict=True)]
    return Supervisor([*children, Child("ranker", rank), *beside], on_ready=ready, on_start=started).run()


def _address(name: Any) -> str:
    if isinstance(name, str):
        return name  # a Unix socket
    host, port = name[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
