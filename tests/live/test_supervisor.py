"""The supervisor: children that die come back, connections wait meanwhile, nothing outlives the parent."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from essaim.live import listening

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 20


class Program:
    """`tests.live.supervised` in a process of its own, and what it says."""

    def __init__(self, command: list[str], port: int, **options: object) -> None:
        self.port = port
        environ = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
        self.process = subprocess.Popen(
            command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
        )  # type: ignore[call-overload]
        self.said: list[str] = []
        self.complained: list[str] = []
        for stream, into in ((self.process.stdout, self.said), (self.process.stderr, self.complained)):
            threading.Thread(target=lambda s=stream, i=into: i.extend(map(str.strip, s)), daemon=True).start()

    def pids(self, name: str) -> list[int]:
        """The processes that a child had, the latest last."""
        return [int(line.split()[1]) for line in list(self.said) if line.startswith(name + " ")]

    def until(self, true: Callable[[], bool]) -> None:
        """Wait for something."""
        end = time.monotonic() + PATIENCE_S
        while not true():
            assert time.monotonic() < end, (self.said, self.complained)
            time.sleep(0.01)

    def ready(self) -> Program:
        self.until(lambda: bool(self.pids("ready")))
        return self

    def ask(self) -> str:
        """Open a connection; give the name of who answered."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S) as connection:
            return connection.makefile().readline().strip()

    def end(self) -> int:
        """SIGTERM; give the exit code."""
        self.process.terminate()
        return self.process.wait(PATIENCE_S)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.fixture
def start() -> Iterator[Callable[[str], Program]]:
    started: list[Program] = []

    def begin(kind: str) -> Program:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        program = Program([sys.executable, "-m", "tests.live.supervised", kind, str(port)], port)
        started.append(program)
        return program

    yield begin
    for program in started:
        if program.process.poll() is None:
            program.process.kill()
            program.process.wait()


def test_connections_are_shared_and_a_stop_is_clean(start: Callable[[str], Program]) -> None:
    program = start("plain").ready()
    assert {program.ask() for _ in range(60)} == {"worker-0", "worker-1"}
    assert program.end() == 0
    assert not any(alive(pid) for name in ("worker-0", "worker-1") for pid in program.pids(name))
    assert program.complained == []


def test_a_killed_worker_comes_back_and_no_connection_is_refused(start: Callable[[str], Program]) -> None:
    program = start("plain").ready()
    kills = 0
    for number in range(300):
        if number % 60 == 30:
            os.kill(program.pids("worker-1")[-1], signal.SIGKILL)
            kills += 1
            if number > 200:  # the last one: wait until it is back
                program.until(lambda kills=kills: len(program.pids("worker-1")) > kills)
        try:
            assert program.ask() in ("worker-0", "worker-1", "")
        except ConnectionResetError:
            continue  # it had been accepted by the process that was killed
    program.until(lambda: len(program.pids("worker-1")) == kills + 1)
    assert program.end() == 0
    assert all("worker 1 died (signal SIGKILL)" in line for line in program.complained)
    assert len(program.complained) == kills


def test_sighup_replaces_all_one_after_the_other(start: Callable[[str], Program]) -> None:
    program = start("plain").ready()
    stop, answered, failed = threading.Event(), [], []

    def visit() -> None:
        while not stop.is_set():
            try:
                answered.append(program.ask())
            except OSError as error:
                failed.append(error)

    visitors = [threading.Thread(target=visit) for _ in range(3)]
    for one in visitors:
        one.start()
    for times in (1, 2):
        program.process.send_signal(signal.SIGHUP)
        program.until(
            lambda times=times: all(len(program.pids(n)) == times + 1 for n in ("worker-0", "worker-1"))
        )
    stop.set()
    for one in visitors:
        one.join()
    assert failed == []
    assert set(answered) == {"worker-0", "worker-1"}
    assert program.end() == 0
    assert program.complained == []


def test_children_end_when_the_parent_is_killed(start: Callable[[str], Program]) -> None:
    program = start("deaf").ready()
    program.until(lambda: bool(program.pids("deaf")))
    program.process.kill()
    program.process.wait()
    pids = [program.pids(name)[-1] for name in ("worker-0", "worker-1", "deaf")]
    program.until(lambda: not any(map(alive, pids)))


def test_when_no_worker_can_start_the_parent_ends_and_says_why(start: Callable[[str], Program]) -> None:
    program = start("both-fail")
    assert program.process.wait(PATIENCE_S) == 1
    program.until(lambda: any("there is no other" in line for line in program.complained))
    assert any("died 3 times at its start (exit code 3)" in line for line in program.complained)
    assert program.pids("ready") == []


def test_a_worker_that_cannot_start_is_left_out(start: Callable[[str], Program]) -> None:
    program = start("one-fails").ready()
    assert len(program.pids("failing")) == 3
    assert {program.ask() for _ in range(40)} == {"worker-0"}  # its connections go to the other
    assert program.end() == 0


def test_a_child_that_does_not_end_is_killed(start: Callable[[str], Program]) -> None:
    program = start("deaf").ready()
    program.until(lambda: bool(program.pids("deaf")))
    assert program.end() == 0
    program.until(lambda: program.complained == ["ranker did not end in time: killed"])
    assert not alive(program.pids("deaf")[-1])


def test_what_runs_once_is_not_started_again(start: Callable[[str], Program]) -> None:
    program = start("once").ready()
    program.until(lambda: program.complained == ["crowd ended (exit code 3)"])
    assert program.ask()
    assert program.end() == 0
    assert len(program.pids("failing")) == 1


@pytest.mark.parametrize("count", [1, 2, 3])
def test_sockets_of_systemd(count: int) -> None:
    """LISTEN_FDS, as systemd gives them; connections made before the start are answered after it."""
    made = [socket.socket() for _ in range(count)]
    for one in made:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        one.bind(("127.0.0.1", made[0].getsockname()[1]))
        one.listen(16)
    port = made[0].getsockname()[1]
    early = [socket.create_connection(("127.0.0.1", port)) for _ in range(9)]
    descriptors = [one.fileno() for one in made]
    script = (
        "import os, sys\n"
        f"high = [os.dup2(fd, 100 + n) for n, fd in enumerate({descriptors})]\n"
        "for n, fd in enumerate(high): os.dup2(fd, 3 + n); os.close(fd)\n"
        f"os.environ |= {{'LISTEN_PID': str(os.getpid()), 'LISTEN_FDS': '{count}', 'LISTEN_FDNAMES': 'x'}}\n"
        "os.execv(sys.executable, [sys.executable, '-m', 'tests.live.supervised', 'plain', '0'])"
    )
    program = Program([sys.executable, "-c", script], port, pass_fds=descriptors)
    try:
        program.ready()
        for connection in early:
            connection.settimeout(PATIENCE_S)
            assert connection.makefile().readline().startswith("worker-")
            connection.close()
        assert {program.ask() for _ in range(60)} == {"worker-0", "worker-1"}
        assert program.end() == 0
    finally:
        for one in made:
            one.close()
        if program.process.poll() is None:
            program.process.kill()


def test_a_taken_port_is_said() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        for workers in (1, 2):
            with pytest.raises(listening.ListeningError, match="already in use"):
                listening.bound("127.0.0.1", taken.getsockname()[1], workers)
    mine = listening.bound("127.0.0.1", 0, 2)
    with pytest.raises(listening.ListeningError, match="already in use"):  # even by ourselves, twice
        listening.bound("127.0.0.1", mine[0].getsockname()[1], 2)
    for one in mine:
        one.close()


def test_an_unknown_address_is_said() -> None:
    with pytest.raises(listening.ListeningError, match="not an address"):
        listening.bound("no-such-host.invalid", 8000, 1)
    with pytest.raises(listening.ListeningError, match="cannot listen on"):
        listening.bound("192.0.2.1", 8000, 1)


def test_systemd_is_told(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        listening.tell_systemd("READY=1", {"NOTIFY_SOCKET": str(tmp_path / "notify")})
        assert manager.recv(100) == b"READY=1"
    listening.tell_systemd("READY=1", {"NOTIFY_SOCKET": str(tmp_path / "nobody")})
    listening.tell_systemd("READY=1", {})


def test_sockets_meant_for_another_process_are_left_alone() -> None:
    environ = {"LISTEN_PID": "1", "LISTEN_FDS": "1", "PATH": "/bin"}
    assert listening.inherited(environ) == []
    assert environ == {"PATH": "/bin"}
