"""One process, one port: the live path (raw ASGI) answers /live/ and /s/, Django (WSGI, in threads) everything else.

Django stays synchronous: mounted as WSGI it serves trivial pages about three times as fast as through its own
ASGI handler, and no page can ever block the event loop that acknowledges votes.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any, cast

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "essaim.config.settings")

from a2wsgi import WSGIMiddleware
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.db import connection
from django.urls import is_valid_path

from essaim.live import metrics
from essaim.live.addresses import Proxies
from essaim.live.app import LiveApp
from essaim.live.hub import Hub
from essaim.live.limits import Limits
from essaim.live.metrics import Board
from essaim.live.monitor import Monitored, store_check

PAGE_THREADS = 8
# Made once, before `essaim serve` forks: it holds no thread and no connection. Looking at an address imports all pages.
_wsgi = get_wsgi_application()
is_valid_path("/")


class Application:
    """The ASGI application of one worker; the lifespan belongs to the live path (its hub must start and stop)."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.live = LiveApp(hub)
        self._pages = WSGIMiddleware(cast(Any, _wsgi), workers=PAGE_THREADS)
        self._proxies = Proxies(settings.ENVIRONMENT.trusted_proxies)

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if self._proxies and scope["type"] == "http":
            scope = seen_through(self._proxies, scope)
        if scope["type"] != "http" or scope["path"].startswith(("/live/", "/s/")):
            await self.live(scope, receive, send)
            return

        async def counted(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                metrics.here.answered("pages", message["status"])
            await send(message)

        await self._pages(cast(Any, scope), receive, cast(Any, counted))


def seen_through(proxies: Proxies, scope: dict[str, Any]) -> dict[str, Any]:
    """Give the scope with the address of the client behind trusted proxies, and without what nobody vouches for."""
    peer, port = scope.get("client") or ("", 0)  # a Unix socket has none, and is nobody's proxy
    if not proxies.trusts(peer):
        return scope | {
            "headers": [one for one in scope["headers"] if not one[0].startswith(b"x-forwarded-")]
        }
    forwarded = b",".join(value for name, value in scope["headers"] if name == b"x-forwarded-for")
    return scope | {"client": (proxies.client(peer, forwarded.decode("latin-1")), port)}


def database_check() -> None:
    """Raise when the database does not answer."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    finally:
        connection.close()  # the thread is anybody's


def make(hub: Hub, name: str = "0", board: Board | None = None) -> Monitored:
    """Make the application of a worker: pages, live path, monitoring."""
    checks = {"database": database_check, "store": store_check(hub.store)}
    return Monitored(
        Application(hub), checks=checks, token=settings.ENVIRONMENT.metrics_token, name=name, board=board
    )


@cache
def _application() -> Monitored:
    limits = Limits(trusted_proxies=settings.ENVIRONMENT.trusted_proxies)
    return make(Hub(settings.LIVE_STORE, limits=limits))


def __getattr__(name: str) -> Any:
    """Give `application` to any other ASGI server (one process: `essaim.config.asgi:application`)."""
    if name == "application":
        return _application()
    raise AttributeError(name)
