"""What programs of this machine use: processor time and memory, of this one and of the server when it is here too."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_LISTENING: Final = "0A"


def processes_on_port(port: int) -> set[int]:
    """Give the processes that listen on a TCP port here, with their children; empty where it cannot be known."""
    sockets = set()
    for table in ("tcp", "tcp6"):
        try:
            lines = (_PROC / "net" / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                sockets.add(f"socket:[{fields[9]}]")
    found = {int(one.name) for one in _PROC.glob("[0-9]*") if sockets and _holds(one, sockets)}
    found |= {child for child, parent in _parents().items() if parent in found}
    return found - {os.getpid()}


@dataclass(frozen=True)
class Usage:
    """A reading: processor seconds since each process began, bytes of memory, at a monotonic time."""

    seconds: float
    memory: int
    at: float

    def cores_since(self, before: Usage) -> float:
        """Give the processor cores used since an earlier reading."""
        return max(0.0, self.seconds - before.seconds) / max(1e-9, self.at - before.at)


def read(processes: Iterable[int]) -> Usage:
    """Read what these processes have used; those that have ended count for nothing."""
    tick, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
    seconds, memory = 0.0, 0
    for one in processes:
        try:
            fields = (_PROC / str(one) / "stat").read_text().rpartition(")")[2].split()
            memory += int((_PROC / str(one) / "statm").read_text().split()[1]) * page
        except (OSError, IndexError):
            continue
        seconds += (int(fields[11]) + int(fields[12])) / tick
    return Usage(seconds, memory, time.monotonic())


def own() -> Usage:
    """Read what this process uses."""
    now = read([os.getpid()])
    return Usage(time.process_time(), now.memory, now.at)


def _holds(process: Path, sockets: set[str]) -> bool:
    try:
        return any(os.readlink(one) in sockets for one in (process / "fd").iterdir())
    except OSError:
        return False


def _parents() -> dict[int, int]:
    parents = {}
    for one in _PROC.glob("[0-9]*"):
        try:
            parents[int(one.name)] = int((one / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            continue
    return parents
