"""What happened, counted while it happens: times to answer by period, refusals, errors, interruptions."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from essaim.live.crowd.histogram import Histogram

PERIODS: Final = ("ramp", "steady", "storm", "drain")


@dataclass
class Tally:
    """Counts of a run. Durations are seconds from the moment a request was due to its acknowledgement."""

    batches: dict[str, Histogram] = field(default_factory=lambda: {name: Histogram() for name in PERIODS})
    joins: Histogram = field(default_factory=Histogram)
    reads: Histogram = field(default_factory=Histogram)
    back: Histogram = field(default_factory=Histogram)
    """Seconds from the storm to the moment each was back, their batch acknowledged."""
    late: Histogram = field(default_factory=Histogram)
    """How late this program itself was: what it measures is no better than this."""
    refusals: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    entries_refused: Counter[str] = field(default_factory=Counter)
    interruptions: int = 0
    resent: int = 0

    def all_batches(self) -> Histogram:
        """Give the batches of all periods together."""
        whole = Histogram()
        for one in self.batches.values():
            whole.merge(one)
        return whole


class Times:
    """Durations of this second, as plain numbers on their way into the histograms."""

    def __init__(self) -> None:
        self.batches, self.joins, self.reads, self.late = (array("d") for _ in range(4))
        self.second = Histogram()
        """The batches of the last second that was folded."""

    def fold(self, tally: Tally, period: str, back: array[float]) -> None:
        """Move what waits into the histograms of `tally`."""
        self.second = Histogram()
        for values, into in (
            (self.batches, (tally.batches[period], self.second)),
            (self.joins, (tally.joins,)),
            (self.reads, (tally.reads,)),
            (self.late, (tally.late,)),
            (back, (tally.back,)),
        ):
            for one in into:
                one.add(values)
            del values[:]
