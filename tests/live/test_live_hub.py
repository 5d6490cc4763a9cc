"""The hub: opening, publishing from other threads, views in and out of its process, imports, streams."""

from __future__ import annotations

import asyncio
import http.client
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from essaim.engines.votes import from_triples
from essaim.live import hub as hubs
from essaim.live import live_room, plan
from essaim.live.errors import LockedError, UnknownRoomError
from essaim.live.file_store import FileStore
from essaim.live.limits import WIDE, Limits
from essaim.live.spec import Seed, SpecError
from tests.live.rooms import idea, load_votes, make_spec
from tests.live.served import ROOM, bearer, join, live_spec, real_server, serving


def test_publish_reaches_the_view_from_another_thread(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path, live_spec()) as (client, running_hub):
            assert hubs.running() is running_hub
            ticket = await join(client)
            await client.post(f"{ROOM}/batch", json={"seq": 1, "votes": [[0, 1]]}, headers=bearer(ticket))
            spec = live_spec(rev=5, title="Nouveau titre", hidden=(3,))

            def from_a_page() -> hubs.RoomView:
                hubs.publish(tmp_path, spec)
                return hubs.view(tmp_path, "room-1")

            view = await asyncio.to_thread(from_a_page)
            assert (view.rev, view.votes, view.participants) == (5, 1, 1)
            assert view.statements[3].status == "hidden"
            shown = running_hub.current_view("room-1")
            assert shown is not None
            assert hubs.view(tmp_path, "room-1").facts is shown.facts, "not a copy from disk"
            await asyncio.to_thread(hubs.publish, tmp_path, live_spec(rev=4, title="Older"))
            assert (await client.get(f"{ROOM}/frame")).json()["title"] == "Nouveau titre"
            hubs.publish(tmp_path, live_spec(rev=6, title="From the loop itself"))
            await asyncio.sleep(0.05)
            assert (await client.get(f"{ROOM}/frame")).json()["title"] == "From the loop itself"
        assert hubs.running() is None

    asyncio.run(scenario())


def test_a_specification_written_by_another_process_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_room, "REFRESH_S", 0.02)

    async def scenario() -> None:
        async with serving(tmp_path, live_spec()) as (client, _):
            await client.get(f"{ROOM}/state")
            FileStore(tmp_path).write_spec(live_spec(rev=2, title="By hand"))
            await eventually(lambda: hubs.view(tmp_path, "room-1").rev == 2)
            (tmp_path / "live" / "room-1" / "spec.json").write_bytes(b"{ broken")
            await asyncio.sleep(0.1)
            assert (await client.get(f"{ROOM}/state")).json()["rev"] == 2

    asyncio.run(scenario())


async def eventually(condition: Any) -> None:
    for _ in range(200):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it never happened")


def test_codes_are_found_in_any_case_and_follow_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hubs, "RESCAN_S", 0.0)

    async def scenario() -> None:
        async with serving(tmp_path, live_spec()) as (client, _):
            FileStore(tmp_path).write_spec(make_spec(room="room-2", number=2, code="Second"))
            for code, status in (("abc123", 200), ("SECOND", 200), ("second", 200), ("third", 404)):
                assert (await client.get(f"/s/{code}")).status_code == status
            await asyncio.to_thread(hubs.publish, tmp_path, live_spec(rev=2, code="CHANGED"))
            assert (await client.get("/s/changed")).status_code == 200
            assert (await client.get("/s/abc123")).status_code == 404

    asyncio.run(scenario())


def test_two_hubs_cannot_write_one_room(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path, live_spec()) as (client, _):
            ticket = await join(client)
            async with serving(tmp_path) as (other, _):
                answer = await other.get(f"{ROOM}/state")
                assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
            with pytest.raises(LockedError):
                load_votes(tmp_path, "room-1", [(0, 0, 1)])
            send = {"seq": 1, "votes": [[0, 1]]}
            assert (await client.post(f"{ROOM}/batch", json=send, headers=bearer(ticket))).status_code == 200
        async with serving(tmp_path) as (again, _):
            assert (await again.get(f"{ROOM}/state")).json()["votes"] == 1
            assert (await again.get(f"{ROOM}/me", headers=bearer(ticket))).json()["votes"] == 1

    asyncio.run(scenario())


def test_many_open_at_once_open_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path, live_spec()) as (client, _):
            answers = await asyncio.gather(*(client.get(f"{ROOM}/state") for _ in range(20)))
            assert {answer.status_code for answer in answers} == {200}

    asyncio.run(scenario())


def test_views_from_disk(tmp_path: Path) -> None:
    with pytest.raises(UnknownRoomError):
        hubs.view(tmp_path, "room-1")
    hubs.publish(tmp_path, live_spec())
    view = hubs.view(tmp_path, "room-1")
    assert (view.votes, view.participants, view.opinion, view.phase.name) == (0, 0, None, "compare")
    folder = tmp_path / "live" / "room-1"
    assert not (folder / "journal-0-000001.log").exists(), "looking writes nothing"
    assert not (folder / "key").exists()
    load_votes(tmp_path, "room-1", [(0, 0, 1)])
    assert hubs.view(tmp_path, "room-1").votes == 1
    with (folder / "journal-0-000001.log").open("ab") as file:
        file.write(b"a block that is being written")
    assert hubs.view(tmp_path, "room-1").votes == 1
    assert (folder / "journal-0-000001.log").read_bytes().endswith(b"written"), "looking cuts nothing"
    with pytest.raises(SpecError):
        hubs.publish(tmp_path, make_spec(code=""))


def test_imported_votes_are_exactly_the_given_ones(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    people, cards = rng.integers(0, 5000, 60_000), rng.integers(0, 100, 60_000)
    votes = rng.integers(-1, 2, 60_000)
    hubs.publish(tmp_path, live_spec(seeds=tuple(Seed(n, f"s{n}") for n in range(100))))
    started = time.perf_counter()
    numbers = load_votes(tmp_path, "room-1", zip(people, cards, votes, strict=True))
    assert time.perf_counter() - started < 2
    view = hubs.view(tmp_path, "room-1")
    assert numbers == {int(label): int(label) for label in np.unique(people)}, "labels are kept"
    expected = from_triples(people, cards, votes, statements=range(100))
    for name in ("participants", "statements", "indptr", "indices", "values"):
        assert np.array_equal(getattr(view.vote_matrix, name), getattr(expected, name))
    with pytest.raises(ValueError, match="statement 777"):
        load_votes(tmp_path, "room-1", [(0, 0, 1), (0, 777, 1)])
    with pytest.raises(ValueError, match="a vote is"):
        load_votes(tmp_path, "room-1", [(0, 0, 1), (0, 1, 2)])
    assert hubs.view(tmp_path, "room-1").votes == view.votes
    assert load_votes(tmp_path, "room-1", [(0, 0, 1)]) == {0: int(people.max()) + 1}


def test_the_opinion_map_follows_the_votes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_room, "REFRESH_S", 0.05)
    computing, most, times = 0, 0, 0
    real = live_room.projections.map_opinion

    def watched(view: hubs.RoomView) -> Any:
        nonlocal computing, most, times
        computing += 1
        most, times = max(most, computing), times + 1
        try:
            time.sleep(0.15)
            return real(view)
        finally:
            computing -= 1

    monkeypatch.setattr(live_room.projections, "map_opinion", watched)

    async def scenario() -> None:
        async with serving(tmp_path, live_spec()) as (client, _):
            tickets = [await join(client) for _ in range(16)]
            for number, ticket in enumerate(tickets):
                side = 1 if number % 2 else -1
                votes = [[s, side if s % 2 else -side] for s in range(12)]
                await client.post(f"{ROOM}/batch", json={"seq": 1, "votes": votes}, headers=bearer(ticket))
                await asyncio.sleep(0.02)
            await eventually(lambda: view_of(tmp_path).opinion is not None and counted(tmp_path) == 16)
            assert most == 1, "never two at once"
            before = times
            await asyncio.sleep(0.4)
            assert times == before, "nothing changed: nothing is computed"
            opinion = view_of(tmp_path).opinion
            assert opinion is not None
            assert sorted(group.size for group in opinion.groups) == [8, 8]
            me = (await client.get(f"{ROOM}/me", headers=bearer(tickets[0]))).json()
            assert me["why"] is None
            assert {group["size"] for group in me["groups"]} == {8}
            assert me["position"]["group"] in {group["id"] for group in me["groups"]}
            assert all(group["says"] and set(group["says"][0]) == {"text", "agree"} for group in me["groups"])
            late = await join(client)
            send = {"seq": 1, "votes": [[1, 1], [2, -1]]}
            await client.post(f"{ROOM}/batch", json=send, headers=bearer(late))
            placed = (await client.get(f"{ROOM}/me", headers=bearer(late))).json()
            assert placed["position"] is not None, "two votes are enough to be placed on a map that exists"
            points = await client.get(f"{ROOM}/map")
            assert len(points.content) == 5 * 16
            assert float(points.headers["essaim-scale"]) > 0

    asyncio.run(scenario())


def view_of(data: Path) -> hubs.RoomView:
    return hubs.view(data, "room-1")


def counted(data: Path) -> int:
    opinion = view_of(data).opinion
    return 0 if opinion is None else int(opinion.counted.sum())


class Listening:
    """A browser that listens to a stream."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        self.connection.request("GET", f"{ROOM}/stream")
        self.answer = self.connection.getresponse()

    def until(self, *names: str) -> None:
        """Read events until all of these came."""
        missing = set(names)
        while missing:
            line = self.answer.readline()
            assert line, f"the stream ended, still waiting for {missing}"
            missing.discard(line.decode().strip().removeprefix("event: "))


def post(port: int, path: str, body: str, ticket: str = "") -> Any:
    import json

    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    headers = {"Content-Type": "application/json"} | (bearer(ticket) if ticket else {})
    connection.request("POST", f"{ROOM}/{path}", body, headers)
    answer = connection.getresponse()
    document = json.loads(answer.read())
    connection.close()
    assert answer.status in (200, 201), document
    return document


def test_streams_over_a_real_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import json

    monkeypatch.setattr(live_room, "REFRESH_S", 0.05)
    spec = live_spec("draft", "compare")
    hubs.publish(tmp_path, spec)
    limits = Limits(streams_per_room=2, heartbeat_seconds=0.1)
    with real_server(tmp_path, limits) as port:
        ears = Listening(port)
        assert ears.answer.status == 200
        assert ears.answer.getheader("content-type") == "text/event-stream; charset=utf-8"
        first = ears.answer.readline().decode()
        assert first.startswith("retry: ")
        assert 1000 <= int(first.split()[1]) <= 6000
        ears.until(": still here")
        ticket = post(port, "join", "{}")["ticket"]
        ears.until("counts")
        post(port, "batch", json.dumps({"seq": 1, "ideas": [idea("idea-0001")]}), ticket)
        ears.until("contributions", "counts")
        hubs.publish(tmp_path, live_spec("compare", rev=2, hidden=(100_000,)))
        ears.until("plan", "moderation")
        second = Listening(port)
        third = Listening(port)
        assert (third.answer.status, third.answer.getheader("retry-after")) == (503, "15")
        second.connection.close()
        second.answer.close()
        for _ in range(100):
            if Listening(port).answer.status == 200:
                break
            time.sleep(0.02)
        else:
            raise AssertionError("the place of a stream that ended is not free again")
        stopping = time.monotonic()
    assert time.monotonic() - stopping < 3, "open streams do not hold the server back"
    assert ears.answer.read().strip().endswith(b"") is True


def test_a_slow_reader_is_cut(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path, live_spec(), Limits(send_seconds=0.05)) as (client, running_hub):
            await client.get(f"{ROOM}/state")
            live = await running_hub.room("room-1")
            never = asyncio.Event()

            async def stuck(_: Any) -> None:
                await never.wait()

            async def silent() -> dict[str, Any]:
                await never.wait()
                return {"type": "http.disconnect"}

            await asyncio.wait_for(live.stream.serve(stuck, silent, patience=0.05, unsent=1000), 1)
            assert len(live.stream) == 0

    asyncio.run(scenario())


def test_pages_read_while_the_room_is_written(tmp_path: Path) -> None:
    hubs.publish(tmp_path, live_spec())
    seen: list[tuple[int, int]] = []
    with real_server(tmp_path, WIDE) as port:
        tickets = [post(port, "join", "{}")["ticket"] for _ in range(3)]
        done = threading.Event()

        def page() -> None:
            while not done.is_set():
                view = hubs.view(tmp_path, "room-1")
                seen.append((view.votes, sum(row.seen for row in view.statements)))

        readers = [threading.Thread(target=page) for _ in range(2)]
        for reader in readers:
            reader.start()
        for seq in range(1, 13):
            for ticket in tickets:
                post(port, "batch", f'{{"seq": {seq}, "votes": [[{seq - 1}, 1]]}}', ticket)
        done.set()
        for reader in readers:
            reader.join()
    assert all(votes == rows for votes, rows in seen), "a view is of one instant"
    assert hubs.view(tmp_path, "room-1").votes == 36


def test_the_clock_alone_moves_the_phase(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_room, "REFRESH_S", 0.02)
    now = hubs.clock()
    windows = (plan.PhaseWindow("draft", 1, now - 1000, now + 200), plan.PhaseWindow("compare", 1, now + 200))

    async def scenario() -> None:
        async with serving(tmp_path, make_spec(plan.Plan(1, windows))) as (client, _):
            assert (await client.get(f"{ROOM}/state")).json()["phase"] == "draft"
            assert view_of(tmp_path).phase.name == "draft"
            await eventually(lambda: view_of(tmp_path).phase.name == "compare")
            assert (await client.get(f"{ROOM}/state")).json()["phase"] == "compare"

    asyncio.run(scenario())
