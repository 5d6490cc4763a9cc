"""How several processes should take connections: one socket that all inherit, or one each (SO_REUSEPORT).

python bench/listening.py [--workers 2]      prints the tables of docs/why/0007

Each worker is a uvloop server that works 25 us a request. In both designs the parent made the sockets before the
fork and keeps them open, as `essaim serve` does. Three questions: how evenly are connections shared, at rest and
under load; what becomes of connections while a worker is dead (kill -9, back after 0.5 s).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import socket
import time
from dataclasses import dataclass, field

import uvloop

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
WORK_NS = 25_000
AWAY_S = 0.5


class Answering(asyncio.Protocol):
    """Answers with the number of its worker, after a little work."""

    worker = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        until = time.perf_counter_ns() + WORK_NS
        while time.perf_counter_ns() < until:
            pass
        self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % self.worker)  # type: ignore[attr-defined]


def sockets(design: str, workers: int) -> list[socket.socket]:
    """Give the socket of each worker: the same one, or one each on the same port."""
    port, made = 0, []
    for _ in range(workers if design == "each" else 1):
        one = socket.socket()
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if design == "each":
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        one.bind(("127.0.0.1", port))
        one.listen(4096)
        one.setblocking(False)
        port = one.getsockname()[1]
        made.append(one)
    return made if design == "each" else made * workers


def fork(worker: int, listener: socket.socket) -> int:
    """Start a worker; give its process."""
    pid = os.fork()
    if pid:
        return pid
    Answering.worker = worker

    async def serve() -> None:
        await asyncio.get_running_loop().create_server(Answering, sock=listener, backlog=4096)
        await asyncio.Event().wait()

    uvloop.run(serve())
    os._exit(0)


@dataclass
class Seen:
    """What the clients saw."""

    by_worker: dict[int, int] = field(default_factory=dict)
    refused: int = 0
    reset: int = 0
    first_ms: list[float] = field(default_factory=list)

    def least(self, workers: int) -> str:
        """The share of the worker that has the fewest connections (a fair one: 1 / workers)."""
        total = sum(self.by_worker.values())
        return f"{100 * min(self.by_worker.get(n, 0) for n in range(workers)) / total:5.1f} %"


async def client(port: int, seen: Seen, gone: asyncio.Event, pace: float) -> None:
    """One connection: a request at once, then one every `pace` seconds on average (0: none) until `gone`."""
    started = time.perf_counter()
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        seen.refused += 1
        return
    try:
        writer.write(REQUEST)
        answer = await reader.readexactly(len(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n0"))
        seen.first_ms.append((time.perf_counter() - started) * 1000)
        worker = int(answer[-1:])
        seen.by_worker[worker] = seen.by_worker.get(worker, 0) + 1
        while not gone.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(gone.wait(), pace or None)
            if pace and not gone.is_set():
                writer.write(REQUEST)
                await reader.readexactly(len(answer))
    except (OSError, asyncio.IncompleteReadError):
        seen.reset += 1
    finally:
        writer.close()


async def crowd(port: int, count: int, per_s: float, pace: float, after_s: float) -> Seen:
    """Open `count` connections, `per_s` a second (0: all at once), and keep them until `after_s` after the last."""
    seen, gone, tasks = Seen(), asyncio.Event(), []
    begun = time.perf_counter()
    for number in range(count):
        tasks.append(asyncio.create_task(client(port, seen, gone, pace)))
        late = begun + number / per_s - time.perf_counter() if per_s else 0
        if late > 0:
            await asyncio.sleep(late)
    await asyncio.sleep(after_s)
    gone.set()
    await asyncio.gather(*tasks)
    return seen


async def deaths(port: int, pids: list[int], listeners: list[socket.socket]) -> Seen:
    """Open 200 short connections a second while worker 0 is killed and comes back, three times."""

    async def kill() -> None:
        for _ in range(3):
            await asyncio.sleep(1)
            os.kill(pids[0], signal.SIGKILL)
            os.waitpid(pids[0], 0)
            await asyncio.sleep(AWAY_S)
            pids[0] = fork_beside(listeners[0])

    seen, closed = Seen(), asyncio.Event()
    closed.set()  # one request each, so that a connection broken by the kill itself is rare
    killing, tasks = asyncio.create_task(kill()), []
    while not killing.done():
        tasks.append(asyncio.create_task(client(port, seen, closed, 0)))
        await asyncio.sleep(0.005)
    await asyncio.gather(killing, *tasks)
    return seen


def fork_beside(listener: socket.socket) -> int:
    """Start worker 0 again from a process that runs an event loop: by a fresh interpreter."""
    code = (
        "import sys, socket, os; sys.path.insert(0, os.path.dirname(sys.argv[1]));"
        "import listening, uvloop, asyncio;"
        "s = socket.socket(fileno=int(sys.argv[2]));"
        "\nasync def serve():\n"
        "    await asyncio.get_running_loop().create_server(listening.Answering, sock=s, backlog=4096)\n"
        "    await asyncio.Event().wait()\n"
        "uvloop.run(serve())"
    )
    import subprocess
    import sys

    fd = listener.fileno()
    return subprocess.Popen(
        [sys.executable, "-c", code, os.path.abspath(__file__), str(fd)], pass_fds=[fd]
    ).pid


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    workers = options.workers
    print(f"{'':34}{'one socket':>14}{'one each':>14}")
    rows: dict[str, list[str]] = {}
    for design in ("shared", "each"):
        listeners = sockets(design, workers)
        port = listeners[0].getsockname()[1]
        pids = [fork(n, listeners[n]) for n in range(workers)]
        time.sleep(0.5)
        try:
            table = {
                "least share, 4,000 at once": uvloop.run(crowd(port, 4000, 0, 0, 0.5)).least(workers),
                "least share, 500 a second": uvloop.run(crowd(port, 2000, 500, 0, 0.5)).least(workers),
                "least share, 500 a second, busy": uvloop.run(crowd(port, 2000, 500, 0.2, 1)).least(workers),
            }
            seen = uvloop.run(deaths(port, pids, listeners))
            first = sorted(seen.first_ms)
            table |= {
                "worker 0 killed three times: asked": str(len(first) + seen.refused + seen.reset),
                "  refused": str(seen.refused),
                "  reset": str(seen.reset),
                "  waited more than 100 ms": str(sum(ms > 100 for ms in first)),
                "  longest wait": f"{first[-1]:.0f} ms",
            }
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
        for name, value in table.items():
            rows.setdefault(name, []).append(value)
    for name, values in rows.items():
        print(f"{name:34}" + "".join(f"{value:>14}" for value in values))


if __name__ == "__main__":
    main()
