"""Rooms to test with."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from essaim.live import offline, projections
from essaim.live import plan as plans
from essaim.live.limits import WIDE, Limits
from essaim.live.plan import PhaseWindow, Plan
from essaim.live.room import Outcome, Room
from essaim.live.spec import FrameItem, Kind, RoomSpec, Scale, Seed, Unit

NOW = 1_800_000_000_000
MINUTE = 60_000
KEY = bytes(range(32))


def running(*names: str, now: int = NOW, minutes: int = 0) -> Plan:
    """A plan whose first phase has just begun (open end unless minutes are given)."""
    phases = tuple(PhaseWindow(name, minutes) for name in names or ("compare",))
    return plans.start(Plan(0, phases), now)


def make_spec(plan: Plan | None = None, **changes: Any) -> RoomSpec:
    """A small room: 12 seeds, a frame of three places, two scales, two units."""
    both = {"fr": "texte", "en": "text"}
    values: dict[str, Any] = {
        "room": "room-1",
        "number": 4_000_000_000,
        "code": "ABC123",
        "rev": 1,
        "title": "Titre",
        "question": "Que voyez-vous ?",
        "lang": "fr",
        "privacy": "anonymous",
        "plan": plan if plan is not None else running(),
        "kinds": (Kind("problem", both), Kind("idea", both)),
        "frame": (
            FrameItem(1, None, "Racine", False),
            FrameItem(2, 1, "Branche", True),
            FrameItem(3, 1, "Autre", True),
        ),
        "scales": (Scale("maturity", both, both, both), Scale("importance", both, both, both, 4)),
        "units": (Unit(1, "Nord"), Unit(2, "Sud")),
        "seeds": tuple(Seed(number, f"Énoncé {number}", 2, "problem") for number in range(12)),
    }
    return RoomSpec(**(values | changes))


def make_room(plan: Plan | None = None, *, limits: Limits = WIDE, **changes: Any) -> Room:
    """A room in memory."""
    return Room(make_spec(plan, **changes), KEY, limits)


def enter(room: Room, now: int = NOW, **body: Any) -> str:
    """Join and give the ticket."""
    return room.ticket(room.join(json.dumps(body).encode(), now).participant, now)


def send(room: Room, ticket: str, seq: int, now: int = NOW + 1, **entries: Any) -> Outcome:
    """Submit a batch and settle it at once."""
    outcome = room.submit(ticket, json.dumps({"seq": seq, **entries}).encode(), now)
    if outcome.record is not None:
        room.settle([outcome.record])
    return outcome


def idea(mark: str, text: str = "Une idée", **fields: Any) -> dict[str, Any]:
    """An idea as clients send it."""
    return {"id": mark, "item": 2, "kind": "idea", "text": text, **fields}


def codes(outcome: Outcome) -> list[tuple[str, int, str]]:
    """What was refused, in a stable order."""
    return sorted((one.what, one.index, one.code) for one in outcome.refused)


def load_votes(data: Path, room: str, triples: Iterable[tuple[int, int, int]]) -> dict[int, int]:
    """Write (label, statement, vote) into the journal of a room that no hub holds, all at one time."""
    votes = ((int(label), int(statement), int(vote), NOW) for label, statement, vote in triples)
    return offline.load_votes(data, room, votes)


def number_of(room: Room, participant: int, mark: str) -> int:
    """The id of a contribution, by who made it and its mark."""
    return room._marks[participant, mark]


def everything(room: Room) -> tuple[Any, ...]:
    """All that a room shows: two rooms made of the same records show the same."""
    view = projections.build(projections.snapshot(room, NOW + 5 * MINUTE), None)
    ratings = zip(
        view.rating_participant, view.rating_item, view.rating_scale, view.rating_value, strict=True
    )
    return (
        view.vote_digest,
        view.statements,
        view.per_minute,
        (view.participants, view.contributors, view.voters, view.raters, view.votes, view.ratings),
        [tuple(map(int, one)) for one in ratings],
        view.unit_of.tolist(),
        room.state_bytes(NOW)[0],
        [room.me(p) for p in range(room.people.next_number)],
        [room.next_for(p, 20) for p in range(room.people.next_number)],
        room.people.next_number,
    )
