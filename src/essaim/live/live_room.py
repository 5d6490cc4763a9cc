"""One open room of a hub: room in memory, journal, stream, valves, the views others read, the map it ranks by.

As a *worker* it writes a journal of its own and follows those of the others; without a worker's number it only
follows. Whoever holds the lease of the hub computes the opinion map and publishes it, the others take it.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import math
import time
from collections.abc import Callable, Coroutine, Hashable
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, ParamSpec, TypeVar

from essaim.engines.opinion import Opinion
from essaim.live import answers, invitations, projections, ranking
from essaim.live.ballots import JoinRequest
from essaim.live.burning import Burner
from essaim.live.commits import GroupCommit
from essaim.live.entry import Invitation
from essaim.live.errors import JournalError, LockedError, StoreError, UnknownRoomError
from essaim.live.limits import Limits
from essaim.live.phone.page import Doors
from essaim.live.plan import phase_at
from essaim.live.problems import RefusalError
from essaim.live.projections import RoomView
from essaim.live.ranking import RankingError
from essaim.live.reader import blocks, open_room
from essaim.live.records import Block
from essaim.live.room import Outcome, Room
from essaim.live.spec import RoomSpec, SpecError
from essaim.live.store import Journal, Store, Tail
from essaim.live.stream import Stream
from essaim.live.valves import Valves, jittered

REFRESH_S: Final = 1.0
MAP_S: Final = 3.0
"""A map is made a fifth of the time, so that votes have the processor; but after this long at the latest."""
CATCH_UP_S: Final = 0.2
"""Not sooner again: unknown statements may be asked for by anybody, as often as they like."""
_NUMBERS: Final = 1024
_AT_ONCE: Final = 500
_FRESH_S: Final = 0.001
P = ParamSpec("P")
T = TypeVar("T")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Threads:
    """Where blocking work goes: `disk` for commits (they must never wait), `work` for everything else."""

    disk: Executor
    work: Executor


class LiveRoom:
    """A room that is open; belongs to the hub's event loop. `epoch()` gives that of the lease, None without it."""

    def __init__(
        self,
        store: Store,
        name: str,
        limits: Limits,
        clock: Callable[[], int],
        threads: Threads,
        *,
        worker: int | None,
        epoch: Callable[[], int | None],
    ) -> None:
        self.name, self.limits, self.valves, self.doors = name, limits, Valves(limits), Doors()
        self._burner = Burner(store, name, threads.disk, tick_ms=limits.commit_ms)
        self.stream = Stream(lambda: self.room.state_bytes(self.clock()), limits.heartbeat_seconds)
        self.clock = clock
        self._read_at, self._read = float("-inf"), 0
        self.worker, self._epoch = worker, epoch
        self._store, self._threads = store, threads
        self._tasks: set[asyncio.Task[None]] = set()
        self._journal: Journal | None = None
        self._spec_stamp: Hashable = None
        self._published: Hashable = None
        self._view: RoomView | None = None
        self._viewed, self._told, self._mapped = -1, -1, -1
        self._told_contributions, self._told_present, self._told_phase = -1, -1, ""
        self._mapping = self._claiming = False
        self._mapped_at, self._map_took = float("-inf"), 0.0
        self._following, self._pointing = asyncio.Lock(), asyncio.Lock()
        self._looked = self._followed = -math.inf
        self._points: tuple[Opinion | None, tuple[str, float, bytes]] | None = None
        self._closing = False

    def clock_at(self, instant: float) -> int:
        """Give the time as `clock` does, at most a millisecond old; `instant`: `time.perf_counter()` now."""
        if instant - self._read_at > _FRESH_S:
            self._read_at, self._read = instant, self.clock()
        return self._read

    # Life

    async def open(self) -> None:
        """Take the journal of this worker, rebuild the room from all journals, begin to refresh."""
        await self._load()
        try:
            await self.refresh()
        except BaseException:
            if self._journal is not None:
                self._journal.close()
            raise
        if self.room.votes.is_cold:
            self.spawn(self._warm_up())
        self.spawn(self._refresh_for_ever())
        self.spawn(self._follow_for_ever())

    async def close(self) -> None:
        """End the streams, write what is left, give the journal back."""
        self._closing = True
        self.stream.end()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._journal is not None:
            await self.commits.close()

    async def _load(self, before: Room | None = None) -> None:
        stamp = await self._in(self._threads.work, self._store.spec_stamp, self.name)
        journal, (room, tail) = await self._in(self._threads.work, self._opened)
        if before is not None:
            room.adopt(before)
            room.use_opinion(before.opinion)
        self.room: Room = room
        self._journal, self._tail = journal, tail
        self._spec_stamp = stamp
        self._viewed, self._told, self._mapped = -1, -1, -1
        if journal is not None:
            self.commits = GroupCommit(
                journal,
                self._threads.disk,
                tick_ms=self.limits.commit_ms,
                on_settled=room.settle,
                on_failed=self._failed,
            )

    def _opened(self) -> tuple[Journal | None, tuple[Room, Tail]]:
        """Open journal and room (in a thread). The journal first: opening it cuts a torn tail off."""
        if self.worker is None:
            return None, open_room(self._store, self.name, self.limits, None)
        journal = self._store.journal(self.name, self.worker)
        try:
            room, tail = open_room(self._store, self.name, self.limits, self.worker)
            if room.numbers.left() < _NUMBERS // 2:
                above = room.people.next_number
                room.numbers.add(self._store.claim(self.name, self.worker, _NUMBERS, above=above))
        except BaseException:
            journal.close()
            raise
        return journal, (room, tail)

    async def _warm_up(self) -> None:
        """Sort what a large journal held, in a thread, then whatever came meanwhile; votes go on being taken."""
        room, cold = self.room, self.room.votes
        done = cold.log_size
        warm = await self._in(self._threads.work, cold.warmed, cold.log())
        while cold.log_size - done > _AT_ONCE:
            log, done = cold.log(done), cold.log_size
            await self._in(self._threads.work, warm.follow, log)
        warm.follow(cold.log(done))
        if room is self.room:
            room.use_votes(warm)

    def _failed(self) -> None:
        """The disk failed: what is in memory is not all on it, so the room is read again from the journals."""
        self.spawn(self._reopen())

    async def _reopen(self) -> None:
        delay = 0.2
        while not self._closing:
            await asyncio.sleep(delay)
            delay = min(delay * 2, 5.0)
            if self._journal is not None:
                self._journal.close()
            try:
                await self._load(self.room)
            except (OSError, LockedError, SpecError) as error:
                _log.warning("room %s: reopening failed: %s", self.name, error)
            else:
                _log.warning("room %s: reopened from its journal", self.name)
                if self.room.votes.is_cold:
                    self.spawn(self._warm_up())
                return

    # Requests

    def reserve(self) -> None:
        """Claim more participant numbers before they run out; called at each join."""
        if self.room.numbers.left() < _NUMBERS // 2 and not self._claiming:
            self._claiming = True
            self.spawn(self._claim())

    async def keep(self, outcome: Outcome) -> None:
        """Return when the outcome, and all it may rest on, is on the disk; refuse if it will not be."""
        try:
            if outcome.record is not None:
                self.commits.add(outcome.record)
            await self.commits.durable()
        except JournalError:
            raise RefusalError("unavailable", "The journal failed.", retry_after=jittered(1)) from None

    async def let_in(self, request: JoinRequest, invitation: Invitation, now: int) -> Outcome:
        """Burn an invitation, then let its holder in: always as the participant that it was first burnt for.

        Burnt first: whatever is cut short in between, the same phone comes again by its mark.
        """
        key, index, mark = self.room.key, invitation.index, invitation.mark
        if key is None:
            raise RefusalError("ended")
        numbers, number = self.room.numbers, self.room.next_number()
        try:
            kept = await self._burner.burn(index, invitations.seal(key, index, mark, number))
        except OSError:  # the number is lost: nobody knows whether it stands
            raise RefusalError("unavailable", "The store failed.", retry_after=jittered(1)) from None
        invited = invitations.unseal(key, index, mark, kept)
        if invited != number:
            numbers.give_back(number)
        if invited is None:
            raise RefusalError("code-used")
        if invited != number and not self.room.people.is_in(invited):
            await self.catch_up()
        return self.room.enter(request, now, invited)

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

    # Following

    async def catch_up(self) -> bool:
        """Take what other workers wrote; False if that was done a moment ago. For entries unknown here."""
        asked = time.monotonic()
        if asked - self._followed < CATCH_UP_S:
            return False
        await self._follow(asked)
        return True

    async def _follow(self, asked: float = math.inf) -> None:
        """Take what the others wrote; not once more for each of those who asked at the same moment."""
        async with self._following:
            if self._looked > asked:
                return
            self._looked = time.monotonic()
            room, found = self.room, await self._in(self._threads.work, self._news)
            self._followed = time.monotonic()
            if room is not self.room:
                return  # read again meanwhile, with all of this in it
            taken = 0
            for block in found:
                for record in block:
                    room.apply(record)
                    taken += 1
                    if taken % _AT_ONCE == 0:
                        await asyncio.sleep(0)  # votes go on being taken in between
                room.settle(block.others)

    def _news(self) -> list[Block]:
        return blocks(self._tail.read(but=self.worker))

    async def _follow_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._store.poll_s)
            try:
                await self._poll_spec()
                await self._follow()
                await self._take_published()
            except StoreError as error:
                _log.warning("room %s: the other workers cannot be followed: %s", self.name, error)
            except Exception:
                _log.exception("room %s: the other workers could not be followed", self.name)

    async def _poll_spec(self) -> None:
        stamp = await self._in(self._threads.work, self._store.spec_stamp, self.name)
        if stamp == self._spec_stamp:
            return
        with contextlib.suppress(UnknownRoomError):
            try:
                self.use(await self._in(self._threads.work, self._store.read_spec, self.name))
            except SpecError as error:
                _log.error("room %s keeps its specification: %s", self.name, error)
        self._spec_stamp = stamp

    async def _take_published(self) -> None:
        if self._epoch() is not None:
            return
        found = await self._in(self._threads.work, self._store.published, self.name, self._published)
        if found is None:
            return
        self._published = found[0]
        try:
            opinion = await self._in(self._threads.work, ranking.decode, found[1])
        except RankingError as error:
            _log.warning("room %s: what is published cannot be read: %s", self.name, error)
            return
        if self._epoch() is None:
            self._use_opinion(self.room, opinion)

    async def _claim(self) -> None:
        try:
            above = self.room.people.next_number
            claim = partial(self._store.claim, self.name, self.worker or 0, above=above)
            self.room.numbers.add(await self._in(self._threads.work, claim, self._claimed_next()))
        except OSError:
            _log.exception("room %s: no participant numbers could be claimed", self.name)
        finally:
            self._claiming = False

    def _claimed_next(self) -> int:
        """A larger room claims more at once: a twentieth of those who are in, 1,024 at least."""
        return max(_NUMBERS, min(65_536, self.room.people.count // 20))

    # What it shows

    async def refresh(self) -> None:
        """Tell those who watch what moved, and rank again; at most once a second, or when the plan changed."""
        await self._poll_spec()
        now, room = self.clock(), self.room
        if room.version != self._told:
            self._told = room.version
            room.deal()
            self.stream.tell("counts", room.spec.rev)
        here, present = phase_at(room.spec.plan, now).name, room.present(now)
        if here != self._told_phase:
            self.stream.tell("plan", room.spec.rev)
        if present != self._told_present:
            self.stream.tell("counts", room.spec.rev)
        contributions = len(room.statements.contributions)
        if contributions != self._told_contributions:
            self.stream.tell("contributions", room.spec.rev)
        self._told_phase, self._told_present, self._told_contributions = here, present, contributions
        due = time.monotonic() - self._mapped_at >= min(MAP_S, 4 * self._map_took)
        if due and room.votes_version != self._mapped and not self._mapping and self._epoch() is not None:
            self._mapping = True
            self.spawn(self._map(room))

    def view(self, *, fresh: bool = False) -> RoomView:
        """Give the view of the room as it is: at most a millisecond old for each thousand votes (loop only).

        What is costly in a view is computed by whoever asks for it, in their own thread.
        """
        now, room, view = self.clock(), self.room, self._view
        if view is not None and room.version == self._viewed:
            self._view = projections.refreshed(view, now, room.present(now))
        elif view is None or fresh or not 0 <= now - view.facts.at < room.votes.live // 1000:
            self._viewed = room.version
            self._view = projections.build(projections.snapshot(room, now), room.opinion)
        assert self._view is not None
        return self._view

    async def points(self) -> tuple[str, float, bytes]:
        """Give the points of the opinion map (see `answers.opinion_map`), made once for each map."""
        async with self._pointing:
            opinion = self.room.opinion
            if self._points is None or self._points[0] is not opinion:
                self._points = opinion, await self._in(self._threads.work, answers.opinion_map, opinion)
            return self._points[1]

    async def _map(self, room: Room) -> None:
        """Compute the opinion map in a thread and publish it; `_mapping` keeps it from running twice at once."""
        begun = time.monotonic()
        try:
            self._mapped = room.votes_version
            stamp = str(await self._in(self._threads.work, self._store.journal_stamp, self.name))
            taken = projections.snapshot(room, self.clock())
            opinion: Opinion | None = await self._in(self._threads.work, projections.map_of, taken)
            epoch = self._epoch()
            if room is not self.room or epoch is None:
                return
            self._use_opinion(room, opinion)
            await self._in(self._threads.work, self._publish, epoch, opinion, stamp)
        except Exception:
            _log.exception("room %s: the opinion map could not be computed", self.name)
        finally:
            self._mapping, self._mapped_at = False, time.monotonic()
            self._map_took = self._mapped_at - begun

    def _publish(self, epoch: int, opinion: Opinion | None, stamp: str) -> None:
        if not self._store.publish(self.name, epoch, ranking.encode(opinion, stamp)):
            _log.warning("room %s: somebody else ranks by now", self.name)

    def _use_opinion(self, room: Room, opinion: Opinion | None) -> None:
        room.use_opinion(opinion)
        if self._view is not None:
            self._view = dataclasses.replace(self._view, opinion=opinion)
        self.stream.tell("opinion", room.spec.rev)

    async def _refresh_for_ever(self) -> None:
        took = 0.0
        while True:
            # Never more than half of the time, however large the room is.
            await asyncio.sleep(max(REFRESH_S, took))
            started = time.monotonic()
            try:
                await self.refresh()
            except StoreError as error:
                _log.warning("room %s: it cannot be refreshed: %s", self.name, error)
            except Exception:
                _log.exception("room %s: it could not be refreshed", self.name)
            took = time.monotonic() - started

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something beside, until the room is closed."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _in(self, executor: Executor, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.get_running_loop().run_in_executor(executor, partial(work, *args, **kwargs))
