"""What the live room knows, put into the words of the frame. Everything shown here obeys the floor of five."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings

from essaim.listen.sessions.models import Session
from essaim.listen.sessions.queries.sessions import milliseconds
from essaim.listen.sessions.queries.specification import room_spec
from essaim.live import hub
from essaim.live.errors import UnknownRoomError
from essaim.live.projections import RoomView, build, snapshot
from essaim.live.room import Room
from essaim.live.statements import StatementRow
from essaim.live.tickets import KEY_BYTES

FLOOR = 5  # nothing computed from fewer people is shown


def room_view(session: Session) -> RoomView:
    """Return the latest picture of the session's live room (rebuilt from its journal when no server runs it here).

    A room that was not handed over yet (a process that died right after the commit) is shown empty, as it is.
    """
    try:
        return hub.view(settings.LIVE_STORE, session.id)
    except UnknownRoomError:
        spec = room_spec(session)
        return build(snapshot(Room(spec, bytes(KEY_BYTES)), milliseconds(session.created_at)), None)


@dataclass(frozen=True)
class Words:
    """The labels of a session's frame and kinds in one language."""

    items: dict[int, str]
    kinds: dict[str, str]

    def place(self, item: int | None) -> str:
        return self.items.get(item, "") if item is not None else ""

    def kind(self, kind: str | None) -> str:
        return self.kinds.get(kind, "") if kind is not None else ""


def words(session: Session, language: str) -> Words:
    """Return the labels of `session` in `language` (the session's own where there is no other)."""
    kinds = {}
    for kind in session.kinds:
        label = kind["label"]
        kinds[kind["id"]] = label.get(language) or label.get(session.language) or next(iter(label.values()))
    return Words({item.number: item.label for item in session.frame.all()}, kinds)


@dataclass(frozen=True)
class Voice:
    """A contribution as facilitators read it."""

    number: int
    text: str
    place: str
    kind: str
    author: str
    status: str
    at: int
    agrees: int
    disagrees: int
    passes: int
    seen: int


def voice(row: StatementRow, labels: Words) -> Voice:
    return Voice(
        number=row.id,
        text=row.text,
        place=labels.place(row.item),
        kind=labels.kind(row.kind),
        author=row.author,
        status=row.status,
        at=row.at,
        agrees=row.agrees,
        disagrees=row.disagrees,
        passes=row.passes,
        seen=row.seen,
    )


def newest_voices(
    view: RoomView, labels: Words, *, status: str = "", limit: int = 20, oldest_first: bool = False
) -> Sequence[Voice]:
    """The contributions, newest first, of one status if given."""
    rows = [row for row in view.statements if row.origin == "voice" and (not status or row.status == status)]
    rows.sort(key=lambda row: (row.at, row.id), reverse=not oldest_first)
    return [voice(row, labels) for row in rows[:limit]]
