"""The evidence chain: from any change back to the voices behind it, and forward to what came of them.

Every object has an address, `kind:id`. A link to a voice goes to the contribution (`statement:<session>.<number>`),
never to a person.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from essaim.base.actor import Actor
from essaim.base.models import EvidenceLink

Relation = EvidenceLink.Relation


def address(kind: str, identifier: str) -> str:
    """Return the stable address of an object."""
    return f"{kind}:{identifier}"


def link(
    *, causes: Iterable[str], effect: str, relation: EvidenceLink.Relation, by: Actor, now: datetime
) -> None:
    """Record that `effect` exists because of each of `causes`; repeating it changes nothing.

    Call it inside the action that creates the effect.
    """
    EvidenceLink.objects.bulk_create(
        [
            EvidenceLink(
                organisation_id=by.organisation_id,
                cause=cause,
                effect=effect,
                relation=relation,
                at=now,
                member_id=by.member_id or "",
            )
            for cause in causes
        ],
        ignore_conflicts=True,
    )


def causes_of(effect: str, *, by: Actor) -> Sequence[EvidenceLink]:
    """The links that lead to `effect`, oldest first."""
    return list(EvidenceLink.objects.of(by).filter(effect=effect).order_by("at", "id"))


def effects_of(cause: str, *, by: Actor) -> Sequence[EvidenceLink]:
    """The links that start at `cause`, oldest first."""
    return list(EvidenceLink.objects.of(by).filter(cause=cause).order_by("at", "id"))
