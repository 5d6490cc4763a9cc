"""Several workers of one store: any of them may take any request, and what comes of it is what one would have made."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from essaim.live import hub as hubs
from essaim.live import live_room, records
from essaim.live.app import LiveApp
from essaim.live.file_store import FileStore
from essaim.live.hub import Hub
from essaim.live.limits import WIDE
from essaim.live.plan import PhaseWindow, Plan
from essaim.live.ranker import Ranker
from essaim.live.reader import read_room, read_view
from essaim.live.records import BatchRecord, JoinRecord
from essaim.live.spec import Seed
from tests.live.rooms import MINUTE, make_spec
from tests.live.served import ROOM, bearer, join

STATEMENTS = 20


def open_spec(**changes: Any) -> Any:
    begun = hubs.clock() - MINUTE
    plan = Plan(1, (PhaseWindow("draft", 0, begun), PhaseWindow("compare", 0, begun)))
    return make_spec(plan, seeds=tuple(Seed(n, f"s{n}") for n in range(STATEMENTS)), **changes)


@asynccontextmanager
async def workers(data: Path, count: int) -> AsyncIterator[list[tuple[httpx.AsyncClient, Hub]]]:
    """Start that many hubs on one store, each with a client of its own."""
    FileStore(data).write_spec(open_spec())
    started = []
    for number in range(count):
        hub = Hub(data, worker=number, ranks=False, limits=WIDE)
        await hub.start()
        transport = httpx.ASGITransport(LiveApp(hub))
        started.append((httpx.AsyncClient(transport=transport, base_url="http://test"), hub))
    try:
        yield started
    finally:
        for client, hub in started:
            await client.aclose()
            await hub.close()


async def until(condition: Any) -> None:
    for _attempt in range(200):
        if condition():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it did not come to that")


def test_the_result_of_two_workers_is_that_of_one_byte_for_byte(tmp_path: Path) -> None:
    dice = random.Random(4)
    batches = []
    for person in range(40):
        for seq in range(1, 6):
            votes = {dice.randrange(STATEMENTS): dice.choice((1, 0, -1, None)) for _ in range(4)}
            batches.append((person, {"seq": seq, "votes": [list(pair) for pair in votes.items()]}))

    async def play(data: Path, count: int) -> None:
        async with workers(data, count) as started:
            tickets = [
                await join(started[0][0]) for _person in range(40)
            ]  # one worker counts them: same numbers
            sent = batches + dice.sample(batches, 60)
            dice.shuffle(sent)
            for person, batch in sent:
                client = started[dice.randrange(count)][0]
                answer = await client.post(f"{ROOM}/batch", json=batch, headers=bearer(tickets[person]))
                assert answer.status_code == 200, answer.text

    results = []
    for count in (1, 2):
        data = tmp_path / str(count)
        asyncio.run(play(data, count))
        room, view = read_room(FileStore(data), "room-1"), read_view(data, "room-1", hubs.clock())
        matrix = view.vote_matrix
        arrays = (matrix.participants, matrix.statements, matrix.indptr, matrix.indices, matrix.values)
        digest = hashlib.sha256(b"".join(one.tobytes() for one in arrays)).hexdigest()
        results.append((digest, view.vote_digest, view.statements, [room.me(p) for p in range(40)]))
    assert results[0] == results[1]


def test_a_statement_known_to_another_worker_only_may_be_voted_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FileStore, "poll_s", 3600.0)  # nothing is heard unless it is asked for
    monkeypatch.setattr(live_room, "CATCH_UP_S", 0.0)

    async def scenario() -> None:
        async with workers(tmp_path, 2) as ((first, one), (second, other)):
            writer, voter = await join(first), await join(second)
            idea = {"id": "idea-0001", "item": 2, "kind": "idea", "text": "Une idée"}
            await first.post(f"{ROOM}/batch", json={"seq": 1, "ideas": [idea]}, headers=bearer(writer))
            number = next(iter((await one.room("room-1")).room.statements.contributions))
            assert number not in (await other.room("room-1")).room.statements
            batch = {"seq": 1, "votes": [[number, 1], [3, -1], [777, 1]]}
            answer = (await second.post(f"{ROOM}/batch", json=batch, headers=bearer(voter))).json()
            assert answer["refused"] == [{"what": "votes", "index": 2, "code": "unknown-statement"}]
            me = (await second.get(f"{ROOM}/me", headers=bearer(voter))).json()
            assert me["votes"] == 2
            # The same idea again, at the other worker, as a phone sends it that did not hear the answer.
            again = await second.post(
                f"{ROOM}/batch", json={"seq": 1, "ideas": [idea]}, headers=bearer(writer)
            )
            assert again.status_code == 200
        room = read_room(FileStore(tmp_path), "room-1")
        assert list(room.statements.contributions) == [number] and room.statement(number).seen == 1

    asyncio.run(scenario())


def test_workers_hand_out_different_numbers_and_go_on_after_a_restart(tmp_path: Path) -> None:
    async def come(count: int) -> list[int]:
        given = []
        async with workers(tmp_path, 2) as started:
            for turn in range(count):
                client = started[turn % 2][0]
                given.append((await client.post(f"{ROOM}/join", json={})).json()["participant"])
        return given

    given = asyncio.run(come(10)) + asyncio.run(come(10))
    assert len(set(given)) == 20
    assert sorted(given) == [*range(10), *range(1024, 1034)], "the second worker has a range of its own"


def test_one_ranks_and_the_others_take_what_it_publishes(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with workers(tmp_path, 2) as ((first, one), (_second, other)):
            ranking = Hub(tmp_path, worker=None, ranks=True, limits=WIDE)
            await ranking.start()
            ranker = Ranker(ranking)
            await ranker.look()
            for person in range(16):
                side = 1 if person % 2 else -1
                votes = [[number, side if number % 3 else -side] for number in range(12)]
                ticket = await join(first)
                await first.post(f"{ROOM}/batch", json={"seq": 1, "votes": votes}, headers=bearer(ticket))
            await other.room("room-1")
            await ranker.look()
            rooms = [(await hub.room("room-1")).room for hub in (one, other)]
            await until(lambda: all(room.opinion is not None for room in rooms))
            assert [room.votes.live for room in rooms] == [192, 192]
            assert {group.size for group in rooms[1].opinion.groups} == {8}
            with pytest.raises(RuntimeError):
                ranking._lease.acquire()
            rival = Hub(tmp_path, worker=None, ranks=True)
            await rival.start()
            assert rival.epoch is None, "one holder at a time"
            await ranking.close()
            await until(lambda: rival.epoch is not None)
            await rival.close()

    asyncio.run(scenario())


def test_a_room_of_many_votes_serves_while_it_warms_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("essaim.live.reader.COLD_FROM", 10)
    store = FileStore(tmp_path)
    store.write_spec(open_spec())
    journal = store.journal("room-1", 0)
    kept = [JoinRecord(person, 5, "fr") for person in range(30)]
    kept += [BatchRecord(p, 3, 9, tuple((n, 1 - (p + n) % 3) for n in range(12))) for p in range(30)]
    journal.append(records.encode(kept))
    journal.close()
    warmed: list[Any] = []

    async def scenario() -> None:
        started, go_on = live_room.LiveRoom._warm_up, asyncio.Event()

        async def late(live: live_room.LiveRoom) -> None:
            warmed.append(live.room.votes.is_cold)
            await go_on.wait()
            await started(live)

        monkeypatch.setattr(live_room.LiveRoom, "_warm_up", late)
        async with workers(tmp_path, 1) as ((client, hub),):
            live = await hub.room("room-1")
            ticket = live.room.ticket(7, hubs.clock())
            for seq, value in ((2, -1), (4, 0), (5, -1)):  # one too old, one newer, one newer still
                votes = [[1, value], [15, value]]
                answer = await client.post(
                    f"{ROOM}/batch", json={"seq": seq, "votes": votes}, headers=bearer(ticket)
                )
                assert answer.status_code == 200 and answer.json()["refused"] == []
            go_on.set()
            await until(lambda: not live.room.votes.is_cold)
            assert live.room.votes_of(7)[1] == -1 and live.room.votes_of(7)[15] == -1
            assert live.room.votes_of(7)[2] == kept[30 + 7].votes[2][1]  # type: ignore[union-attr]
            rebuilt = read_room(store, "room-1")
            assert live.room.votes.live == rebuilt.votes.live == 30 * 12 + 1
            assert live.room.statements.rows() == rebuilt.statements.rows()

    asyncio.run(scenario())
    assert warmed == [True]
