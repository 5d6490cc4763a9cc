"""A load that keeps a ledger: phones in processes of their own that send as fast as they are answered.

Each phone is one participant on one connection. It sends a batch again, the same bytes, until it is acknowledged, and
writes down what was acknowledged; `compared` then looks for all of it in the room, and for anything that is too much.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import uvloop

from essaim.live.room import Room

VOTES = 5
IDEAS_EACH = 90
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_PATIENCE_S = 30


@dataclass
class Ledger:
    """What one participant was told to be kept, and what it sent without knowing."""

    participant: int
    votes: dict[int, int] = field(default_factory=dict)
    ratings: dict[tuple[int, str], int] = field(default_factory=dict)
    ideas: dict[str, str] = field(default_factory=dict)
    unsure: dict[str, Any] | None = None
    batches: int = 0
    retries: int = 0


class Phone(asyncio.Protocol):
    """One participant: batches of votes, ratings and ideas, one after the other."""

    def __init__(self, load: _Load, number: int) -> None:
        self.number, self.ledger = number, None
        self._load, self._dice = load, random.Random(number)
        self._loop = asyncio.get_running_loop()
        self._transport: Any = None
        self._received = b""
        self._seq = self._tries = 0
        self._batch: dict[str, Any] = {}
        self._ticket = ""
        self.request = self._post("join", b"{}")
        self._connect()

    ledger: Ledger | None

    def connection_made(self, transport: Any) -> None:
        self._transport, self._received = transport, b""
        if self.request:
            transport.write(self.request)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self.request:
            self._tries += 1
            self._loop.call_later(self._dice.uniform(0.002, 0.03), self._connect)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head = self._received.find(b"\r\n\r\n") + 4
        if head < 4:
            return
        length = _LENGTH.search(self._received, 0, head)
        end = head + (int(length[1]) if length else 0)
        if len(self._received) < end:
            return
        status, body = int(self._received[9:12]), self._received[head:end]
        self._received = b""
        if status in (200, 201):
            self._acknowledged(body)
        elif status in (429, 503):
            self._tries += 1
            self._loop.call_later(self._dice.uniform(0.02, 0.1), self._again)
        else:
            self._load.faults.append(f"{status} {body[:300]!r} for {self.request[-300:]!r}")
            self.request = b""

    def close(self) -> None:
        """Leave."""
        if self._transport is not None:
            self._transport.close()

    def _acknowledged(self, body: bytes) -> None:
        ledger = self.ledger
        if ledger is None:
            answer = json.loads(body)
            self._ticket = answer["ticket"]
            ledger = self.ledger = Ledger(answer["participant"], retries=self._tries)
        else:
            if b'"refused":[]' not in body:
                self._load.faults.append(f"{body[:300]!r} for {self.request[-300:]!r}")
            batch = self._batch
            ledger.votes.update(batch["votes"])
            ledger.ratings.update(((item, scale), value) for item, scale, value in batch["ratings"])
            ledger.ideas.update((one["id"], one["text"]) for one in batch["ideas"])
            ledger.unsure = None
            ledger.batches += 1
            ledger.retries += self._tries
            self._load.batches[self._load.place] += 1
        self._tries = 0
        self.request = b"" if self._load.stopping else self._next(ledger)
        self._again()

    def _next(self, ledger: Ledger) -> bytes:
        dice, statements = self._dice, self._load.statements
        self._seq = seq = self._seq + 1
        first = dice.randrange(statements)
        batch: dict[str, Any] = {
            "seq": seq,
            "votes": [((first + 7 * n) % statements, dice.choice((1, 0, -1))) for n in range(VOTES)],
            "ratings": [(2, "maturity", dice.randint(1, 5))] if seq % 5 == 0 else [],
            "ideas": [],
        }
        if seq % 7 == 0 and len(ledger.ideas) < IDEAS_EACH:
            idea = {"id": f"idea-{self.number}-{seq}", "item": 2, "kind": "idea"}
            batch["ideas"] = [idea | {"text": f"{self.number} {seq}"}]
        self._batch = ledger.unsure = batch
        return self._post("batch", json.dumps(batch).encode())

    def _post(self, path: str, body: bytes) -> bytes:
        bearer = f"Authorization: Bearer {self._ticket}\r\n" if self._ticket else ""
        return (
            f"POST /live/{self._load.room}/{path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            f"{bearer}Content-Length: {len(body)}\r\n\r\n"
        ).encode() + body

    def _again(self) -> None:
        if self._transport is not None and self.request:
            self._transport.write(self.request)

    def _connect(self) -> None:
        self._connecting = self._loop.create_task(self._connected())

    async def _connected(self) -> None:
        while True:
            try:
                await self._loop.create_connection(lambda: self, "127.0.0.1", self._load.port)
                return
            except OSError:
                await asyncio.sleep(self._dice.uniform(0.01, 0.05))


class _Load:
    """The phones of one process."""

    def __init__(self, port: int, room: str, statements: int, batches: Any, place: int) -> None:
        self.port, self.room, self.statements = port, room, statements
        self.batches, self.place = batches, place
        self.stopping = False
        self.faults: list[str] = []

    async def run(self, numbers: Sequence[int], stop: Any) -> list[Ledger]:
        """Pound until told to stop, and until every batch under way was acknowledged."""
        phones = [Phone(self, number) for number in numbers]
        while not stop.is_set():
            await asyncio.sleep(0.05)
        self.stopping = True
        for _ in range(_PATIENCE_S * 20):
            if not any(phone.request for phone in phones):
                break
            await asyncio.sleep(0.05)
        for phone in phones:
            phone.request = b""
            phone.close()
        return [phone.ledger for phone in phones if phone.ledger is not None]


def _pound(
    port: int,
    room: str,
    statements: int,
    numbers: Sequence[int],
    batches: Any,
    place: int,
    stop: Any,
    out: Any,
) -> None:
    load = _Load(port, room, statements, batches, place)
    try:
        ledgers = uvloop.run(load.run(numbers, stop))
    except BaseException as error:
        load.faults.append(repr(error))
        ledgers = []
    out.send((ledgers, load.faults))
    out.close()


class Crowd:
    """Several processes of phones; the ledgers come when it stops."""

    def __init__(
        self, port: int, *, processes: int, phones: int, statements: int, room: str = "room-1"
    ) -> None:
        context = multiprocessing.get_context("spawn")
        self._stop = context.Event()
        self._batches = context.RawArray("Q", processes)
        self._outs = []
        self._processes = []
        for place in range(processes):
            mine, theirs = context.Pipe(duplex=False)
            numbers = range(place, phones, processes)
            arguments = (port, room, statements, numbers, self._batches, place, self._stop, theirs)
            self._processes.append(context.Process(target=_pound, args=arguments, daemon=True))
            self._outs.append(mine)
        for process in self._processes:
            process.start()

    @property
    def batches(self) -> int:
        """Count the batches acknowledged so far."""
        return sum(self._batches)

    def stop(self) -> list[Ledger]:
        """End the load, give all ledgers; raises AssertionError for an answer that should not have been."""
        self._stop.set()
        ledgers: list[Ledger] = []
        faults: list[str] = []
        for out in self._outs:
            found = out.recv()
            ledgers += found[0]
            faults += found[1]
        for process in self._processes:
            process.join(10)
        assert not faults, faults[:5]
        return ledgers


def compared(room: Room, ledgers: Sequence[Ledger]) -> tuple[list[object], list[object], int]:
    """Give what was acknowledged and is lost, what is there and should not be, and how much was acknowledged.

    `room` was rebuilt from its journals. A last batch that was never acknowledged may stand or not.
    """
    lost: list[object] = []
    doubled: list[object] = []
    acknowledged = 0
    tallies: dict[int, list[int]] = {}
    for ledger in ledgers:
        who, unsure = ledger.participant, ledger.unsure or {}
        maybe_votes = dict(unsure.get("votes", []))
        maybe_ratings = {(item, scale): value for item, scale, value in unsure.get("ratings", [])}
        maybe_ideas = {one["id"] for one in unsure.get("ideas", [])}
        votes, ratings = room.votes_of(who), room.ratings_of(who)
        acknowledged += len(ledger.votes) + len(ledger.ratings) + len(ledger.ideas)
        lost += [
            (who, statement, value, votes.get(statement))
            for statement, value in ledger.votes.items()
            if votes.get(statement) not in (value, maybe_votes.get(statement, value))
        ]
        lost += [
            (who, pair, value, ratings.get(pair))
            for pair, value in ledger.ratings.items()
            if ratings.get(pair) not in (value, maybe_ratings.get(pair, value))
        ]
        kept = [room.statements.contributions[row.id].idea.mark for row in room.mine(who)]
        lost += [(who, mark) for mark in ledger.ideas if mark not in set(kept)]
        doubled += [(who, mark) for mark in set(kept) if kept.count(mark) > 1]
        doubled += [(who, mark) for mark in kept if mark not in ledger.ideas and mark not in maybe_ideas]
        doubled += [(who, one) for one in votes if one not in ledger.votes and one not in maybe_votes]
        for statement, value in votes.items():
            tallies.setdefault(statement, [0, 0, 0])[(1, -1, 0).index(value)] += 1
    known = {ledger.participant for ledger in ledgers}
    doubled += [("stranger", who) for who in room.people.joined() if who not in known and room.votes_of(who)]
    for number, counts in tallies.items():
        row = room.statement(number)
        if [row.agrees, row.disagrees, row.passes] != counts:
            doubled.append(("tally", number, row, counts))
    return lost, doubled, acknowledged
