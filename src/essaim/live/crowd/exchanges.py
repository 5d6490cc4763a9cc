"""Requests and answers: one at a time on a connection, the others wait for a free one. Who asked is a number."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Final

from essaim.live.crowd import wire
from essaim.live.crowd.connections import CLOSED, OPEN, Connections, would_block
from essaim.live.crowd.target import Target

_READ: Final = 4_096

Answered = Callable[[int, int, bytes, bytes, float, float], None]
"""Called with (token, status, head, body, monotonic time, when it was asked)."""
Broken = Callable[[int, str], None]
"""Called with (token, what was wrong: nothing when the connection just broke)."""


class Exchanges:
    """`ask` for a token; the answer, or the break, comes in `turn`. The caller sets `now` as time goes on."""

    def __init__(self, target: Target, connections: int, answered: Answered, broken: Broken) -> None:
        self.connections = Connections(target, connections)
        self.now = 0.0
        self.heads = wire.Heads()
        self._heads = self.heads.known
        self._free = self.connections.free
        self._send, self._receive = self.connections.send, self.connections.receive
        self._answered, self._broken = answered, broken
        self._asked_by = [-1] * connections
        self._asked_at = [0.0] * connections
        self._partial: dict[int, bytes] = {}
        self._waiting: deque[tuple[int, bytes, bool]] = deque()

    def ask(self, token: int, request: bytes, fresh: bool = False) -> None:
        """Send on the next free connection (`fresh`: a new one), or wait for one; waiting counts as time."""
        if not self._free:
            self._waiting.append((token, request, fresh))
            return
        place = self._free.popleft()
        self._asked_by[place] = token
        self._asked_at[place] = self.now
        send = self._send[place]
        if fresh and send is not None:
            self.connections.close(place)
            send = None
        if send is None:
            if self.connections.open(place, request):
                return
        else:
            try:
                if send(request) == len(request):
                    return
            except OSError:
                pass
        self._break(place)

    def turn(self, seconds: float) -> int:
        """Look for answers for so long at most; give how many connections had news."""
        while self._waiting and self._free:
            self.ask(*self._waiting.popleft())
        ready = self.connections.poll(seconds)
        for place in ready:
            self._read(place)
        return len(ready)

    def cut_overdue(self, seconds: float) -> None:
        """Break what has waited longer than `seconds` for its answer."""
        late = self.now - seconds
        for place, asked in enumerate(self._asked_at):
            if asked < late and self._asked_by[place] >= 0:
                self._break(place)

    def cut_all(self) -> None:
        """Break every connection now, and what waits for one."""
        for place in range(self.connections.count):
            if self._asked_by[place] >= 0:
                self._break(place)
            else:
                self.connections.close(place)
        waiting, self._waiting = self._waiting, deque()
        for token, _, _ in waiting:
            self._broken(token, "")

    def close(self) -> None:
        """End everything, telling nobody."""
        self.connections.close_all()

    def _read(self, place: int) -> None:
        try:
            data = self._receive[place](_READ)
        except OSError as error:
            if would_block(error):
                return
            data = b""
        if not data:
            if self.connections.state[place] in (CLOSED, OPEN):  # else it was opened anew a moment ago
                self._break(place)
            return
        if self._partial:
            data = self._partial.pop(place, b"") + data
        head, found, body = data.partition(b"\r\n\r\n")
        known = self._heads.get(head)
        if known is None:
            try:
                known = self.heads.read(head) if found else (0, -1)
            except wire.Malformed as error:
                self._break(place, str(error))
                return
        status, length = known
        if len(body) != length:
            self._read_more(place, data, head, body, length)
            return
        token = self._asked_by[place]
        if token < 0:
            self.connections.close(place)  # it speaks without being asked (408, for example)
            return
        self._asked_by[place] = -1
        self._free.append(place)
        self.now = now = time.monotonic()
        self._answered(token, status, head, body, now, self._asked_at[place])

    def _read_more(self, place: int, data: bytes, head: bytes, body: bytes, length: int) -> None:
        """Keep the part that came. TLS may hold the rest already, without the system knowing: look again."""
        if len(body) > length >= 0 or len(head) > wire.LARGEST_HEAD:
            self._break(place, "an answer longer than it says")
            return
        self._partial[place] = data
        if self.connections.encrypted:
            self._read(place)

    def _break(self, place: int, why: str = "") -> None:
        self.connections.close(place)
        self._partial.pop(place, None)
        token = self._asked_by[place]
        if token < 0:
            return  # an idle connection: it is opened again when its turn comes
        self._asked_by[place] = -1
        self._free.append(place)
        self._broken(token, why)
