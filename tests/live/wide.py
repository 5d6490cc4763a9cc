"""The supervised live path with wide limits, for loads: `python -m tests.live.wide`, settings from the environment."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

from essaim.cli.serve import supervise
from essaim.config.environment import read_environment
from essaim.live.app import LiveApp
from essaim.live.hub import Hub
from essaim.live.limits import WIDE
from essaim.live.metrics import Board
from essaim.live.monitor import Monitored
from tests.live.servers import free_port

ROOT = Path(__file__).resolve().parents[2]


class WideServer:
    """That server in processes of its own, to be killed."""

    def __init__(self, address: str, folder: Path, *, workers: int = 1) -> None:
        self.port = free_port()
        self.workers = workers
        store = {"ESSAIM_LIVE_STORE": address} if "://" in address else {}
        self._environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("ESSAIM_")},
            **store,
            "ESSAIM_DATA_DIR": str(folder if store else address),
            "ESSAIM_PORT": str(self.port),
            "ESSAIM_WORKERS": str(workers),
            "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; clients find it by trying again."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.live.wide"], env=self._environ, cwd=ROOT, start_new_session=True
        )

    def kill_worker(self, number: int) -> None:
        """kill -9 of one worker, counted by age; its supervisor starts another."""
        workers = [child for child in self._children() if self._listens(child)]
        os.kill(workers[number % len(workers)], signal.SIGKILL)

    def _children(self) -> list[int]:
        assert self._process is not None
        parent = self._process.pid
        return sorted(map(int, Path(f"/proc/{parent}/task/{parent}/children").read_text().split()))

    def _listens(self, process: int) -> bool:
        """Say whether a process holds a listening socket on the port: the ranker does not."""
        rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        listening = {
            f"socket:[{row[9]}]" for row in rows if row[1].endswith(f":{self.port:04X}") and row[3] == "0A"
        }
        found = set()
        for file in Path(f"/proc/{process}/fd").iterdir():
            with contextlib.suppress(OSError):
                found.add(os.readlink(file))
        return bool(listening & found)

    def kill(self) -> None:
        """kill -9 of everything at once."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def stop(self) -> int:
        """Stop it gracefully and give its exit code."""
        assert self._process is not None
        self._process.terminate()
        code = self._process.wait(60)
        self._process = None
        return code


def _wide(hub: Hub, name: str, board: Board) -> Monitored:
    hub.limits = WIDE
    return Monitored(LiveApp(hub), checks={}, name=name, board=board)


if __name__ == "__main__":
    sys.exit(supervise(read_environment(), _wide))
