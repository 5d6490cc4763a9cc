"""The audit trail: one row an action, written in the action's own transaction, never changed afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from essaim.base.actor import Actor
from essaim.base.models import AuditEntry


def record(*, verb: str, by: Actor, now: datetime, subject: str, details: Mapping[str, Any]) -> None:
    """Add the row of one action. Called by `@action` only."""
    AuditEntry.objects.create(
        organisation_id=by.organisation_id,
        at=now,
        member_id=by.member_id or "",
        member_name=by.name,
        verb=verb,
        subject=subject,
        details=dict(details),
    )


def history(*, subject: str, by: Actor, limit: int = 100) -> Sequence[AuditEntry]:
    """What was done to an object, newest first."""
    return list(AuditEntry.objects.of(by).filter(subject=subject)[:limit])
