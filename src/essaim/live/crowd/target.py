"""Whom the crowd may talk to: this machine freely, another one only if its operator says so and it is Essaim."""

from __future__ import annotations

import http.client
import ipaddress
import json
import re
import socket
import ssl
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlsplit

_TIMEOUT_S: Final = 20
_ROOM_IN_PAGE: Final = re.compile(r'id="boot">[^<]*?"room":"([A-Za-z0-9_-]{1,64})"')
_CODE: Final = re.compile(r"[A-Za-z0-9-]{2,32}")


class TargetError(Exception):
    """The crowd does not go there; the message says why and what to do."""


@dataclass(frozen=True)
class Target:
    """A room on a server. `addresses` are what was checked and what is used, whatever the name says later."""

    scheme: str
    host: str
    port: int
    family: socket.AddressFamily
    address: str
    room: str = ""

    @property
    def loopback(self) -> bool:
        """Say whether this is the same machine."""
        return _is_loopback(self.address)

    @property
    def host_header(self) -> str:
        """Give the value of the Host header."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == {"http": 80, "https": 443}[self.scheme] else f"{name}:{self.port}"

    @property
    def path(self) -> str:
        """Give the beginning of every path of the room."""
        return f"/live/{quote(self.room)}"

    def tls(self) -> ssl.SSLContext | None:
        """Make what an https address needs; certificates of another machine are verified."""
        if self.scheme == "http":
            return None
        context = ssl.create_default_context()
        if self.loopback:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context

    def connection(self) -> Reader:
        """Open a connection for a few questions, one after the other."""
        return Reader(self)


class Reader:
    """A blocking connection to a target that asks and answers once at a time; opens anew when it was cut."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._line = http.client.HTTPConnection(target.address, target.port, timeout=_TIMEOUT_S)
        self._tls = target.tls()

    def get(self, path: str, ticket: str = "") -> tuple[int, bytes]:
        """Give (status, body); raises TargetError when nobody answers. Redirections are not followed."""
        for attempt in (1, 2):
            try:
                return self._get(path, ticket)
            except (OSError, http.client.HTTPException) as error:
                self.close()
                if attempt == 2:
                    where = f"{self._target.host}:{self._target.port}"
                    raise TargetError(f"{where} does not answer: {error}") from error
        raise AssertionError

    def json(self, path: str, ticket: str = "") -> Any:
        """Give the JSON of a 200; raises TargetError otherwise."""
        status, body = self.get(path, ticket)
        if status != 200:
            raise TargetError(f"{path} answers {status}.")
        try:
            return json.loads(body)
        except ValueError as error:
            raise TargetError(f"{path} does not answer JSON.") from error

    def close(self) -> None:
        """Hang up."""
        self._line.close()

    def _get(self, path: str, ticket: str) -> tuple[int, bytes]:
        if self._line.sock is None:
            sock = socket.create_connection((self._target.address, self._target.port), _TIMEOUT_S)
            if self._tls is not None:
                sock = self._tls.wrap_socket(sock, server_hostname=self._target.host)
            self._line.sock = sock
        headers = {"Host": self._target.host_header, "User-Agent": "essaim-crowd"}
        if ticket:
            headers["Authorization"] = f"Bearer {ticket}"
        self._line.request("GET", path, headers=headers)
        answer = self._line.getresponse()
        return answer.status, answer.read()


def find(where: str, *, own: str | None, default_port: int = 8000) -> Target:
    """Give the room behind an address (…/s/CODE, …/live/ROOM) or a code (on this machine, `default_port`).

    `own`: the host name that the operator says to run; needed for any other machine. Raises TargetError.
    """
    if "://" not in where:
        if not _CODE.fullmatch(where):
            raise TargetError(
                f"{where!r} is neither a session's code nor an address such as http://HOST/s/CODE."
            )
        where = f"http://127.0.0.1:{default_port}/s/{where}"
    parts = urlsplit(where)
    try:
        port = parts.port
    except ValueError:
        raise TargetError(f"{where}: the port is not a number.") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise TargetError(f"{where}: an http:// or https:// address is needed.")
    host = parts.hostname
    family, address = _resolve(host, port or {"http": 80, "https": 443}[parts.scheme])
    target = Target(parts.scheme, host, port or {"http": 80, "https": 443}[parts.scheme], family, address)
    if not target.loopback and (own or "").lower() != host:
        raise TargetError(
            f"{host} is another machine. A crowd can bring a server down: send one only to a server that you run.\n"
            f"If you do run it, say so by its name: --i-run-this-server {host}"
        )
    line = target.connection()
    try:
        _check_essaim(line, host)
        room = _room(line, parts.path)
    finally:
        line.close()
    return Target(target.scheme, host, target.port, family, address, room)


def _resolve(host: str, port: int) -> tuple[socket.AddressFamily, str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise TargetError(f"{host}: {error}") from error
    # One name, several machines: all of them must be this one to count as this one.
    foreign = [one for one in found if not _is_loopback(str(one[4][0]))]
    family, _, _, _, address = (foreign or sorted(found))[0]
    return family, str(address[0])


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


def _check_essaim(line: Reader, host: str) -> None:
    """Every Essaim refuses a path that it does not know with a problem of its own; nothing else does."""
    status, body = line.get("/live/crowd/hello")
    if status != 404 or b'"urn:essaim:live:' not in body:
        raise TargetError(f"{host} does not say that it is Essaim: nothing is sent there.")


def _room(line: Reader, path: str) -> str:
    _, root, name, *_ = [*path.split("/"), "", "", ""]
    if root == "live" and name:
        status, _ = line.get(f"/live/{quote(name)}/state")
        if status != 200:
            raise TargetError(f"There is no session {name!r} here.")
        return name
    if root != "s" or not name:
        raise TargetError("Give the address of a session: http://HOST/s/CODE or http://HOST/live/ROOM.")
    status, body = line.get(f"/s/{quote(name)}")
    found = _ROOM_IN_PAGE.search(body.decode("utf-8", "replace"))
    if status != 200 or found is None:
        raise TargetError(f"There is no session with the code {name!r} here.")
    return found[1]
