"""A fixed number of keep-alive connections that many people share, over one epoll: sockets, nothing of HTTP.

A connection is a place, counted from 0: it outlives its socket, which is opened when the place is first used and again after
it broke. Free places are used in turn, so all of them carry traffic.
"""

from __future__ import annotations

import errno
import select
import socket
import ssl
import struct
from collections import deque
from collections.abc import Callable
from typing import Final

from essaim.live.crowd.target import Target

CLOSED, OPENING, SHAKING, OPEN = 0, 1, 2, 3
_AT_ONCE: Final = struct.pack("ii", 1, 0)  # SO_LINGER: gone without a farewell, and the port is free again
_BIND_LATE: Final = 24  # IP_BIND_ADDRESS_NO_PORT: the kernel chooses the port when the other end is known
_WOULD_BLOCK: Final = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
_PLACES_PER_ADDRESS: Final = 50

Send = Callable[[bytes], int]
Receive = Callable[[int], bytes]


class Connections:
    """`count` places towards one target."""

    def __init__(self, target: Target, count: int) -> None:
        self.count = count
        self.free: deque[int] = deque(range(count))
        self.send: list[Send | None] = [None] * count
        """How to write on a place; None: not open, call `open`."""
        self.receive: list[Receive] = [_nothing] * count
        self.state = bytearray(count)
        self.opened = 0
        self._sockets: list[socket.socket | None] = [None] * count
        self._pending: dict[int, bytes] = {}
        self._target, self._tls = target, target.tls()
        self.encrypted = self._tls is not None
        self._epoll = select.epoll()
        self._place: dict[int, int] = {}

    def poll(self, seconds: float) -> list[int]:
        """Wait for news; give the places with something to read, or that are closed now."""
        place, state = self._place, self.state
        ready = []
        for file, events in self._epoll.poll(seconds, 4096):
            where = place[file]
            if state[where] == OPEN:
                ready.append(where)
            elif not self._go_on(where, events):
                self.close(where)
                ready.append(where)
        return ready

    def open(self, place: int, request: bytes) -> bool:
        """Begin to open a place and let `request` be the first thing it says; False: it cannot be."""
        try:
            sock = socket.socket(self._target.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        except OSError:
            return False
        loopback_source(sock, self._target, place // _PLACES_PER_ADDRESS)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        code = sock.connect_ex((self._target.address, self._target.port))
        if code not in (0, errno.EINPROGRESS):
            sock.close()
            return False
        if self._tls is not None:
            sock = self._tls.wrap_socket(
                sock,
                server_hostname=self._target.host,
                do_handshake_on_connect=False,
                suppress_ragged_eofs=True,
            )
        self._sockets[place] = sock
        self._place[sock.fileno()] = place
        self._pending[place] = request
        self.state[place] = OPENING
        self._epoll.register(sock.fileno(), select.EPOLLIN | select.EPOLLOUT)
        return True

    def close(self, place: int) -> None:
        """Cut a place, at once; it stays where it is among the free ones."""
        sock = self._sockets[place]
        self._pending.pop(place, None)
        self.state[place] = CLOSED
        self.send[place], self.receive[place] = None, _nothing
        if sock is None:
            return
        self._sockets[place] = None
        del self._place[sock.fileno()]
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        finally:
            sock.close()

    def close_all(self) -> None:
        """Cut everything."""
        for place in range(self.count):
            self.close(place)
        self._epoll.close()

    def _go_on(self, place: int, events: int) -> bool:
        """Take one more step of opening; False when it failed."""
        sock = self._sockets[place]
        if sock is None:
            return False
        try:
            if self.state[place] == OPENING:
                if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) or events & select.EPOLLERR:
                    return False
                self.state[place] = SHAKING
            if isinstance(sock, ssl.SSLSocket):
                sock.do_handshake()
            request = self._pending.pop(place)
            if sock.send(request) != len(request):
                return False
        except ssl.SSLWantReadError:
            self._epoll.modify(sock.fileno(), select.EPOLLIN)
            return True
        except ssl.SSLWantWriteError:
            self._epoll.modify(sock.fileno(), select.EPOLLIN | select.EPOLLOUT)
            return True
        except OSError:
            return False
        self._epoll.modify(sock.fileno(), select.EPOLLIN)
        self.state[place] = OPEN
        self.send[place], self.receive[place] = sock.send, sock.recv
        self.opened += 1
        return True


def loopback_source(sock: socket.socket, target: Target, number: int) -> None:
    """Come from the loopback address of this number, as people come from many addresses.

    One address has 28,000 ports towards a server, and a server lets only so many join from one address.
    """
    if target.family == socket.AF_INET and target.loopback:
        sock.setsockopt(socket.IPPROTO_IP, _BIND_LATE, 1)
        sock.bind((f"127.{1 + number // 250 % 250}.{1 + number % 250}.1", 0))


def would_block(error: OSError) -> bool:
    """Say whether an error of a read only means that there is nothing yet."""
    return isinstance(error, _WOULD_BLOCK)


def _nothing(_size: int) -> bytes:
    return b""
