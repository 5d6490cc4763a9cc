"""`essaim replay SESSION --speed N`: send what a session holds through the real HTTP path, as a new live session.

Every participant of the source joins anew and sends the same contributions, ratings and votes, in the order and (divided
by the speed) at the pace they came. At the end the new room must hold exactly the same counts; it says so, and exits with 1
when it does not.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from essaim.cli.setup import prepare

WINDOW_S = 0.25  # events that fall into one window of wall time travel in one batch a person
PER_BATCH = 50
IDEAS_PER_BATCH = 5
AT_ONCE = 48
ATTEMPTS = 40


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser("replay", help="send a session through the live path again")
    parser.add_argument("session", help="the session's id or code")
    parser.add_argument(
        "--speed", type=float, default=0.0, help="times faster than it was held (0: as fast as possible)"
    )
    parser.add_argument(
        "--url", help="a running server of this data folder (default: one is started for the time)"
    )
    parser.set_defaults(func=run)


@dataclass(frozen=True)
class Event:
    """Something a participant sent, at a time in ms: a vote, a rating or a contribution."""

    at: int
    participant: int
    kind: str  # votes, ratings, ideas
    entry: tuple[Any, ...]


@dataclass
class Sender:
    """One participant of the replay: their new ticket and the number of their last batch."""

    ticket: str
    seq: int = 0
    busy: asyncio.Lock = field(default_factory=asyncio.Lock)


def run(options: argparse.Namespace) -> int:
    if options.speed < 0:
        print("essaim: --speed must be 0 (as fast as possible) or more.", file=sys.stderr)
        return 2
    prepare()
    from django.conf import settings
    from django.db.models import Q
    from django.utils import timezone

    from essaim.base.actor import system
    from essaim.listen.sessions.actions.replaying import open_replay
    from essaim.listen.sessions.models import Session
    from essaim.live import hub
    from essaim.live.offline import read_records

    source = Session.objects.filter(Q(id=options.session) | Q(code=options.session.upper())).first()
    if source is None:
        print(f"essaim: there is no session {options.session!r}.", file=sys.stderr)
        return 1
    events = events_of(read_records(settings.LIVE_STORE, source.id))
    session = open_replay(session_id=source.id, by=system(source.organisation_id), now=timezone.now())
    print(session.id, flush=True)
    server, base = (None, options.url) if options.url else _own_server()
    try:
        with httpx.Client(base_url=base, timeout=10) as client:
            _wait_for(client, session.id)
        started = time.monotonic()
        asyncio.run(_send(f"{base}/live/{session.id}", events, options.speed, session.id))
        seconds = time.monotonic() - started
    finally:
        if server is not None:
            server.terminate()
            server.wait(15)
    before, after = hub.view(settings.LIVE_STORE, source.id), hub.view(settings.LIVE_STORE, session.id)
    return report(before, after, seconds)


def events_of(records: Sequence[Any]) -> list[Event]:
    """Return what the records of a journal hold, contributions and ratings before votes, each in the order of time."""
    from essaim.live.records import BatchRecord

    draft: list[Event] = []
    votes: list[Event] = []
    for record in records:
        if not isinstance(record, BatchRecord):
            continue
        draft += [Event(record.at, record.participant, "ideas", (idea,)) for idea in record.ideas]
        draft += [Event(record.at, record.participant, "ratings", entry) for entry in record.ratings]
        votes += [Event(record.at, record.participant, "votes", entry) for entry in record.votes]
    draft.sort(key=lambda event: event.at)
    votes.sort(key=lambda event: event.at)
    return draft + votes


async def _send(base: str, events: list[Event], speed: float, session_id: str) -> None:
    """Send every event; contributions get new numbers in the new room, so votes on them are translated."""
    from asgiref.sync import sync_to_async

    numbers: dict[int, int] = {}
    senders: dict[int, Sender] = {}
    limits = httpx.Limits(max_connections=AT_ONCE, max_keepalive_connections=AT_ONCE)
    valve = asyncio.Semaphore(AT_ONCE)
    async with httpx.AsyncClient(base_url=base, limits=limits, timeout=30) as client:
        for kinds in (("ideas", "ratings"), ("votes",)):
            chosen = [event for event in events if event.kind in kinds]
            if kinds == ("votes",):
                await sync_to_async(_to_compare)(session_id)
                await _until_compare(client)
            for window in _windows(chosen, speed):
                begun = time.monotonic()
                by_person: dict[int, list[Event]] = defaultdict(list)
                for event in window:
                    by_person[event.participant].append(event)
                await asyncio.gather(
                    *(
                        _send_person(client, valve, senders, person, theirs, numbers)
                        for person, theirs in by_person.items()
                    )
                )
                if speed:
                    await asyncio.sleep(max(0.0, WINDOW_S - (time.monotonic() - begun)))


def _windows(events: list[Event], speed: float) -> list[list[Event]]:
    """Cut the events into what travels together: by windows of wall time, or all at once at full speed."""
    if not speed:
        return [events] if events else []
    windows: dict[int, list[Event]] = defaultdict(list)
    for event in events:
        windows[int((event.at - events[0].at) / (speed * WINDOW_S * 1000))].append(event)
    # Nights and week-ends without a single event are skipped: nothing is to be seen in them.
    return [windows[key] for key in sorted(windows)]


async def _send_person(
    client: httpx.AsyncClient,
    valve: asyncio.Semaphore,
    senders: dict[int, Sender],
    person: int,
    events: list[Event],
    numbers: dict[int, int],
) -> None:
    async with valve:
        if person not in senders:
            joined = await _post(client, "/join", {"lang": "fr"}, None)
            senders[person] = Sender(joined["ticket"])
        sender = senders[person]
        async with sender.busy:
            for batch in _batches(events, numbers):
                sender.seq += 1
                answer = await _post(client, "/batch", {"seq": sender.seq, **batch}, sender.ticket)
                if answer["refused"]:
                    raise RuntimeError(f"refused: {answer['refused'][:3]}")
            ideas = [event for event in events if event.kind == "ideas"]
            if ideas:
                reply = await client.get("/me", headers={"Authorization": f"Bearer {sender.ticket}"})
                reply.raise_for_status()
                mine = {one["text"]: one["id"] for one in reply.json()["mine"]}
                numbers.update({event.entry[0].id: mine[event.entry[0].text] for event in ideas})


def _batches(events: list[Event], numbers: dict[int, int]) -> list[dict[str, Any]]:
    """Pack one person's events into batches that the room takes, keeping their order."""
    from essaim.live.records import RETRACTED

    batches: list[dict[str, Any]] = []
    room: dict[str, Any] = {"votes": {}, "ratings": {}, "ideas": []}

    def flush() -> None:
        nonlocal room
        if any(room.values()):
            batches.append(
                {
                    "votes": list(room["votes"].values()),
                    "ratings": list(room["ratings"].values()),
                    "ideas": room["ideas"],
                }
            )
        room = {"votes": {}, "ratings": {}, "ideas": []}

    for event in events:
        if event.kind == "votes":
            number, value = event.entry
            number = numbers.get(number, number)
            room["votes"].pop(number, None)
            room["votes"][number] = [number, None if value == RETRACTED else value]
        elif event.kind == "ratings":
            room["ratings"][event.entry[:2]] = list(event.entry)
        else:
            idea = event.entry[0]
            room["ideas"].append({"id": idea.mark, "text": idea.text, "item": idea.item, "kind": idea.kind})
        if (
            len(room["votes"]) == PER_BATCH
            or len(room["ratings"]) == PER_BATCH
            or len(room["ideas"]) == IDEAS_PER_BATCH
        ):
            flush()
    flush()
    return batches


async def _post(
    client: httpx.AsyncClient, path: str, body: dict[str, Any], ticket: str | None
) -> dict[str, Any]:
    """Post until it is acknowledged, the same bytes each time, as a phone does."""
    headers = {"Authorization": f"Bearer {ticket}"} if ticket else {}
    for attempt in range(ATTEMPTS):
        try:
            answer = await client.post(path, json=body, headers=headers)
        except httpx.TransportError:
            await asyncio.sleep(min(4.0, 0.1 * 2**attempt))
            continue
        if answer.status_code < 300:
            return dict(answer.json())
        if answer.status_code not in (409, 429, 503):
            raise RuntimeError(f"{path}: {answer.status_code} {answer.text[:200]}")
        await asyncio.sleep(float(answer.headers.get("Retry-After", "1")))
    raise RuntimeError(f"{path}: not taken after {ATTEMPTS} tries")


def _to_compare(session_id: str) -> None:
    """Go on to the phase in which votes are taken, if the replay began with contributions."""
    from django.utils import timezone

    from essaim.base.actor import system
    from essaim.listen.sessions.actions import next_phase
    from essaim.listen.sessions.models import Session
    from essaim.listen.sessions.queries.specification import plan_of
    from essaim.live.plan import phase_at

    session = Session.objects.get(id=session_id)
    now = timezone.now()
    if phase_at(plan_of(session), int(now.timestamp() * 1000)).name == "draft":
        next_phase(
            session_id=session_id, expected_rev=session.plan_rev, by=system(session.organisation_id), now=now
        )


async def _until_compare(client: httpx.AsyncClient) -> None:
    """Wait until the server has heard of the change: it looks at the specification once a second."""
    for _attempt in range(100):
        if (await client.get("/state")).json()["phase"] == "compare":
            return
        await asyncio.sleep(0.1)
    raise RuntimeError("the server does not hear of the next phase")


def _own_server() -> tuple[subprocess.Popen[bytes], str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environ = {**os.environ, "ESSAIM_HOST": "127.0.0.1", "ESSAIM_PORT": str(port)}
    command = [sys.executable, "-m", "essaim.cli", "serve"]
    return subprocess.Popen(command, env=environ), f"http://127.0.0.1:{port}"


def _wait_for(client: httpx.Client, room: str) -> None:
    """Wait until the server answers for the room."""
    for _attempt in range(200):
        try:
            if client.get(f"/live/{room}/state").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise SystemExit("essaim: the server does not answer for this session; does it use the same data folder?")


def report(before: Any, after: Any, seconds: float) -> int:
    """Compare the counts of both rooms; say what is the same; return the exit code."""

    def by_statement(view: Any) -> Counter[tuple[str, int, int, int]]:
        return Counter((row.text, row.agrees, row.disagrees, row.passes) for row in view.statements)

    def by_participant(view: Any) -> Counter[tuple[int, int]]:
        import numpy as np

        matrix = view.vote_matrix
        owner = matrix.rows()
        size = len(matrix.participants)
        total = np.bincount(owner, minlength=size).tolist()
        agree = np.bincount(owner[matrix.values == 1], minlength=size).tolist()
        return Counter(zip(total, agree, strict=True))

    checks = {
        "votes": before.votes == after.votes,
        "statements": by_statement(before) == by_statement(after),
        "participants": by_participant(before) == by_participant(after),
        "contributions": before.contributions == after.contributions,
        "ratings": before.ratings == after.ratings,
    }
    figures = f"{after.votes} votes of {after.voters} participants on {len(after.statements)} statements"
    print(f"{figures} in {seconds:.1f} s", file=sys.stderr)
    for name, same in checks.items():
        print(f"  {name}: {'the same' if same else 'DIFFERENT'}", file=sys.stderr)
    return 0 if all(checks.values()) else 1
