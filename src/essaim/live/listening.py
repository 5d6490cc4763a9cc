"""Listening sockets: made here, or taken from systemd; and what systemd is told.

Several workers get a socket each on one port (SO_REUSEPORT), all made before the fork and kept open by the parent:
connections are shared evenly, and those of a dead worker wait in its queue for the next one (docs/why/0007).
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import MutableMapping, Sequence
from typing import Final

BACKLOG: Final = 4096
_FIRST_FD: Final = 3  # sd_listen_fds(3)


class ListeningError(OSError):
    """The address cannot be listened on; the message says why."""


def inherited(environ: MutableMapping[str, str] = os.environ) -> list[socket.socket]:
    """Take the sockets that systemd opened for this process (sd_listen_fds), none if it did not.

    The variables are removed: they are not meant for the processes that this one starts.
    """
    process, count = environ.pop("LISTEN_PID", ""), environ.pop("LISTEN_FDS", "")
    environ.pop("LISTEN_FDNAMES", None)
    if process != str(os.getpid()) or not count.isdigit():
        return []
    found = [socket.socket(fileno=_FIRST_FD + n) for n in range(int(count))]
    for one in found:
        one.setblocking(False)
        one.set_inheritable(False)
        if one.type != socket.SOCK_STREAM or not one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            raise ListeningError("systemd gave a socket that does not accept connections: use ListenStream=.")
    return found


def bound(host: str, port: int, workers: int) -> list[socket.socket]:
    """Listen on an address: a socket for each worker where the system shares connections among them, else one.

    A name that has several addresses (localhost) gives as many sockets for each of them. Raises ListeningError.
    """
    each = workers if sys.platform == "linux" else 1
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise ListeningError(f"{host} is not an address of this machine: {error}") from None
    made: list[socket.socket] = []
    for family, _, _, _, address in dict.fromkeys(found):
        try:
            # With SO_REUSEPORT a second server of the same user would share the port without a word: refuse it here.
            with _bound(family, address, shared=False) as probe:
                address = probe.getsockname()
                if each == 1:
                    made.append(probe.dup())
            made += [_bound(family, address, shared=True) for _ in range(each)] if each > 1 else []
        except OSError as error:
            raise ListeningError(f"cannot listen on {host} port {port}: {error.strerror}") from None
    for one in made:
        one.listen(BACKLOG)
        one.setblocking(False)
    return made


def _bound(family: int, address: tuple[object, ...], *, shared: bool) -> socket.socket:
    one = socket.socket(family, socket.SOCK_STREAM)
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.bind(address)
        if not shared:
            one.listen(0)  # a second listener is only refused here, not by bind
    except OSError:
        one.close()
        raise
    return one


def shares(sockets: Sequence[socket.socket], workers: int) -> list[list[socket.socket]]:
    """Deal sockets to workers: each its own, or the same one to several when there are fewer sockets."""
    if len(sockets) < workers:
        return [[sockets[n % len(sockets)]] for n in range(workers)]
    return [list(sockets[n::workers]) for n in range(workers)]


def tell_systemd(state: str, environ: MutableMapping[str, str] = os.environ) -> None:
    """Send a state (READY=1, STOPPING=1…) to the service manager, if there is one (sd_notify)."""
    address = environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
        try:
            out.connect("\0" + address[1:] if address[0] == "@" else address)
            out.send(state.encode())
        except OSError:
            return  # nobody listens: not worth a stop
