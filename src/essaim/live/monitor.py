"""What monitoring asks: /metrics, /health/live (the process answers), /health/ready (send it people)."""

from __future__ import annotations

import asyncio
import hmac
import logging
import os
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec

from essaim.live import metrics
from essaim.live.addresses import is_loopback
from essaim.live.metrics import Board
from essaim.live.store import Store

PATHS: Final = ("/metrics", "/health/live", "/health/ready")
PATIENCE_S: Final = 5.0
REMEMBERED_S: Final = 1.0
POST_S: Final = 1.0
SUPERVISOR: Final = "supervisor"
"""The place on the board where the supervisor says how often it started each process."""
_FORWARDED: Final = (b"x-forwarded-for", b"x-forwarded-proto", b"x-real-ip", b"forwarded", b"via")
_PLAIN: Final = b"text/plain; charset=utf-8"
_log = logging.getLogger(__name__)

App = Callable[[dict[str, Any], Any, Any], Awaitable[None]]
Check = Callable[[], None]


class Monitored:
    """An ASGI application, with the paths of monitoring before it."""

    def __init__(
        self,
        app: App,
        *,
        checks: Mapping[str, Check],
        token: str = "",
        name: str = "0",
        board: Board | None = None,
    ) -> None:
        """`checks` run in a thread and raise when the process cannot serve; `token` opens /metrics (empty: only for
        this machine); `name` and `board`: the place of this process among those it answers for."""
        self._app, self._checks, self._token = app, checks, token.encode()
        self._name, self._board = name, board
        self._checked: tuple[float, dict[str, bool]] = (float("-inf"), {})
        self._checking: asyncio.Task[dict[str, bool]] | None = None
        self._posting: asyncio.Task[None] | None = None
        self.on_ready: Callable[[], None] = lambda: None
        """Called when the application has started."""
        self.stopping: Callable[[], bool] = lambda: False
        """Says whether the server is about to end."""

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, partial(self._lived, send))
        elif scope["type"] != "http" or scope["path"] not in PATHS:
            await self._app(scope, receive, send)
        elif scope["method"] not in ("GET", "HEAD"):
            await _answer(scope, send, 405, b"GET or HEAD\n", _PLAIN, (b"allow", b"GET, HEAD"))
        elif scope["path"] == "/metrics":
            await self._metrics(scope, send)
        elif scope["path"] == "/health/live":
            await _answer(scope, send, 200, b'{"live":true}', b"application/json")
        else:
            checks = await self.checks()
            ready = all(checks.values())
            words = {
                "ready": ready,
                "checks": {name: "ok" if good else "failed" for name, good in checks.items()},
            }
            await _answer(scope, send, 200 if ready else 503, msgspec.json.encode(words), b"application/json")

    async def _lived(self, send: Any, message: dict[str, Any]) -> None:
        """Follow the life of the application: counts are posted while it runs."""
        if message["type"] == "lifespan.startup.complete":
            before = None if self._board is None else self._board.read(self._name)
            if before is not None:
                metrics.here.resume(before)
            self._posting = asyncio.create_task(self._post_for_ever())
            self.on_ready()
        elif message["type"].startswith("lifespan.shutdown") and self._posting is not None:
            self._posting.cancel()
            self.post()
        await send(message)

    async def _post_for_ever(self) -> None:
        while True:
            self.post()
            await asyncio.sleep(POST_S)

    def post(self) -> None:
        """Write the counts of this process where the others see them (once a second)."""
        if self._board is not None:
            self._board.write(self._name, metrics.here.counts())

    async def checks(self) -> dict[str, bool]:
        """Say what works: each check in a thread, at most once a second however often it is asked."""
        if self.stopping():
            return {"running": False}
        at, known = self._checked
        if time.monotonic() - at < REMEMBERED_S:
            return known
        if self._checking is None:
            self._checking = asyncio.create_task(self._check())
        return await asyncio.shield(self._checking)

    async def _check(self) -> dict[str, bool]:
        try:
            names = list(self._checks)
            good = await asyncio.gather(*(self._works(name, self._checks[name]) for name in names))
            found = {"running": True} | dict(zip(names, good, strict=True))
            self._checked = time.monotonic(), found
            return found
        finally:
            self._checking = None

    async def _works(self, name: str, check: Check) -> bool:
        try:
            async with asyncio.timeout(PATIENCE_S):
                await asyncio.to_thread(check)
        except Exception as error:
            _log.error("not ready: %s: %s", name, error or type(error).__name__)
            return False
        return True

    async def _metrics(self, scope: dict[str, Any], send: Any) -> None:
        refusal = self._refusal(scope)
        if refusal is not None:
            status, words = refusal
            await _answer(
                scope, send, status, words, _PLAIN, *[(b"www-authenticate", b"Bearer")] * (status == 401)
            )
            return
        self.post()
        places = [(self._name, metrics.here.counts())]
        starts: dict[str, int] = {}
        if self._board is not None:
            read = ((name, self._board.read(name)) for name in self._board.names if name != SUPERVISOR)
            places = [(name, counts) for name, counts in read if counts is not None]
            starts = (self._board.read(SUPERVISOR) or {}).get("starts", {})
        body = metrics.text(places, starts, now=time.time())
        await _answer(scope, send, 200, body, metrics.CONTENT_TYPE)

    def _refusal(self, scope: dict[str, Any]) -> tuple[int, bytes] | None:
        """Say why /metrics is closed to this request, None if it is open."""
        headers = dict(scope["headers"])
        if self._token:
            scheme, _, given = headers.get(b"authorization", b"").partition(b" ")
            if scheme.lower() == b"bearer" and hmac.compare_digest(given.strip(), self._token):
                return None
            return 401, b"Send Authorization: Bearer with the value of ESSAIM_METRICS_TOKEN.\n"
        # Behind a proxy of the same machine everybody comes from loopback: what was forwarded is not from here.
        if is_loopback((scope.get("client") or ("",))[0]) and not any(name in headers for name in _FORWARDED):
            return None
        return 403, b"Open to this machine only. Set ESSAIM_METRICS_TOKEN to open it to others.\n"


async def _answer(
    scope: dict[str, Any],
    send: Any,
    status: int,
    body: bytes,
    content_type: bytes,
    *more: tuple[bytes, bytes],
) -> None:
    headers = [
        (b"content-type", content_type),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        *more,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


def store_check(store: Store) -> Check:
    """Give a check that the store can be reached, and written where it is a folder (a full disk is not ready)."""
    if "://" in store.address:
        return lambda: void(store.rooms())
    return partial(_writable, Path(store.address))


def void(_: object) -> None:
    """Forget a result."""


def _writable(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(bytes(4096))
        file.flush()
        os.fsync(file.fileno())
