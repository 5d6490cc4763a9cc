"""Many open streams, to see how long one event takes to reach everybody. Each process watches some of them.

What comes is kept as counts per millisecond of a clock that all processes of a machine share, so they add up.
"""

from __future__ import annotations

import multiprocessing
import re
import select
import socket
import ssl
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any, Final

from essaim.live.crowd import wire
from essaim.live.crowd.connections import loopback_source, would_block
from essaim.live.crowd.target import Target

PER_PROCESS: Final = 17_500
_QUIET_MS: Final = 500
_AT_ONCE: Final = 200
_EVENT: Final = re.compile(rb"event: (\w+)\ndata: (\d+)\n")

Bins = dict[tuple[str, int], Counter[int]]
"""(event, revision) → millisecond of the monotonic clock → how many streams received it."""


@dataclass
class Watched:
    """What all streams together received."""

    streams: int = 0
    refused: int = 0
    lost: int = 0
    """Streams that the server ended."""
    bins: Bins = field(default_factory=lambda: defaultdict(Counter))

    def add(self, other: Watched) -> None:
        """Add what another process saw."""
        self.streams += other.streams
        self.refused += other.refused
        self.lost += other.lost
        for key, counts in other.bins.items():
            self.bins[key].update(counts)

    def events(self) -> list[Event]:
        """Give every event with its spread, in the order of time."""
        found = []
        for (name, revision), counts in self.bins.items():
            found += _split(name, revision, counts, self.streams)
        return sorted(found, key=lambda one: one.at_ms)


@dataclass(frozen=True)
class Event:
    """One event: milliseconds of the monotonic clock at the first receipt, then those from the first to…"""

    name: str
    revision: int
    at_ms: int
    received: int
    p50: int
    p99: int
    last: int


def _split(name: str, revision: int, counts: Counter[int], streams: int) -> list[Event]:
    """Tell apart events of one name and revision: one ends when all streams have it, or after half a second."""
    events: list[Event] = []
    group: list[tuple[int, int]] = []
    for at in sorted(counts):
        if group and (at - group[-1][0] > _QUIET_MS or sum(n for _, n in group) >= streams):
            events.append(_event(name, revision, group))
            group = []
        group.append((at, counts[at]))
    if group:
        events.append(_event(name, revision, group))
    return events


def _event(name: str, revision: int, group: list[tuple[int, int]]) -> Event:
    total = sum(n for _, n in group)
    first = group[0][0]

    def reached(share: float) -> int:
        so_far = 0
        for at, n in group:
            so_far += n
            if so_far >= share * total:
                return at - first
        return group[-1][0] - first

    return Event(name, revision, first, total, reached(0.5), reached(0.99), group[-1][0] - first)


class Watchers:
    """Processes that hold streams open; `start`, then `opened`, then `stop` gives what they saw."""

    def __init__(self, target: Target, streams: int, *, per_process: int = PER_PROCESS) -> None:
        self._target, self._parts = target, []
        count = max(1, -(-streams // per_process))
        sizes = [streams // count + (part < streams % count) for part in range(count)]
        context = multiprocessing.get_context("spawn")
        self._processes = []
        for part, size in enumerate(sizes):
            ours, theirs = context.Pipe()
            process = context.Process(target=_watch, args=(target, size, part, theirs), daemon=True)
            self._processes.append(process)
            self._parts.append(ours)

    def start(self) -> None:
        """Let them begin to open their streams."""
        for process in self._processes:
            process.start()

    def opened(self) -> tuple[int, int]:
        """Wait until all have tried; give (open, refused)."""
        answers = [pipe.recv() for pipe in self._parts]
        return sum(one[0] for one in answers), sum(one[1] for one in answers)

    def stop(self) -> Watched:
        """End the streams and give what they received since all were open."""
        whole = Watched()
        for pipe in self._parts:
            pipe.send("stop")
        for pipe in self._parts:
            whole.add(pipe.recv())
        for process in self._processes:
            process.join(10)
        return whole


def _watch(target: Target, count: int, source: int, pipe: Any) -> None:
    """The work of one process."""
    request, tls = wire.Requests(target).stream, target.tls()
    poll = select.epoll()
    streams: dict[int, socket.socket] = {}
    seen = Watched()
    tails: dict[int, bytes] = {}
    wanted, told = count, False
    opening: set[int] = set()
    while True:
        while wanted and len(opening) < _AT_ONCE:
            wanted -= 1
            sock = _open(target, tls, source, request)
            if sock is None:
                seen.refused += 1
                continue
            streams[sock.fileno()] = sock
            opening.add(sock.fileno())
            poll.register(sock.fileno(), select.EPOLLIN)
        for file, _ in poll.poll(0.05, 4096):
            now = int(time.monotonic() * 1000)
            data = _receive(streams[file])
            if data is None:
                continue
            if file in opening:
                opening.discard(file)
                if not data.startswith(b"HTTP/1.1 200"):
                    seen.refused += 1
                    _drop(poll, streams, file)
                    continue
            if not data:
                seen.lost += 1
                _drop(poll, streams, file)
                continue
            data = tails.pop(file, b"") + data
            end = 0
            for event in _EVENT.finditer(data):
                end = event.end()
                seen.bins[event[1].decode(), int(event[2])][now] += 1
            half = data.find(b"event:", end)
            if half >= 0:
                tails[file] = data[half:]
        if not told and not wanted and not opening:
            told = True
            seen.bins.clear()
            pipe.send((len(streams), seen.refused))
        if told and pipe.poll():
            break
    seen.streams = len(streams)
    seen.bins = dict(seen.bins)
    pipe.send(seen)


def _open(target: Target, tls: ssl.SSLContext | None, source: int, request: bytes) -> socket.socket | None:
    try:
        sock = socket.socket(target.family, socket.SOCK_STREAM)
        loopback_source(sock, target, source)  # a process has fewer descriptors than an address has ports
        sock.settimeout(20)
        sock.connect((target.address, target.port))
        if tls is not None:
            sock = tls.wrap_socket(sock, server_hostname=target.host)
        sock.sendall(request)
        sock.setblocking(False)
    except OSError:
        return None
    return sock


def _receive(sock: socket.socket) -> bytes | None:
    try:
        return sock.recv(16_384)
    except OSError as error:
        return None if would_block(error) else b""


def _drop(poll: select.epoll, streams: dict[int, socket.socket], file: int) -> None:
    poll.unregister(file)
    streams.pop(file).close()
