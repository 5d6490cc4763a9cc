"""A timer wheel: hundreds of thousands of pending moments, each put in and taken out in constant time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

TICKS_PER_S: Final = 1000


class Wheel:
    """Slots of 1 ms. What lies beyond the horizon comes out at the horizon: too early, never too late."""

    def __init__(self, start: float, horizon_s: float) -> None:
        self.start = start
        self._slots: list[list[int] | None] = [None] * (1 << int(horizon_s * TICKS_PER_S).bit_length())
        self._mask = len(self._slots) - 1
        self._cursor = 0  # the last tick that was taken out

    def put(self, at: float, token: int) -> None:
        """Keep `token` until the moment `at` (monotonic seconds); what is past comes with the next tick."""
        tick = int((at - self.start) * TICKS_PER_S) + 1
        cursor = self._cursor
        if tick <= cursor:
            tick = cursor + 1
        elif tick > cursor + self._mask:
            tick = cursor + self._mask
        place = tick & self._mask
        slot = self._slots[place]
        if slot is None:
            self._slots[place] = [token]
        else:
            slot.append(token)

    def take(self, now: float) -> Iterator[list[int]]:
        """Take out the tokens whose moment has come, in the order of their ticks."""
        until = int((now - self.start) * TICKS_PER_S)
        slots, mask = self._slots, self._mask
        while self._cursor < until:
            self._cursor += 1
            place = self._cursor & mask
            tokens = slots[place]
            if tokens is not None:
                slots[place] = None
                yield tokens

    def take_all(self) -> Iterator[list[int]]:
        """Take out everything, whenever its moment would have come."""
        for place, tokens in enumerate(self._slots):
            if tokens is not None:
                self._slots[place] = None
                yield tokens
