"""Telling the live room what was decided: after commit, so that a room never shows what the database does not hold."""

from __future__ import annotations

from django.conf import settings
from django.db import transaction
from django.db.models import F

from essaim.listen.sessions.models import Session
from essaim.listen.sessions.queries.specification import room_spec
from essaim.live import hub


def publish(session: Session) -> None:
    """Give the session's specification its next revision, and hand it to the live room once the transaction is committed.

    If the process dies in between, `republish_all` (run when the server starts) hands it over then.
    """
    Session.objects.filter(pk=session.pk).update(spec_rev=F("spec_rev") + 1)
    transaction.on_commit(lambda: hand_over(session.pk))


def hand_over(session_id: str) -> None:
    """Compile the specification as it stands now and give it to the live room. Repeating it changes nothing."""
    hub.publish(settings.LIVE_STORE, room_spec(Session.objects.get(pk=session_id)))


def republish_all() -> int:
    """Hand over every session that is not archived; return how many. An older revision never replaces a newer one."""
    identifiers = list(Session.objects.filter(archived_at=None).values_list("pk", flat=True))
    for identifier in identifiers:
        hand_over(identifier)
    return len(identifiers)
