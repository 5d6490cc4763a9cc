"""One process, one port: the live path (raw ASGI) answers /live/ and /s/, Django (WSGI, in threads) everything else.

Django stays synchronous: mounted as WSGI it serves trivial pages about three times as fast as through its own
ASGI handler, and no page can ever block the event loop that acknowledges votes.
"""

from __future__ import annotations

import os
from typing import Any, cast

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "essaim.config.settings")

from a2wsgi import WSGIMiddleware
from django.conf import settings
from django.core.wsgi import get_wsgi_application

from essaim.live.app import LiveApp
from essaim.live.hub import Hub

PAGE_THREADS = 8


class Application:
    """The ASGI application: dispatches by path; the lifespan belongs to the live path (its hub must start and stop)."""

    def __init__(self) -> None:
        self.pages = WSGIMiddleware(cast(Any, get_wsgi_application()), workers=PAGE_THREADS)
        self.live = LiveApp(Hub(settings.DATA_DIR))

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http" and not scope["path"].startswith(("/live/", "/s/")):
            await self.pages(cast(Any, scope), receive, send)
        else:
            await self.live(scope, receive, send)


application = Application()
