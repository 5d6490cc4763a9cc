"""A parent that forks its children once everything is imported, and forks them again when they die.

What is slow (imports, migrations, static files) is done once, before the first fork, so a child that dies is back in a
few milliseconds. The parent holds the listening sockets: while a child is away its connections wait, none is refused.

SIGTERM, SIGINT: all end gracefully. SIGHUP: the children are replaced one after the other. If the parent dies, however
it does, its children end. No thread may run in the parent: only the one that forks goes on in the child.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn

from essaim.live.clock import clock

DEATHS: Final = 3
"""A worker that died that often before it was at work is not tried again."""
DELAYS_S: Final = (0.5, 2.0)
LONG_DELAY_S: Final = 30.0
SHORT_LIFE_S: Final = 1.0
STOP_S: Final = 20.0
"""A child that was asked to end is killed after that long."""
READY_S: Final = 60.0
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
_log = logging.getLogger(__name__)

Ready = Callable[[], None]


@dataclass(frozen=True)
class Child:
    """Something to run in a process of its own.

    `run` gets a function to call once it is at work, ends at SIGTERM, and gives the exit code. `sockets` are those
    it listens on (a child with sockets is a worker); the others are closed in it. `again`: start it when it ends.
    """

    name: str
    run: Callable[[Ready], int]
    sockets: Sequence[socket.socket] = ()
    again: bool = True


@dataclass
class _Slot:
    child: Child
    pid: int = 0
    ready: bool = False
    given_up: bool = False
    asked: bool = False  # to end
    started: float = 0.0
    due: float | None = 0.0
    stop_by: float | None = None
    failures: int = 0  # deaths in a row before it was at work
    starts: int = 0


class Supervisor:
    """Runs children until it is told to stop."""

    def __init__(
        self,
        children: Sequence[Child],
        *,
        on_ready: Callable[[], None] = lambda: None,
        on_start: Callable[[str, int], None] = lambda name, starts: None,
        stop_s: float = STOP_S,
    ) -> None:
        """`on_ready` is called when all workers are at work for the first time, `on_start` at each start of a child
        with its name and how many times it was started; both in the parent. `stop_s`: patience with a stop."""
        self._slots = [_Slot(child) for child in children]
        self._on_ready, self._on_start, self._stop_s = on_ready, on_start, stop_s
        self._announced = self._stopping = self._failed = False
        self._rolling: list[_Slot] = []
        self._rolled: tuple[_Slot, int, float] | None = None  # with its starts before, and until when to wait
        self._terminal = _has_terminal()

    def run(self) -> int:
        """Supervise until SIGTERM or SIGINT; give 0, or 1 if no worker can be started."""
        self._said_r, self._said_w = os.pipe()
        # Held open by the parent alone: when it dies the children read the end of this pipe.
        self._alive_r, self._alive_w = os.pipe()
        self._woken_r, self._woken_w = socket.socketpair()
        for end in (self._said_r, self._said_w, self._woken_r.fileno(), self._woken_w.fileno()):
            os.set_blocking(end, False)
        former = {one: signal.signal(one, lambda *_: None) for one in _SIGNALS}
        former_fd = signal.set_wakeup_fd(self._woken_w.fileno(), warn_on_full_buffer=False)
        try:
            while self._turn():
                pass
        finally:
            signal.set_wakeup_fd(former_fd)
            for one, handler in former.items():
                signal.signal(one, handler)
            for end in (self._said_r, self._said_w, self._alive_r, self._alive_w):
                os.close(end)
            self._woken_r.close()
            self._woken_w.close()
        return 1 if self._failed else 0

    # One turn of the loop

    def _turn(self) -> bool:
        now = time.monotonic()
        for slot in self._slots:
            if slot.due is not None and slot.due <= now and not self._stopping:
                self._start(slot)
            if slot.pid and slot.stop_by is not None and slot.stop_by <= now:
                _log.error("%s did not end in time: killed", slot.child.name)
                os.kill(slot.pid, signal.SIGKILL)
                slot.stop_by = None
        self._roll(now)
        running = any(slot.pid for slot in self._slots)
        if self._stopping and not running:
            return False
        if not running and all(slot.due is None for slot in self._slots):
            return False  # nothing left to do
        times = [t for slot in self._slots for t in (slot.due, slot.stop_by) if t is not None]
        clock()  # each second at least: new children go on with it, and it follows the wall clock
        wait = min(1.0, max(0.0, min(times, default=now + 1) - time.monotonic()))
        watched: list[int | socket.socket] = [self._said_r, self._woken_r]
        readable, _, _ = select.select(watched, [], [], wait)
        if self._said_r in readable:
            self._hear()
        if self._woken_r in readable:
            self._obey(self._woken_r.recv(4096))
        self._reap()
        if not (self._announced or self._stopping) and all(
            slot.ready or slot.given_up for slot in self._slots if slot.child.sockets
        ):
            self._announced = True
            self._on_ready()
        return True

    def _start(self, slot: _Slot) -> None:
        slot.due = None
        sys.stdout.flush()
        sys.stderr.flush()
        # Signals wait until the child has handlers of its own: the parent's would write into the parent's pipe.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        pid = -1
        try:
            pid = os.fork()
        except OSError as error:  # no memory, too many processes: later perhaps
            _log.error("%s cannot be started: %s", slot.child.name, error)
            slot.due = time.monotonic() + 1.0
            return
        finally:
            if pid:
                signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        if pid == 0:
            self._become(slot)
        slot.pid, slot.ready, slot.asked, slot.started = pid, False, False, time.monotonic()
        slot.starts += 1
        self._on_start(slot.child.name, slot.starts)

    def _hear(self) -> None:
        """Note the children that say they are at work."""
        with contextlib.suppress(BlockingIOError):
            for number in os.read(self._said_r, 4096):
                self._slots[number].ready = True

    def _obey(self, signals: bytes) -> None:
        for number in signals:
            if number == signal.SIGHUP and not (self._terminal and not _has_terminal()):
                waiting = {id(slot) for slot in self._rolling}
                self._rolling += [s for s in self._slots if s.child.again and id(s) not in waiting]
            elif number != signal.SIGCHLD:
                self._stop()

    def _stop(self) -> None:
        self._stopping = True
        for slot in self._slots:
            slot.due = None
            self._ask_to_end(slot)

    def _ask_to_end(self, slot: _Slot) -> None:
        if slot.pid:
            os.kill(slot.pid, signal.SIGTERM)
            slot.asked, slot.stop_by = True, slot.stop_by or time.monotonic() + self._stop_s

    def _roll(self, now: float) -> None:
        """Replace the next child once the one before is at work again."""
        if self._rolled is not None:
            slot, starts, until = self._rolled
            if not (slot.given_up or now >= until or (slot.ready and slot.starts > starts)):
                return
        self._rolled = None
        while self._rolling and not self._stopping and self._rolled is None:
            slot = self._rolling.pop(0)
            if slot.pid:
                self._ask_to_end(slot)
                self._rolled = slot, slot.starts, now + self._stop_s + READY_S

    # Deaths

    def _reap(self) -> None:
        for slot in self._slots:
            if slot.pid:
                pid, status = os.waitpid(slot.pid, os.WNOHANG)
                if pid:
                    self._hear()  # what it said before it died is not for the next one
                    self._ended(slot, os.waitstatus_to_exitcode(status))

    def _ended(self, slot: _Slot, code: int) -> None:
        lived, worked = time.monotonic() - slot.started, slot.ready
        slot.pid, slot.ready, slot.stop_by = 0, False, None
        if self._stopping:
            return
        name, why = slot.child.name, _why(code)
        if not slot.child.again:
            if code:
                _log.warning("%s ended (%s)", name, why)
            return
        if slot.asked:
            slot.due, slot.failures = 0.0, 0
            return
        slot.failures = 0 if worked else slot.failures + 1
        if slot.failures < DEATHS:
            delay = DELAYS_S[slot.failures - 1] if slot.failures else DELAYS_S[0] * (lived < SHORT_LIFE_S)
            _log.error("%s died (%s) after %.1f s: started again", name, why, lived)
        elif slot.child.sockets:
            self._give_up(slot, why)
            return
        else:
            delay = LONG_DELAY_S
            _log.error("%s cannot start (%s): next try in %.0f s", name, why, delay)
        slot.due = time.monotonic() + delay

    def _give_up(self, slot: _Slot, why: str) -> None:
        """A worker that cannot start: the others take its connections; without others, end."""
        slot.given_up, slot.due = True, None
        others = [one for one in self._slots if one.child.sockets and not one.given_up]
        if not others:
            _log.error("%s died %d times at its start (%s): there is no other", slot.child.name, DEATHS, why)
            self._failed = True
            self._stop()
            return
        _log.error(
            "%s died %d times at its start (%s): left out until the next restart",
            slot.child.name,
            DEATHS,
            why,
        )
        used = {id(one) for other in others for one in other.child.sockets}
        for one in slot.child.sockets:
            if id(one) not in used:
                one.close()  # new connections go to the workers that are there

    # In the child

    def _become(self, slot: _Slot) -> NoReturn:
        """Be the child; never returns into the parent's code."""
        code = 70
        try:
            signal.set_wakeup_fd(-1)
            for number in _SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            signal.signal(signal.SIGHUP, signal.SIG_IGN)  # of a whole group: the parent decides what it means
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            os.close(self._alive_w)
            os.close(self._said_r)
            self._woken_r.close()
            self._woken_w.close()
            own = {id(one) for one in slot.child.sockets}
            for other in self._slots:
                for one in other.child.sockets:
                    if id(one) not in own:
                        one.close()
            threading.Thread(target=self._end_with_parent, name="parent", daemon=True).start()
            place, said = self._slots.index(slot), self._said_w
            code = slot.child.run(lambda: _say(said, place))
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        except KeyboardInterrupt:
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)  # the parent's clean-up is not the child's

    def _end_with_parent(self) -> None:
        """End this child when its parent is gone, gracefully if it can."""
        os.read(self._alive_r, 1)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(self._stop_s)
        os._exit(1)


def _say(pipe: int, number: int) -> None:
    with contextlib.suppress(OSError):  # the parent is gone: this process ends too
        os.write(pipe, bytes((number,)))


def _why(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _has_terminal() -> bool:
    """Say whether a terminal controls this process: when it closes, SIGHUP means the end."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR))
    except OSError:
        return False
    return True
