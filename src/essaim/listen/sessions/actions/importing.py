"""Bringing in a conversation that was held elsewhere: a closed session with its statements; the votes go to its journal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from essaim.base.actions import Done, action
from essaim.base.actor import Actor, Role
from essaim.base.errors import Refused
from essaim.base.evidence import address
from essaim.listen.sessions.actions.prepare import create_session
from essaim.listen.sessions.actions.publishing import publish
from essaim.listen.sessions.models import Seed, Session
from essaim.listen.sessions.queries.sessions import milliseconds
from essaim.listen.sessions.queries.specification import plan_as_json
from essaim.live.plan import PhaseWindow, Plan


@dataclass(frozen=True)
class ImportedStatement:
    """A statement with the number it has in its source; `shown` False when moderators had rejected it there."""

    number: int
    text: str
    shown: bool


@action("session.import", may=[Role.FACILITATOR])
def import_session(
    *,
    title: str,
    question: str,
    language: str,
    origin: str,
    statements: Sequence[ImportedStatement],
    by: Actor,
    now: datetime,
) -> Done[Session]:
    """Create a closed session from statements held elsewhere, keeping their numbers and their whole text.

    Raises:
        Refused: a number given twice, or outside 0–99,999.
    """
    numbers = [statement.number for statement in statements]
    if len(set(numbers)) != len(numbers) or not all(0 <= number < 100_000 for number in numbers):
        raise Refused("numbers", "Each statement needs its own number between 0 and 99,999.")
    session = create_session(title=title, template="", language=language, origin=origin, by=by, now=now)
    at = milliseconds(now)
    session.question = question[:400]
    session.plan = plan_as_json(
        Plan(
            rev=1,
            phases=(PhaseWindow(name="compare", minutes=0, starts_at=at - 1, ends_at=at),),
            closed_at=at,
        )
    )
    session.plan_rev = 1
    session.save()
    Seed.objects.bulk_create(
        [Seed(session=session, number=s.number, text=s.text, shown=s.shown) for s in statements],
        batch_size=500,
    )
    publish(session)
    return Done(session, address("session", session.id), {"origin": origin, "statements": len(numbers)})
