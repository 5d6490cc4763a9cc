"""Environments of what the benches need and the product does not (peers, a fuzzer): made on demand, apart from ours."""

import json
import os
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def python(name: str = "peers") -> Path:
    """The interpreter of `.venv-NAME`, made from the lock `requirements/NAME.txt` when absent or outdated.

    Raises RuntimeError with what to do when it cannot be made.
    """
    home, lock_file = ROOT / f".venv-{name}", ROOT / "requirements" / f"{name}.txt"
    interpreter, done = home / "bin" / "python", home / "lock.txt"
    lock = lock_file.read_text()
    if done.exists() and done.read_text() == lock:
        return interpreter
    print(f"Making {home.name} from {lock_file.relative_to(ROOT)} (once) …", file=sys.stderr)
    venv.create(home, with_pip=True, clear=True)
    uv = ROOT / ".venv" / "bin" / "uv"
    pip = (
        [str(uv), "pip", "install", "--python", str(interpreter)]
        if uv.exists()
        else [str(interpreter), "-m", "pip", "install"]
    )
    made = subprocess.run(
        [*pip, "--quiet", "--require-hashes", "-r", str(lock_file)], capture_output=True, text=True
    )
    if made.returncode:
        raise RuntimeError(
            f"{lock_file.name} could not be installed; is the package index reachable?\n{made.stderr.strip()}"
        )
    done.write_text(lock)
    return interpreter


class Process:
    """A peer that answers JSON lines with JSON lines; use as a context manager.

    openmp: its number of OpenMP threads (None: as many as it likes). Linear algebra has as many as it likes.
    """

    def __init__(self, script: Path, *, openmp: int | None = None) -> None:
        environment = dict(os.environ) if openmp is None else {**os.environ, "OMP_NUM_THREADS": str(openmp)}
        self._process = subprocess.Popen(
            [str(python()), "-W", "ignore", str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        """Send one request and wait for its answer. Raises RuntimeError when the peer ends instead."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the peer stopped while asked to {do!r}; see its message above")
        return dict(json.loads(line))

    def __enter__(self) -> "Process":
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
