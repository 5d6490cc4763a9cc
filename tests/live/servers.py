"""Real servers for tests and benches: PostgreSQL and Redis, from the packages of the system, in temporary folders."""

from __future__ import annotations

import contextlib
import glob
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path


class AbsentError(RuntimeError):
    """The server is not installed here."""


def free_port() -> int:
    """Give a loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """A server process on a loopback port, in a folder of its own."""

    def __init__(self, folder: Path, command: list[str], port: int) -> None:
        self.folder, self.port = folder, port
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with (self.folder / "output").open("ab") as output:
            self._process = subprocess.Popen(
                self._command, stdout=output, stderr=output, cwd=self.folder, start_new_session=True
            )
        for _ in range(600):
            if self._process.poll() is not None:
                raise RuntimeError((self.folder / "output").read_text()[-2000:])
            with contextlib.suppress(OSError):
                if self.answers():
                    return
            time.sleep(0.05)
        raise RuntimeError(f"{self._command[0]} does not answer")

    def answers(self) -> bool:
        """Say whether it is ready."""
        raise NotImplementedError

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it: SIGINT orderly, SIGKILL as a crash of the machine would."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(30)
            self._process = None
            while self._listening():  # the children of a killed server end a moment later
                time.sleep(0.05)

    def _listening(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


class PostgresServer(Server):
    """A cluster with one database; it refuses to run as root, so root runs it as another user."""

    def __init__(self, folder: Path, *, durable: bool = False) -> None:
        found = sorted(
            glob.glob("/usr/lib/postgresql/*/bin/postgres"),
            key=lambda path: int(re.findall(r"/(\d+)/", path)[0]),
        )
        binary = found[-1] if found else shutil.which("postgres")
        if binary is None:
            raise AbsentError("PostgreSQL is not installed (Debian: postgresql)")
        self._user = _user() if os.geteuid() == 0 else []
        if self._user:
            owner = pwd.getpwnam(self._user[-1])
            os.chown(folder, owner.pw_uid, owner.pw_gid)
            self._user = ["setpriv", f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups"]
        data = folder / "data"
        initdb = [str(Path(binary).with_name("initdb")), "-D", str(data), "-U", "essaim", "--auth=trust"]
        subprocess.run(
            [*self._user, *initdb, "--no-sync", "-E", "UTF8", "--locale=C"],
            check=True,
            capture_output=True,
            cwd=folder,
        )
        port = free_port()
        settings = {
            "port": str(port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "on" if durable else "off",
            "max_connections": "200",
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        super().__init__(folder, [*self._user, binary, "-D", str(data), *options], port)
        self._made: set[str] = set()

    def address(self, database: str = "postgres") -> str:
        """Give the address of a database, made at the first call."""
        import psycopg

        if database not in self._made and database != "postgres":
            with psycopg.connect(self.address(), autocommit=True) as connection:
                connection.execute(f'CREATE DATABASE "{database}"')
            self._made.add(database)
        return f"postgresql://essaim@127.0.0.1:{self.port}/{database}"

    def answers(self) -> bool:
        """Say whether it lets somebody in."""
        import psycopg

        try:
            psycopg.connect(self.address(), connect_timeout=2).close()
        except psycopg.Error:
            return False
        return True


class RedisServer(Server):
    """Redis or Valkey, keeping nothing on disk."""

    def __init__(self, folder: Path) -> None:
        binary = shutil.which("redis-server") or shutil.which("valkey-server")
        if binary is None:
            raise AbsentError("Redis is not installed (Debian: redis-server)")
        port = free_port()
        options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        super().__init__(folder, [binary, *options, "--dir", str(folder)], port)
        self.url = f"redis://127.0.0.1:{port}/0"

    def answers(self) -> bool:
        """Say whether it answers a PING."""
        with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")


@contextlib.contextmanager
def running(kind: type[Server], **options: bool) -> Iterator[Server]:
    """Run a server for a while; AbsentError if it is not installed."""
    # Not in a folder of pytest: those are closed to the other user that PostgreSQL runs as.
    folder = Path(tempfile.mkdtemp(prefix="essaim-server-"))
    try:
        server = kind(folder, **options)  # type: ignore[arg-type]
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _user() -> list[str]:
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return [pwd.getpwnam(name).pw_name]
    raise AbsentError("there is no user (postgres, nobody) that PostgreSQL could run as")
