"""What a process counts, and all of it in the text format of Prometheus.

A process counts in plain attributes, which costs a batch under 0.3 us. Once a second, and when somebody asks, it writes
its counts into its place on a board: memory that the supervisor made before the fork. So any worker can answer for all,
a worker that is started again goes on from what was counted before it, and nothing is left behind on a disk.
"""

from __future__ import annotations

import mmap
import os
import resource
import struct
import sys
import time
import zlib
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import msgspec

BATCH_BOUNDS_S: Final = (0.005, 0.01, 0.02, 0.035, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
COMMIT_BOUNDS_S: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
PLACE_BYTES: Final = 1 << 15
STALE_S: Final = 5.0
_HEAD: Final = struct.Struct("<II")  # length, CRC-32 of the counts
CONTENT_TYPE: Final = b"text/plain; version=0.0.4; charset=utf-8"


class Histogram:
    """How many observations fell under each bound, and their sum."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds, self.counts, self.total = bounds, [0] * (len(bounds) + 1), 0.0

    def add(self, value: float) -> None:
        """Observe a value, in the unit of the bounds."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class Metrics:
    """The counts of one process; belongs to its event loop."""

    def __init__(self) -> None:
        self.batches = self.votes = self.ratings = self.ideas = self.joins = 0
        self.requests: dict[tuple[str, int], int] = {}
        self.refusals: dict[str, int] = {}
        self.batch_seconds = Histogram(BATCH_BOUNDS_S)
        self.commit_seconds = Histogram(COMMIT_BOUNDS_S)
        self.gauges: Callable[[], dict[str, float]] = dict
        """Gives what is so now: connections, streams, rooms, queue, waiting."""

    def took(self, votes: int, seconds: float) -> None:
        """Count a batch that was taken and answered with 200, `seconds` after it came: the hot path in one call."""
        self.batches += 1
        self.votes += votes
        times = self.batch_seconds
        times.counts[bisect_left(BATCH_BOUNDS_S, seconds)] += 1
        times.total += seconds

    def answered(self, route: str, status: int) -> None:
        """Count any other answer; `route` is one of a few fixed words, never a path."""
        key = (route, status)
        self.requests[key] = self.requests.get(key, 0) + 1

    def refused(self, code: str) -> None:
        """Count a refusal, of a whole request or of an entry."""
        self.refusals[code] = self.refusals.get(code, 0) + 1

    def counts(self) -> dict[str, Any]:
        """Give everything as plain data."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        return {
            "at": time.time(),
            "batches": self.batches,
            "votes": self.votes,
            "ratings": self.ratings,
            "ideas": self.ideas,
            "joins": self.joins,
            "requests": [
                ["batch", 200, self.batches],
                *([route, status, count] for (route, status), count in self.requests.items()),
            ],
            "refusals": self.refusals,
            "batch_seconds": [self.batch_seconds.counts, self.batch_seconds.total],
            "commit_seconds": [self.commit_seconds.counts, self.commit_seconds.total],
            "gauges": self.gauges(),
            "cpu": used.ru_utime + used.ru_stime,
            "memory": _resident(),
        }

    def resume(self, counts: dict[str, Any]) -> None:
        """Go on from what a process before this one had counted."""
        self.batches, self.votes, self.ratings = counts["batches"], counts["votes"], counts["ratings"]
        self.ideas, self.joins = counts["ideas"], counts["joins"]
        self.requests = {(route, status): count for route, status, count in counts["requests"][1:]}
        self.refusals = counts["refusals"]
        self.batch_seconds.counts, self.batch_seconds.total = counts["batch_seconds"]
        self.commit_seconds.counts, self.commit_seconds.total = counts["commit_seconds"]


class Board:
    """A place of shared memory for each of several processes; made before they are forked."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self._memory = mmap.mmap(-1, PLACE_BYTES * len(self.names))

    def write(self, name: str, counts: dict[str, Any]) -> None:
        """Put the counts of a process into its place (the process alone writes there)."""
        body = msgspec.json.encode(counts)
        if len(body) > PLACE_BYTES - _HEAD.size:
            return  # never so many routes and codes
        at = self.names.index(name) * PLACE_BYTES
        self._memory[at : at + _HEAD.size + len(body)] = _HEAD.pack(len(body), zlib.crc32(body)) + body

    def read(self, name: str) -> dict[str, Any] | None:
        """Give the last counts of a process; None if it wrote none."""
        at = self.names.index(name) * PLACE_BYTES
        for _ in range(20):
            length, check = _HEAD.unpack_from(self._memory, at)
            if not length:
                return None
            body = self._memory[at + _HEAD.size : at + _HEAD.size + min(length, PLACE_BYTES)]
            if zlib.crc32(body) == check:
                return dict(msgspec.json.decode(body))
            time.sleep(0.0005)  # it is being written
        return None


def text(places: Iterable[tuple[str, dict[str, Any]]], starts: dict[str, int], *, now: float) -> bytes:
    """Write counts in the text format (version 0.0.4), one series a process, labelled `worker`.

    `places`: (name of the process, its counts); `starts`: how often each process was started; `now`: seconds since
    the epoch, to tell who has not written lately.
    """
    found = list(places)
    out: list[str] = []
    for name, key, words in _COUNTERS:
        _family(out, f"essaim_{name}_total", "counter", words)
        out += [_line(f"essaim_{name}_total", one[key], worker=worker) for worker, one in found]
    _family(out, "essaim_requests_total", "counter", "Answers by route and class of status.")
    for worker, one in found:
        classes: dict[tuple[str, str], int] = {}
        for route, status, count in one["requests"]:
            key2 = (route, f"{status // 100}xx")
            classes[key2] = classes.get(key2, 0) + count
        for (route, status_class), count in sorted(classes.items()):
            out.append(_line("essaim_requests_total", count, route=route, status=status_class, worker=worker))
    _family(out, "essaim_refusals_total", "counter", "Refused requests and entries, by code.")
    for worker, one in found:
        for code, count in sorted(one["refusals"].items()):
            out.append(_line("essaim_refusals_total", count, code=code, worker=worker))
    for name, bounds, words in _HISTOGRAMS:
        _histogram(out, name, bounds, words, found)
    for name, words in _GAUGES:
        _family(out, f"essaim_{name}", "gauge", words)
        out += [
            _line(f"essaim_{name}", one["gauges"][name], worker=worker)
            for worker, one in found
            if name in one["gauges"]
        ]
    _family(out, "essaim_resident_memory_bytes", "gauge", "Memory of the process, shared pages included.")
    out += [_line("essaim_resident_memory_bytes", one["memory"], worker=worker) for worker, one in found]
    _family(out, "essaim_cpu_seconds_total", "counter", "CPU time of the process since its start.")
    out += [_line("essaim_cpu_seconds_total", one["cpu"], worker=worker) for worker, one in found]
    _family(out, "essaim_up", "gauge", "1: the process has written its counts in the last seconds.")
    out += [_line("essaim_up", int(now - one["at"] < STALE_S), worker=worker) for worker, one in found]
    _family(out, "essaim_starts_total", "counter", "How many times the process was started.")
    out += [_line("essaim_starts_total", count, worker=worker) for worker, count in starts.items()]
    return ("\n".join(out) + "\n").encode()


_COUNTERS: Final = (
    ("batches", "batches", "Batches taken."),
    ("votes", "votes", "Votes taken."),
    ("ratings", "ratings", "Ratings taken."),
    ("ideas", "ideas", "Ideas taken."),
    ("joins", "joins", "Participants let in."),
)
_HISTOGRAMS: Final = (
    ("batch_seconds", BATCH_BOUNDS_S, "From the arrival of a batch to its answer, the commit included."),
    ("commit_seconds", COMMIT_BOUNDS_S, "One group commit, until it is durable."),
)
_GAUGES: Final = (
    ("connections", "Open connections."),
    ("streams", "Open streams (server-sent events)."),
    ("rooms", "Rooms open in this process."),
    ("queue_records", "Entries that wait for the next group commit."),
    ("waiting_joins", "Participants who were told to come back to join."),
)


def _family(out: list[str], name: str, kind: str, words: str) -> None:
    out += [f"# HELP {name} {words}", f"# TYPE {name} {kind}"]


def _line(name: str, value: float, **labels: str) -> str:
    inside = ",".join(f'{key}="{_escaped(label)}"' for key, label in labels.items())
    return f"{name}{{{inside}}} {value!r}"


def _escaped(label: str) -> str:
    return label.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _histogram(
    out: list[str], name: str, bounds: Sequence[float], words: str, found: list[tuple[str, dict[str, Any]]]
) -> None:
    _family(out, f"essaim_{name}", "histogram", words)
    for worker, one in found:
        counts, total = one[name]
        below = 0
        for bound, count in zip((*map(str, bounds), "+Inf"), counts, strict=True):
            below += count
            out.append(_line(f"essaim_{name}_bucket", below, le=bound, worker=worker))
        out += [
            _line(f"essaim_{name}_sum", total, worker=worker),
            _line(f"essaim_{name}_count", below, worker=worker),
        ]


def _resident() -> int:
    """Give the resident memory in bytes: now where the system tells it, else the most there ever was."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")
    except OSError:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024


here: Final = Metrics()
"""The counts of this process."""
