"""Opening a new live session that what another one holds will be sent through again."""

from __future__ import annotations

from datetime import datetime

from essaim.base.actions import Done, action
from essaim.base.actor import Actor, Role
from essaim.base.evidence import address
from essaim.listen.sessions.actions.prepare import duplicate_session
from essaim.listen.sessions.actions.publishing import publish
from essaim.listen.sessions.models import Privacy, Session
from essaim.listen.sessions.queries.sessions import find, milliseconds
from essaim.listen.sessions.queries.specification import plan_as_json, plan_of
from essaim.live.plan import PhaseWindow, Plan


@action("session.open-replay", may=[Role.FACILITATOR])
def open_replay(*, session_id: str, by: Actor, now: datetime) -> Done[Session]:
    """Duplicate a session and start the copy at once, without a planned end: Draft first if the source had one, else Compare.

    The copy is anonymous (the people of the source do not log in again) and shows contributions at once.
    """
    source = find(session_id=session_id, by=by)
    copy = duplicate_session(session_id=source.id, title=f"{source.title[:110]} (replay)", by=by, now=now)
    names = [window.name for window in plan_of(source).phases]
    at = milliseconds(now)
    windows = [
        PhaseWindow(name=name, starts_at=at if position == 0 else None) for position, name in enumerate(names)
    ]
    copy.plan = plan_as_json(Plan(rev=1, phases=tuple(windows)))
    copy.plan_rev = 1
    copy.privacy = Privacy.ANONYMOUS
    copy.save()
    publish(copy)
    return Done(copy, address("session", copy.id), {"source": source.id})
