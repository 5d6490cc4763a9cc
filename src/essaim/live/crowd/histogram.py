"""A histogram of durations in fixed memory: buckets that grow by 2 %, so a quantile is off by 1 % at most."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

GROWTH: Final = 1.02
SMALLEST_S: Final = 1e-6
_LOG: Final = math.log(GROWTH)
_BUCKETS: Final = math.ceil(math.log(1e4 / SMALLEST_S) / _LOG) + 1  # up to 10,000 s


class Histogram:
    """Durations in seconds; 1,164 counters whatever is added."""

    def __init__(self) -> None:
        self.counts: npt.NDArray[np.int64] = np.zeros(_BUCKETS, dtype=np.int64)
        self.largest = 0.0

    def __len__(self) -> int:
        return int(self.counts.sum())

    def add(self, durations: Any) -> None:
        """Add durations (an array or buffer of float64 seconds); what is under 1 us counts as 1 us."""
        values = np.asarray(durations, dtype=np.float64)
        if not values.size:
            return
        buckets = np.log(np.maximum(values, SMALLEST_S) / SMALLEST_S) / _LOG
        places = np.minimum(buckets.astype(np.int64), _BUCKETS - 1)
        self.counts += np.bincount(places, minlength=_BUCKETS)
        self.largest = max(self.largest, float(values.max()))

    def merge(self, other: Histogram) -> None:
        """Add all that another one holds."""
        self.counts += other.counts
        self.largest = max(self.largest, other.largest)

    def quantile(self, share: float) -> float:
        """Give the duration that `share` (0 to 1) of the durations do not exceed; 0.0 when there is none."""
        total = len(self)
        if not total:
            return 0.0
        rank = max(1, math.ceil(share * total))
        if rank == total:
            return self.largest
        bucket = int(np.searchsorted(np.cumsum(self.counts), rank))
        middle: float = SMALLEST_S * GROWTH ** (bucket + 0.5)
        return min(middle, self.largest)

    def summary(self) -> dict[str, float]:
        """Give the count, and p50, p90, p99, p99.9 and the largest in milliseconds."""
        marks = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999}
        found = {name: round(self.quantile(share) * 1000, 2) for name, share in marks.items()}
        return {"count": len(self), **found, "max": round(self.largest * 1000, 2)}
