"""One worker: a server on sockets that its parent made, until SIGTERM."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Sequence

from essaim.live import metrics
from essaim.live.hub import Hub
from essaim.live.monitor import Monitored
from essaim.live.serve import server


def work(app: Monitored, hub: Hub, sockets: Sequence[socket.socket], ready: Callable[[], None]) -> int:
    """Serve an application whose lifespan runs `hub`; call `ready` once it has started; give the exit code."""
    here = server(app, "", 0, hub)
    app.on_ready, app.stopping = ready, lambda: here.should_exit
    metrics.here.gauges = lambda: {"connections": len(here.server_state.connections), **hub.gauges()}
    with contextlib.suppress(KeyboardInterrupt):  # uvicorn raises it again after a clean end
        here.run(sockets=list(sockets))
    return 0 if here.started else 1
