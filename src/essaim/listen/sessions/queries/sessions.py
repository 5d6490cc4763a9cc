"""What was decided about sessions: the list, one session, its frame, its statements, its history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q
from django.utils.translation import gettext as _

from essaim.base.actor import Actor
from essaim.base.errors import NotFound
from essaim.listen.sessions.frames import FrameLine
from essaim.listen.sessions.models import Seed, Session
from essaim.listen.sessions.queries.specification import plan_of
from essaim.live.plan import PhaseNow, Plan, phase_at


def milliseconds(now: datetime) -> int:
    """The live room's clock: whole milliseconds since the epoch."""
    return int(now.timestamp() * 1000)


@dataclass(frozen=True)
class SessionLine:
    """A session in a list: its phase is that of the moment of reading."""

    id: str
    code: str
    title: str
    question: str
    language: str
    origin: str
    created_by: str
    created_at: datetime
    plan: Plan
    phase: PhaseNow
    archived: bool

    @property
    def state(self) -> str:
        """One of waiting, draft, compare, between, closed, frozen, archived."""
        if self.archived:
            return "archived"
        return "frozen" if self.phase.frozen else self.phase.name

    @property
    def running(self) -> bool:
        return self.state in ("draft", "compare")


def find(*, session_id: str, by: Actor) -> Session:
    """Return the session, if it belongs to the actor's organisation.

    Raises:
        NotFound: there is none (the same answer as for another organisation's).
    """
    session = Session.objects.of(by).filter(id=session_id).first()
    if session is None:
        raise NotFound("session", _("There is no such session in your organisation."))
    return session  # type: ignore[no-any-return]


def line_of(session: Session, *, now: datetime) -> SessionLine:
    plan = plan_of(session)
    return SessionLine(
        id=session.id,
        code=session.code,
        title=session.title,
        question=session.question,
        language=session.language,
        origin=session.origin,
        created_by=session.created_by,
        created_at=session.created_at,
        plan=plan,
        phase=phase_at(plan, milliseconds(now)),
        archived=session.archived_at is not None,
    )


def sessions(*, by: Actor, now: datetime, search: str = "", state: str = "") -> Sequence[SessionLine]:
    """The organisation's sessions, newest first. `state` filters on `SessionLine.state`; archived ones only when asked for."""
    found = Session.objects.of(by).filter(archived_at__isnull=state != "archived")
    for word in search.split():
        found = found.filter(Q(title__icontains=word) | Q(question__icontains=word) | Q(code__iexact=word))
    lines = [line_of(session, now=now) for session in found]
    return [line for line in lines if not state or line.state == state]


def frame_lines(session: Session) -> tuple[FrameLine, ...]:
    """The frame as lines with their depth, in the order they are shown."""
    depths: dict[int, int] = {}
    lines = []
    for item in session.frame.all():
        depths[item.number] = 0 if item.parent is None else depths[item.parent] + 1
        lines.append(FrameLine(item.number, item.parent, item.label, depths[item.number], item.rated))
    return tuple(lines)


def seeds(session: Session) -> Sequence[Seed]:
    """The statements put by the facilitators."""
    return list(session.seeds.all())


def session_of_code(code: str) -> str | None:
    """Return the code as it is written when a session that is not archived has it, else None. Anyone may ask."""
    wanted = code.strip().upper().replace(" ", "").replace("-", "")
    found = Session.objects.filter(code=wanted, archived_at=None).values_list("code", flat=True).first()
    return str(found) if found else None
