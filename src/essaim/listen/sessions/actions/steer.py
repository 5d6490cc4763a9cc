"""Steering a session: the shared clock. Every change is a compare-and-set on the plan's revision, so that two
facilitators who press at once never push the session two steps."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from essaim.base import audit
from essaim.base.actions import Done, action
from essaim.base.actor import Actor, Role
from essaim.base.errors import Conflict
from essaim.base.evidence import address
from essaim.listen.sessions.actions.publishing import publish
from essaim.listen.sessions.models import Session
from essaim.listen.sessions.queries.sessions import find, milliseconds
from essaim.listen.sessions.queries.specification import plan_as_json, plan_of
from essaim.live import plan as plans
from essaim.live.plan import Plan, PlanError

_REASONS = {
    "no-phases": gettext_lazy("This session has no phase to start."),
    "already-started": gettext_lazy("The session has already started."),
    "not-started": gettext_lazy("The session has not started yet."),
    "closed": gettext_lazy("The session is closed. Reopen it first."),
    "already-closed": gettext_lazy("The session is already closed."),
    "not-closed": gettext_lazy("The session is not closed."),
    "last-phase": gettext_lazy("This is the last phase. Close the session instead."),
    "no-phase": gettext_lazy("No phase is running."),
    "open-end": gettext_lazy("This phase has no planned end: there is nothing to extend."),
    "too-short": gettext_lazy("The phase would already be over. Go to the next one, or close the session."),
    "already-paused": gettext_lazy("The session is already paused."),
    "not-paused": gettext_lazy("The session is not paused."),
    "frozen": gettext_lazy("The results are frozen. Unfreeze them first."),
    "already-frozen": gettext_lazy("The results are already frozen."),
    "not-frozen": gettext_lazy("The results are not frozen."),
    "too-late": gettext_lazy(
        "It closed more than seven days ago. Duplicate it to go on with the same questions."
    ),
    "ended": gettext_lazy("The session has ended for good."),
    "bad-minutes": gettext_lazy("Give a number of minutes, 0 for no planned end."),
}


def _change(
    session_id: str,
    expected_rev: int,
    by: Actor,
    now: datetime,
    change: Callable[[Plan, int], Plan],
    **details: Any,
) -> Done[Session]:
    """Apply `change` to the plan if it still is at `expected_rev`."""
    session = find(session_id=session_id, by=by)
    if session.plan_rev != expected_rev:
        raise _too_late(session, by)
    try:
        plan = change(plan_of(session), milliseconds(now))
    except PlanError as error:
        raise Conflict(error.code, _REASONS.get(error.code, error.detail)) from error
    changed = Session.objects.filter(pk=session.pk, plan_rev=expected_rev).update(
        plan=plan_as_json(plan), plan_rev=expected_rev + 1
    )
    if not changed:
        raise _too_late(session, by)
    session.refresh_from_db()
    publish(session)
    return Done(session, address("session", session.id), {"plan_rev": session.plan_rev, **details})


def _too_late(session: Session, by: Actor) -> Conflict:
    latest = audit.history(subject=address("session", session.id), by=by, limit=1)
    who = latest[0].member_name if latest else _("Somebody")
    return Conflict(
        "changed",
        _("%(name)s has just changed the session. Look at it as it is now, then decide again.")
        % {"name": who},
    )


@action("session.start", may=[Role.FACILITATOR])
def start_session(*, session_id: str, expected_rev: int, by: Actor, now: datetime) -> Done[Session]:
    """Start the first phase now; the others follow by the clock.

    Raises:
        Conflict: already started, or somebody else changed the plan (all actions of this file).
    """
    return _change(session_id, expected_rev, by, now, plans.start)


@action("session.next-phase", may=[Role.FACILITATOR])
def next_phase(*, session_id: str, expected_rev: int, by: Actor, now: datetime) -> Done[Session]:
    """End the running phase now and begin the next one."""
    return _change(session_id, expected_rev, by, now, plans.next_phase)


@action("session.extend", may=[Role.FACILITATOR])
def extend_phase(
    *, session_id: str, expected_rev: int, seconds: int, by: Actor, now: datetime
) -> Done[Session]:
    """Give the running phase more (or, negative, less) time."""
    return _change(
        session_id,
        expected_rev,
        by,
        now,
        lambda plan, at: plans.extend(plan, at, seconds=seconds),
        seconds=seconds,
    )


@action("session.pause", may=[Role.FACILITATOR])
def pause_session(*, session_id: str, expected_rev: int, by: Actor, now: datetime) -> Done[Session]:
    """Stop the clock: phones keep what people do until it runs again."""
    return _change(session_id, expected_rev, by, now, plans.pause)


@action("session.resume", may=[Role.FACILITATOR])
def resume_session(*, session_id: str, expected_rev: int, by: Actor, now: datetime) -> Done[Session]:
    """Let the clock run again; the time of the pause is given back."""
    return _change(session_id, expected_rev, by, now, plans.resume)


@action("session.close", may=[Role.FACILITATOR])
def close_session(*, session_id: str, expected_rev: int, by: Actor, now: datetime) -> Done[Session]:
    """End the session now (it can be reopened)."""
    return _change(session_id, expected_rev, by, now, plans.close)


@action("session.reopen", may=[Role.FACILITATOR])
def reopen_session(
    *, session_id: str, expected_rev: int, minutes: int, by: Actor, now: datetime
) -> Done[Session]:
    """Open the last phase again for some minutes (0: no planned end)."""
    return _change(
        session_id,
        expected_rev,
        by,
        now,
        lambda plan, at: plans.reopen(plan, at, minutes=minutes),
        minutes=minutes,
    )


@action("session.unfreeze", may=[Role.FACILITATOR])
def unfreeze_session(*, session_id: str, expected_rev: int, by: Actor, now: datetime) -> Done[Session]:
    """Let the session take votes again. The frozen result stays on record."""
    return _change(session_id, expected_rev, by, now, plans.unfreeze)


@action("session.end", may=[Role.FACILITATOR])
def end_session(*, session_id: str, expected_rev: int, by: Actor, now: datetime) -> Done[Session]:
    """End a frozen session for good: the key of its tickets is destroyed once this is committed."""
    return _change(session_id, expected_rev, by, now, plans.end)


@action("session.freeze", may=[Role.FACILITATOR])
def freeze_session(*, session_id: str, expected_rev: int, by: Actor, now: datetime) -> Done[Session]:
    """Freeze the results: nothing more is accepted. Once committed, `record_result` puts on record what stands."""
    return _change(session_id, expected_rev, by, now, plans.freeze)
