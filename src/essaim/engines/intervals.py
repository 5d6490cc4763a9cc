"""Intervals on shares.

Jeffreys interval: the equal-tailed interval of the Beta(k + 1/2, n - k + 1/2) posterior, with the low end set
to 0 when k = 0 and the high end to 1 when k = n. Chosen over Wilson's because its coverage is closest to the
nominal level on average for small groups and it shares its error evenly between both ends.
Source: Brown, Cai, DasGupta, "Interval Estimation for a Binomial Proportion", Statistical Science 16 (2001).
"""

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv

METHOD = "Jeffreys"
SOURCE = "Brown, Cai, DasGupta (2001), Statistical Science 16:101-133"

Floats = npt.NDArray[np.float64]


def proportion(successes: npt.ArrayLike, n: npt.ArrayLike, *, level: float = 0.95) -> tuple[Floats, Floats]:
    """Low and high end of the share behind `successes` out of `n` (broadcast together), both in [0, 1].

    level: 0 < level < 1, usually 0.90 or 0.95. Nothing observed (n = 0) gives (0, 1).
    Raises ValueError for a count below 0, more successes than n, or an impossible level.
    """
    if not 0 < level < 1:
        raise ValueError(f"level: between 0 and 1 (0.95 for 95 %), got {level}")
    k, total = np.broadcast_arrays(np.asarray(successes, dtype=float), np.asarray(n, dtype=float))
    if bool(np.any((k < 0) | (total < k))):
        raise ValueError("counts: 0 <= successes <= n is needed")
    tail = (1 - level) / 2
    a, b = k + 0.5, total - k + 0.5
    low = np.where(k == 0, 0.0, betaincinv(a, b, tail))
    high = np.where(k == total, 1.0, betaincinv(a, b, 1 - tail))
    return low, high
