"""Sessions with something in them."""

from __future__ import annotations

from typing import Any

import pytest

from essaim.listen.sessions import actions
from essaim.live.offline import append_records
from essaim.live.records import BatchRecord, IdeaRecord, JoinRecord

MINUTE = 60_000


@pytest.fixture
def session(facilitator: Any, now: Any, settings: Any) -> Any:
    """A session made from the diagnosis template, not started."""
    return actions.create_session(
        title="Où agir ?", template="diagnosis", language="fr", by=facilitator, now=now
    )


@pytest.fixture
def at(now: Any) -> int:
    return int(now.timestamp() * 1000)


@pytest.fixture
def filled(
    session: Any, facilitator: Any, now: Any, at: int, settings: Any, django_capture_on_commit_callbacks: Any
) -> Any:
    """The session started, with 30 people: two groups that disagree on all statements but number 2; ratings; two ideas."""
    actions.add_statements(
        session_id=session.id, texts=["Six", "Sept", "Huit", "Neuf"], by=facilitator, now=now
    )
    with django_capture_on_commit_callbacks(execute=True):
        actions.start_session(session_id=session.id, expected_rev=0, by=facilitator, now=now)
        session.refresh_from_db()
    records: list[Any] = []
    for who in range(30):
        side = 1 if who % 2 else -1
        records.append(JoinRecord(who, at, "fr", None))
        votes = tuple((number, 1 if number == 2 else side if number % 2 else -side) for number in range(9))
        records.append(
            BatchRecord(who, 1, at + 1000, votes, ((2, "maturity", 1 + who % 5), (2, "importance", 4)), ())
        )
    for n in range(2):
        idea = IdeaRecord(100_000 + n, f"idea-{n:04d}", 2, "idea", f"Contribution {n}", None)
        records.append(BatchRecord(n, 2, at + 2000 + n, (), (), (idea,)))
    append_records(settings.LIVE_STORE, session.id, records)
    return session
