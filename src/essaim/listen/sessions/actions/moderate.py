"""Moderating: what a facilitator decides about one contribution. Each decision is on record, and can be taken back."""

from __future__ import annotations

from datetime import datetime

from django.utils.translation import gettext as _

from essaim.base.actions import Done, action
from essaim.base.actor import Actor, Role
from essaim.base.errors import NotFound
from essaim.base.evidence import address
from essaim.listen.sessions.actions.publishing import publish
from essaim.listen.sessions.models import Session, Verdict
from essaim.listen.sessions.queries.room import room_view
from essaim.listen.sessions.queries.sessions import find


def _decide(
    session_id: str, number: int, shown: bool, reason: str, by: Actor, now: datetime
) -> Done[Session]:
    session = find(session_id=session_id, by=by)
    if not any(row.id == number and row.origin == "voice" for row in room_view(session).statements):
        raise NotFound("contribution", _("There is no such contribution in this session."))
    Verdict.objects.update_or_create(
        session=session,
        statement=number,
        defaults={"shown": shown, "reason": reason.strip()[:200], "by": by.name, "at": now},
    )
    publish(session)
    return Done(
        session,
        address("session", session.id),
        {"statement": number, "shown": shown, **({"reason": reason} if reason else {})},
    )


@action("session.show-contribution", may=[Role.FACILITATOR])
def show_contribution(*, session_id: str, number: int, by: Actor, now: datetime) -> Done[Session]:
    """Let a contribution be seen and voted on.

    Raises:
        NotFound: the session has no such contribution (also for `hide_contribution`).
    """
    return _decide(session_id, number, True, "", by, now)


@action("session.hide-contribution", may=[Role.FACILITATOR])
def hide_contribution(
    *, session_id: str, number: int, by: Actor, now: datetime, reason: str = ""
) -> Done[Session]:
    """Take a contribution out of sight. Votes already given on it are kept; its author sees that it is not shown."""
    return _decide(session_id, number, False, reason, by, now)
