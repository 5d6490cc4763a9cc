"""Hostile connections: what comes over raw sockets to a real server, and what any answer must be like."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import logging
import random
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from essaim.live import hub as hubs
from essaim.live import reader
from essaim.live.app import LiveApp
from essaim.live.hub import Hub
from essaim.live.limits import WIDE
from essaim.live.serve import server
from essaim.live.store import open_store
from tests.live.hostile import ODD, Dice, batch_body, form_body, mangled
from tests.live.raw import Broken, RawClient
from tests.live.served import ROOM, live_spec

LIMITS: Final = dataclasses.replace(WIDE, body_seconds=1.0, send_seconds=1.0, idle_seconds=2.0)
PATIENCE_S: Final = 30.0
"""Whatever is sent, the server has answered or closed long before; this long only means never."""
AT_ONCE: Final = 60
ENDINGS: Final = {
    True: ("wait", "half", "half", "vanish", "close"),
    False: ("half", "half", "vanish"),
}
"""By whether the lane is there: uvicorn alone waits for ever for what never comes, a proxy in front has to end that."""
GONE: Final = "the handler is closed"
"""What uvloop says when uvicorn, without the lane, writes to a client that half closed."""
STATUSES: Final = (200, 201, 303, 304, 400, 401, 403, 404, 405, 408, 409, 413, 415, 429, 431, 503)
METHODS: Final = (
    b"GET", b"POST", b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"PATCH", b"TRACE", b"CONNECT", b"PRI", b"get", b"G\x00T",
    b"", b"M-SEARCH", b"\xff",
)  # fmt: skip
ROUTES: Final = (
    b"/live/room-1/join", b"/live/room-1/batch", b"/live/room-1/state", b"/live/room-1/frame", b"/live/room-1/next",
    b"/live/room-1/me", b"/live/room-1/map", b"/live/room-1/stream", b"/s/ABC123", b"/s/abc123/join", b"/s/ABC123/vote",
    b"/s/ABC123/idea", b"/s/ABC123/rate", b"/s/ABC123/me", b"/s/ABC123/sw.js",
)  # fmt: skip
PATHS: Final = (
    b"*", b"", b"/", b"//", b"/live", b"/live/", b"/live//state", b"/live/%00/state", b"/live/..%2froom-1/state",
    b"/live/room-1/../room-1/state", b"/live/room-1%2fstate", b"/live/\xff\xfe/state", b"/live/%ff/state", b"/s", b"/s/",
    b"/s/%ff", b"/s/\xc3\xa9", b"/s/ABC123/", b"/s/ABC123//vote", b"/s/" + b"A" * 5_000, b"/live/" + b"r" * 300 + b"/state",
    b"http://x/live/room-1/state", b"http://[/", b"http://", b"host:80", b"?a=b", b"/live/room-1/state?%ff=%00",
    b"/s/ABC123?lang=\xff", b"/s/ABC123?lang=%ff&pass=%00", b"/s/ABC123?notice=%0d%0aX:%20y", b"/s/ABC123?" + b"a&" * 60,
    b"/live/room-1/state#x", b"/ live/room-1/state", b"/live/room-1/state\x00", b"/pages/", b"/live/room-2/batch",
)  # fmt: skip
HEADERS: Final = (
    b"Content-Type: application/json", b"Content-Type: application/x-www-form-urlencoded", b"Content-Type: \xff",
    b"Content-Type: application/json; charset=x", b"Authorization: Bearer " + b"A" * 32, b"Authorization: Basic eDp5",
    b"Authorization: Bearer \xff\xfe", b"Authorization:", b"Authorization: Bearer", b"Cookie: essaim-room-1=",
    b'Cookie: a; ; =; essaim-room-1="\xff"', b"Cookie: essaim-language=fr", b"Origin: http://[", b"Origin: null",
    b"Origin: http://x", b"Origin: http://\xff", b"Origin: http://x:99999999999", b"Sec-Fetch-Site: cross-site",
    b"Sec-Fetch-Site: same-origin", b"Sec-Fetch-Site: \x80", b"X-Forwarded-For: 1.2.3.4, [::1", b"X-Forwarded-Proto: https",
    b'If-None-Match: "', b"If-None-Match: *", b'If-None-Match: W/"a", \xff', b"Accept-Encoding: gzip", b"Accept-Encoding: \xff",
    b"Accept-Language: " + b"fr;q=9.9999," * 50, b"Accept-Language: \xd9\xa3;q=\xd9\xa3", b"Expect: 100-continue", b"Expect: x",
    b"Connection: close", b"Connection: keep-alive", b"Connection: upgrade", b"Connection: upgrade\r\nUpgrade: websocket",
    b"Connection: upgrade, http2-settings\r\nUpgrade: h2c", b"Upgrade: websocket", b"Host: y", b"Host: [::1", b"Host: \xff",
    b"No colon at all", b"Bad name: x", b": no name", b" folded: x", b"A: b\r\n folded", b"A: b\x00c", b"A: b\rc", b"A: b\nC: d",
    b"A: \xff", b"Range: bytes=0-0", b"X-HTTP-Method-Override: DELETE", b"Content-Encoding: gzip", b"A: " + b"y" * 9_000,
    b"A: " + b"y" * 20_000, b"\r\n".join(b"H%d: x" % n for n in range(300)), b"\r\n".join([b"Host: x"] * 50),
)  # fmt: skip
LENGTHS: Final = (
    b"-1", b"+2", b"0x10", b"1e3", b"", b" ", b"2, 2", b"2, 3", b"99999999999999999999999999", b"16385", b"1000000", b"\xff",
    b"00002", b"2\r\nContent-Length: 3", b"2\r\nContent-Length: 2", b"2\r\nTransfer-Encoding: chunked",
)  # fmt: skip
CODINGS: Final = (
    b"chunked",
    b"Chunked",
    b"gzip, chunked",
    b"chunked, chunked",
    b"chunked, identity",
    b"identity",
    b"x",
    b"",
)


@dataclasses.dataclass(frozen=True)
class Finding:
    """Something that must not happen, and the bytes that a connection sent."""

    what: str
    sent: bytes = b""


@dataclasses.dataclass
class Count:
    """What was seen."""

    connections: int = 0
    answers: int = 0
    silent: int = 0
    good: int = 0
    slowest_s: float = 0.0
    seconds: float = 0.0
    statuses: Counter[int] = dataclasses.field(default_factory=Counter)
    findings: list[Finding] = dataclasses.field(default_factory=list)


# What is sent


def request(dice: Dice, tickets: Sequence[bytes]) -> bytes:
    """One request: right in most places, wrong in some."""
    path = dice.pick(ROUTES) if dice.below(5) else dice.pick(PATHS)
    writes = path.rpartition(b"/")[2] in (b"join", b"batch", b"vote", b"idea", b"rate")
    method = (b"POST" if writes else b"GET") if dice.below(5) else dice.pick(METHODS)
    version = (
        b"HTTP/1.1"
        if dice.below(12)
        else dice.pick((b"HTTP/1.0", b"HTTP/2.0", b"HTTP/0.9", b"HTTP/1.2", b"http/1.1", b""))
    )
    lines = [b"%s %s %s" % (method, path, version)]
    if dice.below(10):
        lines.append(b"Host: x")
    if dice.below(3):
        bearer = dice.pick((b"Authorization: Bearer ", b"Cookie: essaim-room-1="))
        lines.append(bearer + dice.pick(tickets))
    body = b""
    if method == b"POST" or not dice.below(6):
        kind = b"application/x-www-form-urlencoded" if path.startswith(b"/s/") else b"application/json"
        lines += [b"Content-Type: " + kind] if dice.below(10) else []
        body = some_body(dice, path)
    lines += [dice.pick(HEADERS) for _ in range(dice.below(4) if dice.below(2) else 0)]
    if dice.below(6) == 5:
        lines.append(b"Transfer-Encoding: " + (b"chunked" if dice.below(4) else dice.pick(CODINGS)))
        body = chunked(dice, body)
    elif body or dice.below(2):
        lines.append(b"Content-Length: " + (b"%d" % len(body) if dice.below(10) else dice.pick(LENGTHS)))
    end = b"\r\n" if dice.below(30) else dice.pick((b"\n", b"\r", b"\r\r\n"))
    return end.join([*lines, b"", b""]) + body


def some_body(dice: Dice, path: bytes) -> bytes:
    """A body that fits the path, or not."""
    how = dice.below(12)
    if how == 11:
        return dice.pick(
            (b"\x00" * 100, b"[" * 16_000, b"x" * 16_384, b"x" * 16_385, b"a=" + b"%ff" * 5_000, *ODD)
        )
    if how == 10 or path.startswith(b"/s/"):
        return form_body(dice)
    if path.endswith(b"join"):
        return mangled(
            dice, b'{"lang":"fr","unit":%d,"name":"Ana","waiting":"1-2","pass":"x"}' % dice.below(4)
        )
    return batch_body(dice)


def chunked(dice: Dice, body: bytes) -> bytes:
    """A chunked body, often a bad one."""
    parts, size = [], 1 + dice.below(max(1, len(body)))
    for first in range(0, len(body), max(size, len(body) // 20 + 1)):
        part = body[first : first + max(size, len(body) // 20 + 1)]
        extension = b"" if dice.below(8) else dice.pick((b";a=b", b" ", b";" + b"x" * 5_000, b";a=\x00"))
        length = (
            b"%x" % len(part)
            if dice.below(20)
            else dice.pick((b"-1", b"fffffffffffffffff", b"0x2", b"", b"ffff", b"g"))
        )
        parts.append(b"%s%s\r\n%s\r\n" % (length, extension, part))
    last = (
        b"0\r\n\r\n"
        if dice.below(6)
        else dice.pick((b"", b"0\r\n", b"0\r\nA: b\r\n\r\n", b"0\r\n" + b"T: x\r\n" * 2_000 + b"\r\n"))
    )
    return b"".join(parts) + last


def pieces(dice: Dice, tickets: Sequence[bytes]) -> list[bytes]:
    """What one connection sends, piece by piece: one to four requests, cut anywhere."""
    sent = b"".join(request(dice, tickets) for _ in range(1 + (dice.below(4) if dice.below(3) == 2 else 0)))
    sent = mangled(dice, sent)
    cuts = sorted(dice.below(len(sent) + 1) for _ in range(dice.below(4)))
    return [sent[first:last] for first, last in zip([0, *cuts], [*cuts, len(sent)], strict=True)]


# What comes back


def read_answers(data: bytes, sent: bytes) -> tuple[list[int], bool]:
    """Give the statuses of the answers in `data`, and whether it is a stream; AssertionError if one is not as it must be."""
    statuses = []
    while data:
        head, end, data = data.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        found = re.fullmatch(rb"HTTP/1\.1 (\d{3}) [A-Za-z' -]+", lines[0])
        assert found and end, f"this is no answer: {head[:200]!r}"
        status, headers = int(found[1]), {}
        if status == 100:
            continue
        assert status in STATUSES, f"status {status}"
        for line in lines[1:]:
            name, colon, value = line.partition(b": ")
            assert colon and re.fullmatch(rb"[a-z0-9-]+", name) and not re.search(rb"[\x00-\x1f]", value), (
                line
            )
            headers[name] = value
        statuses.append(status)
        if headers.get(b"content-type", b"").startswith(b"text/event-stream"):
            return statuses, True
        if status == 304 or (b"HEAD" in sent and (not data or data.startswith(b"HTTP/1."))):
            continue
        assert b"content-length" in headers, f"an answer without length: {head!r}"
        length = int(headers[b"content-length"])
        assert len(data) >= length, "half an answer"
        body, data = data[:length], data[length:]
        check_answer(status, headers, body)
    return statuses, False


def check_answer(status: int, headers: dict[bytes, bytes], body: bytes) -> None:
    """What one answer must be like."""
    kind = headers.get(b"content-type", b"")
    if kind == b"application/problem+json":
        problem = json.loads(body)
        assert problem["status"] == status and problem["detail"] != "An unexpected error.", body
    if status == 503:
        assert int(headers[b"retry-after"]) >= 1
    if status == 405:
        assert headers[b"allow"] in (b"GET", b"POST")
    if kind == b"application/json" and b"content-encoding" not in headers:
        json.loads(body)


async def converse(port: int, dice: Dice, tickets: Sequence[bytes], count: Count, *, fast: bool) -> None:
    """Hold one hostile connection to its end."""
    ending, parts = dice.pick(ENDINGS[fast]), pieces(dice, tickets)
    sent = b"".join(parts)
    count.connections += 1
    answered = b""
    try:
        reader_, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            async with asyncio.timeout(PATIENCE_S):
                for part in parts:
                    writer.write(part)
                    await writer.drain()
                    await asyncio.sleep(0)
                if ending == "vanish":
                    writer.transport.abort()
                    return
                if ending == "half":
                    writer.write_eof()
                while piece := await reader_.read(65_536):
                    answered += piece
                    if ending == "close" or b"text/event-stream" in answered:
                        break
        finally:
            writer.close()
    except TimeoutError:
        count.findings.append(Finding(f"neither answered nor closed; so far {answered[:300]!r}", sent))
        return
    except OSError:
        pass  # the server closed while more was being sent: its right
    if ending == "close":
        return
    try:
        statuses, _ = read_answers(answered, sent)
    except (AssertionError, ValueError, KeyError) as error:
        count.findings.append(Finding(f"{error!r}\n{answered[:2000]!r}", sent))
        return
    count.answers += len(statuses)
    count.silent += not statuses
    count.statuses.update(statuses)


# The server, and a good participant beside


class Errors(logging.Handler):
    """Gathers what must not be in a log."""

    def __init__(self, count: Count, *, fast: bool) -> None:
        super().__init__(logging.WARNING)
        self._count, self._fast = count, fast

    def emit(self, record: logging.LogRecord) -> None:
        gone = not self._fast and record.exc_info is not None and GONE in str(record.exc_info[1])
        if (record.exc_info or record.levelno >= logging.ERROR) and not gone:
            self._count.findings.append(Finding(f"in the log: {self.format(record)}"))


@contextlib.contextmanager
def fuzzed_server(data: Path, count: Count, *, fast: bool) -> Iterator[int]:
    """A real server in a thread, with its own loop, whose log is listened to; gives the port."""
    hubs.publish(data, live_spec("compare"))
    hub = Hub(data, limits=LIMITS)
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(1024)
    here = server(LiveApp(hub), "127.0.0.1", 0, hub, fast=fast)
    errors, loggers = (
        Errors(count, fast=fast),
        [logging.getLogger(one) for one in ("essaim", "uvicorn.error", "asyncio")],
    )
    quiet = logging.getLogger("uvicorn.error").propagate
    for one in loggers:
        one.addHandler(errors)
    logging.getLogger(
        "uvicorn.error"
    ).propagate = False  # it warns of each request that is none: thousands here
    thread = threading.Thread(target=lambda: here.run([listener]))
    thread.start()
    try:
        while not here.started:
            thread.join(0.01)
            assert thread.is_alive()
        yield int(listener.getsockname()[1])
    finally:
        here.should_exit = True
        thread.join(PATIENCE_S)
        listener.close()
        for one in loggers:
            one.removeHandler(errors)
        logging.getLogger("uvicorn.error").propagate = quiet
        if thread.is_alive():
            count.findings.append(Finding("the server did not stop"))


async def behave(port: int, count: Count, until: Callable[[], bool]) -> tuple[int, int]:
    """Be a good participant for as long as it lasts; give the number, and the last seq that was acknowledged."""
    client, seq = RawClient(port), 0
    status, joined = await client.post(f"{ROOM}/join", {})
    assert status == 201
    try:
        while not until():
            begun = time.perf_counter()
            try:
                status, answer = await client.post(
                    f"{ROOM}/batch", {"seq": seq + 1, "votes": [[seq % 12, 1]]}, joined["ticket"]
                )
            except Broken:
                continue  # an idle connection may be closed: the next request opens another
            if status != 200 or answer["refused"]:
                count.findings.append(Finding(f"a good batch was answered {status} {answer}"))
                break
            seq += 1
            count.good += 1
            count.slowest_s = max(count.slowest_s, time.perf_counter() - begun)
            await asyncio.sleep(0.02)
    finally:
        client.close()
    return joined["participant"], seq


def fuzz(
    data: Path, *, fast: bool, dice: random.Random, seconds: float = 1e9, connections: int = 10**9
) -> Count:
    """Fuzz a server for some seconds, or with some connections, a good participant beside; give what was seen."""
    count = Count()
    begun = time.monotonic()

    async def everybody(port: int) -> tuple[int, int]:
        tickets = [await ticket_of(port) for _ in range(3)]
        over = asyncio.Event()
        good = asyncio.create_task(behave(port, count, over.is_set))

        async def hostile() -> None:
            while (
                time.monotonic() - begun < seconds
                and count.connections < connections
                and len(count.findings) < 20
            ):
                drawn = Dice(dice.randbytes(dice.choice((60, 300, 1_500))))
                await converse(port, drawn, tickets, count, fast=fast)

        await asyncio.gather(*(hostile() for _ in range(AT_ONCE)))
        over.set()
        return await good

    with fuzzed_server(data, count, fast=fast) as port:
        who, seq = asyncio.run(everybody(port))
    count.seconds = time.monotonic() - begun
    votes = reader.read_room(open_store(data), "room-1").votes_of(who)
    if votes != dict.fromkeys(range(min(seq, 12)), 1):
        count.findings.append(Finding(f"of {seq} acknowledged votes there is {votes}"))
    return count


async def ticket_of(port: int) -> bytes:
    """Join, and give the ticket."""
    client = RawClient(port)
    answer: tuple[int, Any] = await client.post(f"{ROOM}/join", {})
    client.close()
    return str(answer[1]["ticket"]).encode()
