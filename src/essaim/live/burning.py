"""Burning invitation codes, many at once: what comes within a tick goes to the store in one call, in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Executor
from typing import Final, Protocol

_AT_ONCE: Final = 2_000


class Burning(Protocol):
    """A store, as far as codes are concerned."""

    def burn(self, room: str, seals: Sequence[tuple[int, bytes]]) -> list[bytes]: ...


class Burner:
    """The queue in front of the burnt codes of one room; belongs to one event loop."""

    def __init__(self, store: Burning, room: str, executor: Executor, *, tick_ms: float) -> None:
        self._store, self._room, self._executor, self._tick = store, room, executor, tick_ms / 1000
        self._gathering: list[tuple[int, bytes, asyncio.Future[bytes]]] = []
        self._task: asyncio.Task[None] | None = None

    async def burn(self, index: int, seal: bytes) -> bytes:
        """Burn the code at `index`; gives the seal that stands, once it is durable. Raises what the store raises."""
        loop = asyncio.get_running_loop()
        told: asyncio.Future[bytes] = loop.create_future()
        self._gathering.append((index, seal, told))
        if self._task is None:
            self._task = loop.create_task(self._run())
        return await told

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._gathering:
                await asyncio.sleep(self._tick)
                batch, self._gathering = self._gathering[:_AT_ONCE], self._gathering[_AT_ONCE:]
                seals = [(index, seal) for index, seal, _ in batch]
                try:
                    stand = await loop.run_in_executor(self._executor, self._store.burn, self._room, seals)
                except Exception as error:
                    for _, _, told in batch:
                        if not told.done():
                            told.set_exception(error)
                else:
                    for (_, _, told), one in zip(batch, stand, strict=True):
                        if not told.done():  # its request may have been cancelled
                            told.set_result(one)
        finally:
            self._task = None
