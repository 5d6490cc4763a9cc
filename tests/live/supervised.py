"""A small supervised program, run by the tests of the supervisor: `python -m tests.live.supervised KIND [PORT]`.

Its workers answer a line that names them to each connection, and write their process identifier on standard output.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import socket
import sys
import time
from functools import partial

from essaim.live import listening
from essaim.live.supervisor import Child, Ready, Supervisor


def say(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def answer(name: str, sockets: list[socket.socket], ready: Ready) -> int:
    """Answer each connection with one line; at SIGTERM finish the one under way."""
    ending = []
    signal.signal(signal.SIGTERM, lambda *_: ending.append(1))
    say(name, os.getpid())
    ready()
    while not ending:
        for listener in select.select(sockets, [], [], 0.02)[0]:
            with contextlib.suppress(BlockingIOError):  # another worker on the same socket was quicker
                connection, _ = listener.accept()
                with connection:
                    connection.sendall(f"{name}\n".encode())
    return 0


def fail(ready: Ready) -> int:
    say("failing", os.getpid())
    return 3


def deaf(ready: Ready) -> int:
    """Do not end when asked."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    say("deaf", os.getpid())
    ready()
    while True:
        time.sleep(60)


def main() -> int:
    logging.basicConfig(format="%(message)s")
    kind = sys.argv[1]
    sockets = listening.inherited() or listening.bound("127.0.0.1", int(sys.argv[2]), 2)
    shares = listening.shares(sockets, 2)
    workers = [Child(f"worker {n}", partial(answer, f"worker-{n}", shares[n]), shares[n]) for n in range(2)]
    if kind == "both-fail":
        workers = [Child(one.name, fail, one.sockets) for one in workers]
    elif kind == "one-fails":
        workers[1] = Child(workers[1].name, fail, workers[1].sockets)
    elif kind == "deaf":
        workers.append(Child("ranker", deaf))
    elif kind == "once":
        workers.append(Child("crowd", fail, again=False))
    return Supervisor(workers, on_ready=lambda: say("ready", os.getpid()), stop_s=1.0).run()


if __name__ == "__main__":
    sys.exit(main())
