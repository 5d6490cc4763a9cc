"""What an operator reads at the end: yes or no, why, and the figures."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from essaim.live.crowd.ledger import Check
from essaim.live.crowd.room_view import Spread
from essaim.live.crowd.storm import LONGEST_S
from essaim.live.crowd.tally import Tally
from essaim.live.crowd.watching import Event

_LATE_S = 0.25
_STORM_GOAL_S = 30.0


@dataclass
class Outcome:
    """All that was found in a run; times in the tally are in seconds."""

    people: int
    inside: int
    connections: int
    seconds: float
    within_ms: float
    tally: Tally
    check: Check | None = None
    own_cores: float = 0.0
    server_cores: float | None = None
    server_memory: int = 0
    may_break: bool = False
    """The server was to be killed, or connections to be cut: broken connections are no fault."""
    storm_hit: int = 0
    storm_missing: int = 0
    spread: Spread | None = None
    streams: int = 0
    streams_refused: int = 0
    streams_lost: int = 0
    events: list[Event] = field(default_factory=list)

    def faults(self) -> list[str]:
        """Give the reasons for a no, the gravest first; none: yes."""
        tally, found = self.tally, []
        if self.check is not None and self.check.lost:
            found.append(f"{self.check.lost:,} acknowledged entries are lost")
        if self.check is not None and self.check.doubled:
            found.append(f"{self.check.doubled:,} entries were counted twice")
        if self.check is None:
            found.append("what was acknowledged could not be compared with what the server holds")
        if tally.errors:
            found.append("errors: " + ", ".join(f"{n:,} × {name}" for name, n in tally.errors.most_common(3)))
        if tally.interruptions and not self.may_break:
            found.append(f"{tally.interruptions:,} connections broke or gave no answer in 20 s")
        if self.inside < self.people:
            found.append(f"{self.people - self.inside:,} people could not come in")
        p99 = tally.batches["steady"].quantile(0.99) * 1000
        if p99 > self.within_ms:
            found.append(f"p99 {p99:,.0f} ms is over {self.within_ms:,.0f} ms")
        if self.storm_missing:
            found.append(f"{self.storm_missing:,} people were not back {LONGEST_S:.0f} s after the storm")
        elif tally.back.largest > _STORM_GOAL_S:
            found.append(f"the last one was back {tally.back.largest:.1f} s after the storm, not within 30 s")
        if self.streams_refused:
            found.append(f"{self.streams_refused:,} streams were refused")
        if self.streams_lost and not self.may_break:
            found.append(f"{self.streams_lost:,} streams were cut by the server")
        return found

    @property
    def overloaded(self) -> bool:
        """Say whether this program was too busy for its figures to be about the server alone."""
        return self.tally.late.quantile(0.99) > _LATE_S

    @property
    def holds(self) -> bool:
        """Say yes or no."""
        return not self.faults()

    def lines(self) -> list[str]:
        """Give the verdict in words."""
        tally, steady = self.tally, self.tally.batches["steady"].summary()
        server = "" if self.server_cores is None else f", your server used {self.server_cores:.2f} core"
        memory = f" and {self.server_memory / 1e6:,.0f} MB" if self.server_memory else ""
        answer = "yes" if self.holds else "no"
        lines = [
            f"{self.people:,} people: {answer}. p99 {steady['p99']:,.0f} ms, "
            f"{sum(tally.errors.values()):,} errors{server}{memory}."
        ]
        lines += [f"  - {fault}" for fault in self.faults()]
        if self.check is not None:
            lines += [f"      {fault}" for fault in self.check.faults]
        if self.overloaded:
            late = tally.late.summary()
            lines.append(
                f"  This machine was itself too busy (its loop took {late['p99']:,.0f} ms, p99): the figures hold that too. "
                "Use another machine for the crowd, or fewer people."
            )
        lines.append("")
        lines.append(
            f"  {'':18}{'count':>10}{'p50':>9}{'p90':>9}{'p99':>9}{'p99.9':>9}{'max':>9}  ms, from the due time"
        )
        rows = [(name, tally.batches[period]) for period, name in _PERIODS] + [
            ("joins", tally.joins),
            ("reading", tally.reads),
            ("back after storm", tally.back),
        ]
        for name, histogram in rows:
            if len(histogram):
                marks = histogram.summary()
                lines.append(
                    f"  {name:18}"
                    + f"{marks.pop('count'):>10,}"
                    + "".join(f"{v:>9,.1f}" for v in marks.values())
                )
        lines.append(
            f"  {self.inside:,} people came in over {self.connections:,} connections; {tally.resent:,} requests were "
            f"sent again, {tally.interruptions:,} connections broke; this crowd used {self.own_cores:.2f} core."
        )
        if tally.refusals:
            lines.append(
                "  refused for a while: "
                + ", ".join(f"{n:,} × {k}" for k, n in tally.refusals.most_common(5))
            )
        if tally.entries_refused:
            lines.append(
                "  entries refused: "
                + ", ".join(f"{n:,} × {k}" for k, n in tally.entries_refused.most_common(5))
            )
        if self.check is not None:
            lines.append(
                f"  ledger: {self.check.acknowledged:,} acknowledged, {self.check.lost:,} lost, {self.check.doubled:,} "
                f"doubled (counts of the room, and {self.check.asked:,} people one by one)"
            )
        if self.storm_hit:
            lines.append(f"  storm: {self.storm_hit:,} people cut off, {self.storm_missing:,} not back")
        if self.spread is not None:
            one = self.spread
            lines.append(
                f"  phase switch: {one.people:,} estimated clocks, {one.range:,.0f} ms between the first and the last "
                f"(from the middle: p50 {one.p50:,.1f}, p99 {one.p99:,.1f}); {one.uninformed:,} with an older plan"
            )
        if self.streams:
            lines.append(f"  {self.streams:,} streams; from the first to the last of them, ms:")
            lines += [
                f"    {one.name} {one.revision}: {one.received:,} received, p50 {one.p50:,}, p99 {one.p99:,}, last {one.last:,}"
                for one in self.events[-20:]
            ]
        return lines

    def document(self) -> dict[str, Any]:
        """Give everything for programs."""
        tally = self.tally
        return {
            "holds": self.holds,
            "faults": self.faults(),
            "overloaded": self.overloaded,
            "people": self.people,
            "inside": self.inside,
            "connections": self.connections,
            "seconds": round(self.seconds, 1),
            "batches_per_s": round(len(tally.all_batches()) / max(self.seconds, 1e-9), 1),
            "batches": {period: tally.batches[period].summary() for period, _ in _PERIODS},
            "joins": tally.joins.summary(),
            "reads": tally.reads.summary(),
            "back": tally.back.summary(),
            "late": tally.late.summary(),
            "errors": dict(tally.errors),
            "refusals": dict(tally.refusals),
            "entries_refused": dict(tally.entries_refused),
            "interruptions": tally.interruptions,
            "resent": tally.resent,
            "own_cores": round(self.own_cores, 3),
            "server_cores": None if self.server_cores is None else round(self.server_cores, 3),
            "server_memory": self.server_memory,
            "storm": {"hit": self.storm_hit, "missing": self.storm_missing},
            "check": None if self.check is None else vars(self.check),
            "spread_ms": None if self.spread is None else vars(self.spread),
            "streams": {"open": self.streams, "refused": self.streams_refused, "lost": self.streams_lost},
            "events": [vars(one) for one in self.events],
        }


_PERIODS = (
    ("ramp", "batches, ramp"),
    ("steady", "batches"),
    ("storm", "batches, storm"),
    ("drain", "batches, end"),
)
