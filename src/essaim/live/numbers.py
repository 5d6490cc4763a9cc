"""The numbers of participants: without workers they are counted, with workers each draws from ranges it claimed."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Sequence


class Numbers:
    """Hands out numbers. `claimed` None: one above the largest known, whatever that is."""

    def __init__(self, claimed: Iterable[range] | None = None) -> None:
        self._ranges: deque[range] | None = None if claimed is None else deque(claimed)

    def next(self, above: int) -> int | None:
        """Give a number nobody else gets (`above`: one above the largest known), or None: claim more."""
        if self._ranges is None:
            return above
        while self._ranges and not len(self._ranges[0]):
            self._ranges.popleft()
        if not self._ranges:
            return None
        first = self._ranges[0]
        self._ranges[0] = first[1:]
        return first[0]

    def add(self, claimed: range) -> None:
        """Add a range that was claimed."""
        if self._ranges is not None:
            self._ranges.append(claimed)

    def give_back(self, number: int) -> None:
        """Take a number back that served for nothing: the next to come gets it."""
        if self._ranges is not None:
            self._ranges.appendleft(range(number, number + 1))

    def left(self) -> int:
        """Count what is left of the claims."""
        return sum(map(len, self._ranges or ()))

    def skip_used(self, used: Sequence[int]) -> None:
        """Leave out, of each range, all up to its largest used number; `used` ascends."""
        left: deque[range] = deque()
        for one in self._ranges or ():
            place = bisect_left(used, one.stop)
            start = max(one.start, used[place - 1] + 1) if place else one.start
            if start < one.stop:
                left.append(range(start, one.stop))
        if self._ranges is not None:
            self._ranges = left
