"""The live path alone under uvicorn: `python -m essaim.live.serve DIR --port N`."""

from __future__ import annotations

import argparse
import contextlib
import gc
import logging
import socket
import sys
from pathlib import Path
from typing import Any, Final

import uvicorn

from essaim.live.app import LiveApp
from essaim.live.hub import Hub
from essaim.live.limits import WIDE, Limits

GRACE_S = 5
BACKLOG = 4096
_COLLECTIONS: Final = (50_000, 50, 100)
"""Collect less often than Python does by itself: a batch leaves no cycle behind."""
_log = logging.getLogger(__name__)


class Server(uvicorn.Server):
    """uvicorn, ending the open streams first: it would wait for readers that never leave."""

    def __init__(self, config: uvicorn.Config, hub: Hub) -> None:
        super().__init__(config)
        self._hub = hub

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting, end the streams, let the answers under way leave, close the hub (lifespan)."""
        self._hub.end_streams()
        await super().shutdown(sockets)


def server(app: Any, host: str, port: int, hub: Hub, *, fast: bool = True) -> Server:
    """Make the server of an ASGI application; no access log, for it would hold addresses.

    The fast lane answers the hot routes unless it cannot be used here, or `fast` is false: the application, which
    has the same routes, does it then.
    """
    config = uvicorn.Config(
        app,
        http=_protocol(hub) if fast else "httptools",
        ws="none",
        host=host,
        port=port,
        lifespan="on",
        access_log=False,
        log_level="warning",
        server_header=False,
        date_header=True,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=int(hub.limits.idle_seconds),
        timeout_graceful_shutdown=GRACE_S,
    )
    return Server(config, hub)


def _protocol(hub: Hub) -> Any:
    try:
        from essaim.live.rehearsal import lane_of

        return lane_of(hub)
    except (ImportError, RuntimeError) as error:
        _log.warning("the fast lane is not used: %s", error)
        return "auto"


def settle_memory() -> None:
    """Call once all is imported: what is there stays, and is not looked through again by each collection."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECTIONS)


def serve(app: Any, hub: Hub, *, host: str, port: int) -> int:
    """Serve an application whose lifespan runs `hub`, until SIGINT or SIGTERM; give the exit code."""
    here = server(app, host, port, hub)
    settle_memory()
    with contextlib.suppress(KeyboardInterrupt):  # uvicorn raises it again after a clean end
        here.run()
    return 0 if here.started else 1


def run(data_dir: Path | str, host: str, port: int, *, limits: Limits | None = None) -> int:
    """Serve the rooms of a data folder, without the pages; give the exit code."""
    hub = Hub(data_dir, limits=limits)
    return serve(LiveApp(hub), hub, host=host, port=port)


def main(arguments: list[str] | None = None) -> int:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m essaim.live.serve", description=__doc__)
    parser.add_argument("data_dir", help="a data folder or postgresql://…")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--wide", action="store_true", help="wide limits, for replays and load tests")
    chosen = parser.parse_args(arguments)
    return run(chosen.data_dir, chosen.host, chosen.port, limits=WIDE if chosen.wide else None)


if __name__ == "__main__":
    sys.exit(main())
