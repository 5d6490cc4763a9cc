"""`essaim serve`: pages and live sessions in one process, on one port. `essaim live`: the live path alone."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

from essaim.cli.setup import prepare


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser("serve", help="serve the pages and the live sessions")
    parser.add_argument("--host", help="address to listen on (ESSAIM_HOST)")
    parser.add_argument("--port", type=int, help="port to listen on (ESSAIM_PORT)")
    parser.set_defaults(func=run)
    live = subparsers.add_parser("live", help="serve the live sessions alone, without the pages")
    live.add_argument("--host", help="address to listen on (ESSAIM_HOST)")
    live.add_argument("--port", type=int, help="port to listen on (ESSAIM_PORT)")
    live.set_defaults(func=run_live)


def set_address(options: argparse.Namespace) -> None:
    """Let the words of the command line win over the environment."""
    if options.host:
        os.environ["ESSAIM_HOST"] = options.host
    if options.port:
        os.environ["ESSAIM_PORT"] = str(options.port)


def run(options: argparse.Namespace) -> int:
    set_address(options)
    prepare()
    return serve()


def serve() -> int:
    """Collect the static files, hand every session to the live path, and serve until told to stop."""
    from django.conf import settings
    from django.core.management import call_command

    from essaim.listen.sessions.actions.publishing import republish_all
    from essaim.live import serve as live_server

    call_command("collectstatic", interactive=False, verbosity=0)
    republish_all()
    from essaim.config.asgi import application

    environment = settings.ENVIRONMENT
    host = f"[{environment.host}]" if ":" in environment.host else environment.host
    print(f"Essaim: http://{host}:{environment.port}", file=sys.stderr, flush=True)
    return live_server.serve(application, application.live.hub, host=environment.host, port=environment.port)


def run_live(options: argparse.Namespace) -> int:
    set_address(options)
    from essaim.config.environment import BadSetting, read_environment
    from essaim.live.serve import run as run_alone

    try:
        environment = read_environment()
    except BadSetting as error:
        print(f"essaim: {error}", file=sys.stderr)
        return 2
    run_alone(environment.data_dir, environment.host, environment.port)
    return 0
