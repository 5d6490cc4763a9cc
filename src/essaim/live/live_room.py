"""One open room of a hub: room in memory, journal, stream, valves, and the view others read."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import math
import os
import random
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar

from essaim.engines.opinion import Opinion
from essaim.live import answers, projections
from essaim.live.commits import GroupCommit
from essaim.live.files import SPEC, Lock, UnknownRoomError, read_spec, room_dir
from essaim.live.journal import JournalError, JournalFile
from essaim.live.limits import Bucket, Buckets, Limits
from essaim.live.plan import phase_at
from essaim.live.problems import RefusalError
from essaim.live.projections import RoomView
from essaim.live.reader import open_room
from essaim.live.room import Outcome, Room
from essaim.live.spec import RoomSpec, SpecError
from essaim.live.stream import Stream

REFRESH_S: Final = 1.0
P = ParamSpec("P")
T = TypeVar("T")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Threads:
    """Where blocking work goes: `disk` for commits (they must never wait), `work` for everything else."""

    disk: Executor
    work: Executor


class LiveRoom:
    """A room that is open for writing; belongs to the hub's event loop."""

    def __init__(
        self, data_dir: Path, name: str, limits: Limits, clock: Callable[[], int], threads: Threads
    ) -> None:
        self.name, self.limits, self.stream = name, limits, Stream()
        self.view: RoomView | None = None
        self.clock = clock
        self._data_dir, self._threads = data_dir, threads
        self._buckets = Buckets(limits.batch_burst, limits.batches_per_s)
        self._joins = Bucket(limits.join_burst, limits.joins_per_s)
        self._lock: Lock | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._mapping = False
        self._viewed, self._viewed_votes, self._mapped_votes = -1, -1, -1
        self._refreshing, self._pointing = asyncio.Lock(), asyncio.Lock()
        self._points: tuple[Opinion | None, tuple[str, float, bytes]] | None = None
        self._spec_stamp: tuple[int, ...] = ()
        self._closing = False

    # Life

    async def open(self) -> None:
        """Take the lock, rebuild the room from the journal, begin to refresh its view."""
        self._lock = Lock(room_dir(self._data_dir, self.name))
        try:
            await self._load()
            await self.refresh()
        except BaseException:
            self._lock.release()
            raise
        self._spawn(self._refresh_for_ever())

    async def close(self) -> None:
        """End the streams, write what is left, give the lock back."""
        self._closing = True
        self.stream.end()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.commits.close()
        if self._lock is not None:
            self._lock.release()

    async def _load(self, before: Room | None = None) -> None:
        stamp = self._stamp()
        now = self.clock()
        room, file = await self._in(
            self._threads.work, open_room, self._data_dir, self.name, self.limits, now
        )
        if before is not None:
            room.adopt(before)
            room.use_opinion(before.opinion)
        self.room: Room = room
        self._file: JournalFile = file
        self._spec_stamp = stamp
        self._viewed, self._viewed_votes, self._mapped_votes = -1, -1, -1
        self.commits = GroupCommit(
            file,
            self._threads.disk,
            tick_ms=self.limits.commit_ms,
            on_settled=room.settle,
            on_failed=self._failed,
        )

    def _failed(self) -> None:
        """The disk failed: what is in memory is not all on it, so the room is read again from the journal."""
        self._spawn(self._reopen())

    async def _reopen(self) -> None:
        delay = 0.2
        while not self._closing:
            await asyncio.sleep(delay)
            delay = min(delay * 2, 5.0)
            self._file.close()
            try:
                await self._load(self.room)
            except (OSError, SpecError):
                _log.exception("room %s: reopening failed", self.name)
            else:
                _log.warning("room %s: reopened from its journal", self.name)
                return

    # Requests

    def admit_join(self, now: int) -> None:
        """Let a join through the valves, or refuse early."""
        self.admit_write()
        wait = self._joins.take(now)
        if wait:
            raise RefusalError("unavailable", "Many people are joining.", retry_after=_jittered(wait))

    def admit_batch(self, participant: int, now: int) -> None:
        """Let a batch through the bucket of its ticket, or refuse."""
        wait = self._buckets.take(participant, now)
        if wait:
            raise RefusalError(
                "too-many", "This ticket sends too often.", retry_after=max(1, math.ceil(wait))
            )

    def admit_write(self) -> None:
        """Refuse while the journal cannot take more: early, before the body is read."""
        if self.commits.failed is not None:
            raise RefusalError("unavailable", "The room is being reopened.", retry_after=_jittered(1))
        if self.commits.waiting >= self.limits.queue_records:
            raise RefusalError("unavailable", "Too many answers wait.", retry_after=_jittered(1))

    async def keep(self, outcome: Outcome) -> None:
        """Return when the outcome, and all it may rest on, is on the disk; refuse if it will not be."""
        try:
            if outcome.record is not None:
                self.commits.add(outcome.record)
            await self.commits.durable()
        except JournalError:
            raise RefusalError("unavailable", "The journal failed.", retry_after=_jittered(1)) from None

    def use(self, spec: RoomSpec) -> None:
        """Take a newer specification and tell those who watch."""
        before = self.room.spec
        if spec.rev < before.rev or spec == before:
            return
        self.room.use(spec)
        if spec.plan != before.plan:
            self.stream.tell("plan", spec.rev)
        if (spec.shown, spec.hidden, spec.moderation) != (before.shown, before.hidden, before.moderation):
            self.stream.tell("moderation", spec.rev)

    # The view

    async def refresh(self) -> None:
        """Make the view again if anything moved: at most once a second, most of it in another thread."""
        async with self._refreshing:
            await self._poll_spec()
            now, room, view = self.clock(), self.room, self.view
            if view is not None and room.version == self._viewed:
                self._tick(view, now)
            else:
                await self._rebuild(now, room, view)
            if self._viewed_votes != self._mapped_votes and not self._mapping:
                self._mapping = True
                self._spawn(self._map(room))

    async def points(self) -> tuple[str, float, bytes]:
        """Give the points of the opinion map (see `answers.opinion_map`), made once for each map."""
        async with self._pointing:
            opinion = self.room.opinion
            if self._points is None or self._points[0] is not opinion:
                self._points = opinion, await self._in(self._threads.work, answers.opinion_map, opinion)
            return self._points[1]

    async def _rebuild(self, now: int, room: Room, before: RoomView | None) -> None:
        taken, votes = projections.snapshot(room, now), room.votes_version
        room.deal()
        view = await self._in(self._threads.work, projections.build, taken, room.opinion)
        if room is not self.room:
            return
        self._viewed, self._viewed_votes = taken.version, votes
        # The map may have been finished while the view was being built.
        self.view = view if view.opinion is room.opinion else dataclasses.replace(view, opinion=room.opinion)
        self.stream.tell("counts", room.spec.rev)
        if before is None or before.contributions != view.contributions:
            self.stream.tell("contributions", room.spec.rev)
        if before is not None and before.phase.name != view.phase.name and before.plan == view.plan:
            self.stream.tell("plan", room.spec.rev)

    def _tick(self, view: RoomView, now: int) -> None:
        present, phase = self.room.present(now), phase_at(view.plan, now)
        self.view = projections.refreshed(view, now, present)
        if phase != view.phase:
            self.stream.tell("plan", self.room.spec.rev)
        if present != view.present:
            self.stream.tell("counts", self.room.spec.rev)

    async def _map(self, room: Room) -> None:
        """Compute the opinion map in a thread; `_mapping` keeps it from running twice at once."""
        try:
            view, self._mapped_votes = self.view, self._viewed_votes
            if view is None:
                return
            opinion: Opinion | None = await self._in(self._threads.work, projections.map_opinion, view)
            if room is not self.room or (opinion is None and room.opinion is None):
                return
            room.use_opinion(opinion)
            if self.view is not None:
                self.view = dataclasses.replace(self.view, opinion=opinion)
            self.stream.tell("opinion", room.spec.rev)
        except Exception:
            _log.exception("room %s: the opinion map could not be computed", self.name)
        finally:
            self._mapping = False

    async def _refresh_for_ever(self) -> None:
        took = 0.0
        while True:
            # Never more than half of the time, however large the room is.
            await asyncio.sleep(max(REFRESH_S, took))
            started = time.monotonic()
            try:
                await self.refresh()
            except Exception:
                _log.exception("room %s: the view could not be made", self.name)
            took = time.monotonic() - started

    async def _poll_spec(self) -> None:
        stamp = self._stamp()
        if stamp == self._spec_stamp:
            return
        with contextlib.suppress(UnknownRoomError):
            try:
                self.use(await self._in(self._threads.work, read_spec, self._data_dir, self.name))
            except SpecError as error:
                _log.error("room %s keeps its specification: %s", self.name, error)
        self._spec_stamp = stamp

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _in(self, executor: Executor, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.get_running_loop().run_in_executor(executor, partial(work, *args, **kwargs))

    def _stamp(self) -> tuple[int, ...]:
        try:
            known = os.stat(room_dir(self._data_dir, self.name) / SPEC)
        except FileNotFoundError:
            return ()
        return (known.st_ino, known.st_size, known.st_mtime_ns)


def _jittered(seconds: float) -> int:
    """Seconds to wait, spread so that those who were refused together do not come back together."""
    return math.ceil(seconds) + random.randint(1, 4)  # noqa: S311
