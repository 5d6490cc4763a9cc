"""Putting on record what a frozen session came to, with the digest of the votes it was computed from."""

from __future__ import annotations

import time
from datetime import datetime

from django.conf import settings
from django.utils.translation import gettext as _

from essaim.base import audit
from essaim.base.actions import Done, action
from essaim.base.actor import Actor, Role, system
from essaim.base.errors import Conflict
from essaim.base.events import Event, on
from essaim.base.evidence import Relation, address, link
from essaim.base.ids import new_id
from essaim.listen.sessions.models import Result
from essaim.listen.sessions.queries.results import evidence_statements, summary_of
from essaim.listen.sessions.queries.sessions import find
from essaim.listen.sessions.queries.specification import plan_of
from essaim.live import hub
from essaim.live.projections import RoomView

PATIENCE_S = 5.0  # how long the live room may take to hear that it is frozen


@action("session.record-result", may=[Role.FACILITATOR])
def record_result(*, session_id: str, by: Actor, now: datetime) -> Done[Result]:
    """Record the result of a frozen session, linked to the statements it rests on. Recording the same votes twice keeps one record.

    Raises:
        Conflict: the session is not frozen (what is recorded must not move), or its room does not answer.
    """
    session = find(session_id=session_id, by=by)
    if plan_of(session).frozen_at is None:
        raise Conflict("not-frozen", _("The results are not frozen."))
    view = _settled(session.id, session.spec_rev)
    same = session.results.filter(votes_digest=view.vote_digest, contributions=view.contributions).first()
    if same is not None:
        return Done(same, address("result", same.id), {"again": True})
    result = Result.objects.create(
        id=new_id(now),
        organisation_id=by.organisation_id,
        session=session,
        at=now,
        by=by.name if by.member_id else _who_froze(session.id, by),
        votes_digest=view.vote_digest,
        participants=view.participants,
        votes=view.votes,
        contributions=view.contributions,
        summary=summary_of(view),
    )
    where = address("result", result.id)
    link(causes=[address("session", session.id)], effect=where, relation=Relation.LEADS_TO, by=by, now=now)
    link(
        causes=[address("statement", f"{session.id}.{number}") for number in evidence_statements(view)],
        effect=where,
        relation=Relation.SUPPORTS,
        by=by,
        now=now,
    )
    return Done(result, where, {"session": session.id, "votes_digest": view.vote_digest})


def _who_froze(session_id: str, by: Actor) -> str:
    """The member who froze the session, when it is the product that records its result."""
    entries = audit.history(subject=address("session", session_id), by=by)
    return next((entry.member_name for entry in entries if entry.verb == "session.freeze"), by.name)


def _settled(room: str, rev: int) -> RoomView:
    """Return the room's view once it knows revision `rev` (the room hears of it a moment after the commit)."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        view = hub.view(settings.LIVE_STORE, room)
        if view.rev >= rev:
            return view
        if time.monotonic() > deadline:
            raise Conflict("room", _("The live room does not answer. Try again in a moment."))
        time.sleep(0.05)


def listen() -> None:
    """Record a result after every freeze (called once, when the product starts)."""

    def record(event: Event) -> None:
        from django.utils import timezone

        _kind, _colon, session_id = event.subject.partition(":")
        record_result(session_id=session_id, by=system(event.organisation_id), now=timezone.now())

    on("session.freeze", record)
