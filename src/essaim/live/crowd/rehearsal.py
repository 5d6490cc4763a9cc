"""A whole rehearsal: the crowd, the streams beside it, the ledger's check, and the outcome."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from essaim.live.crowd import usage
from essaim.live.crowd.engine import Crowd
from essaim.live.crowd.ledger import Check, check
from essaim.live.crowd.pace import Pace
from essaim.live.crowd.tally import Times
from essaim.live.crowd.target import Target, TargetError
from essaim.live.crowd.verdict import Outcome
from essaim.live.crowd.watching import Watched, Watchers

Say = Callable[[str], None]


def hold(
    target: Target,
    pace: Pace,
    *,
    connections: int,
    ledger_file: Path | None = None,
    streams: int = 0,
    clocks: bool = False,
    within_ms: float = 1000.0,
    say: Say = lambda line: None,
) -> Outcome:
    """Send the crowd and give what came of it. `say` hears a line a second. Raises TargetError before it begins."""
    meter = Meter(target, say)
    crowd = Crowd(target, pace, connections=connections, progress=meter.second, clocks=clocks)
    watchers, watched = None, Watched()
    if streams:
        watchers = Watchers(target, streams)
        watchers.start()
        opened, refused = watchers.opened()
        say(f"{opened:,} streams are open, {refused:,} were refused")
    tally = crowd.run()
    if watchers is not None:
        watched = watchers.stop()
    found: Check | None = None
    if ledger_file is not None:
        crowd.ledger.write(ledger_file, crowd.people)
    try:
        found = check(target, crowd.people, crowd.ledger, crowd.room.before)
    except TargetError as error:
        say(str(error))
    return Outcome(
        people=pace.people,
        inside=crowd.inside,
        connections=connections,
        seconds=meter.seconds,
        within_ms=within_ms,
        tally=tally,
        check=found,
        own_cores=meter.own_cores,
        server_cores=meter.server_cores,
        server_memory=meter.server_memory,
        may_break=pace.storm or ledger_file is not None,
        storm_hit=crowd.storm.hit,
        storm_missing=crowd.storm.missing,
        spread=crowd.room.spread() if clocks else None,
        streams=watched.streams,
        streams_refused=watched.refused,
        streams_lost=watched.lost,
        events=watched.events(),
    )


class Meter:
    """Follows a run second by second; cores are those of the steady time, once everybody is in."""

    def __init__(self, target: Target, say: Say) -> None:
        self._port = target.port if target.loopback else 0
        self._say = say
        self._began = time.monotonic()
        self._own = self._own_last = usage.own()
        self._server: usage.Usage | None = None
        self._server_last: usage.Usage | None = None
        self._processes: set[int] = set()
        self._steady = False

    @property
    def seconds(self) -> float:
        """Give the length of the run so far."""
        return self._own_last.at - self._began

    @property
    def own_cores(self) -> float:
        """Give the cores this process used."""
        return self._own_last.cores_since(self._own)

    @property
    def server_cores(self) -> float | None:
        """Give the cores the server used; None when it is not on this machine."""
        if self._server is None or self._server_last is None:
            return None
        return self._server_last.cores_since(self._server)

    @property
    def server_memory(self) -> int:
        """Give the memory of the server in bytes, 0 when unknown."""
        return self._server_last.memory if self._server_last is not None else 0

    def second(self, crowd: Crowd, times: Times) -> None:
        """Say how it goes and read what is used."""
        tally = crowd.tally
        if crowd.period != "drain":
            self._read(crowd.period != "ramp")
        marks = times.second.summary()
        refused = sum(tally.refusals.values())
        self._say(
            f"{time.monotonic() - crowd.started:6.0f} s  {crowd.period:6}  {crowd.inside:>9,} in  "
            f"{marks['count']:>8,.0f} batches/s  p50 {marks['p50']:>8,.1f}  p99 {marks['p99']:>8,.1f} ms  "
            f"{sum(tally.errors.values()):,} errors  {refused:,} refused  {tally.interruptions:,} broken"
        )

    def _read(self, steady: bool) -> None:
        begins = steady and not self._steady
        self._own_last = usage.own()
        if begins:
            self._steady, self._own = True, self._own_last
        if not self._port:
            return
        if begins or self._server is None or not self._processes:
            self._processes = usage.processes_on_port(self._port)
            if self._processes:
                self._server = usage.read(self._processes)
        if self._processes:
            self._server_last = usage.read(self._processes)
