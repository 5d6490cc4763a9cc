"""The evidence chain, the history of an object, and the fence around each organisation."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from essaim.base import audit, evidence
from essaim.base.actor import Actor, Role
from essaim.base.evidence import Relation
from essaim.base.ids import ALPHABET, new_code, new_id
from essaim.people.models import Organisation

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@pytest.fixture
def here(db: None) -> Actor:
    Organisation.objects.create(id="h" * 16, name="Here", slug="here", created_at=NOW)
    return Actor("h" * 16, Role.OWNER, "Awa", member_id="m" * 16)


@pytest.fixture
def there(db: None) -> Actor:
    Organisation.objects.create(id="t" * 16, name="There", slug="there", created_at=NOW)
    return Actor("t" * 16, Role.OWNER, "Tor", member_id="o" * 16)


def test_links_are_walked_both_ways_and_said_once(here: Actor, there: Actor) -> None:
    voices = [evidence.address("statement", f"s.{n}") for n in range(3)]
    for _ in range(2):
        evidence.link(causes=voices, effect="insight:1", relation=Relation.SUPPORTS, by=here, now=NOW)
    evidence.link(causes=["insight:1"], effect="action:9", relation=Relation.LEADS_TO, by=here, now=NOW)
    assert [link.cause for link in evidence.causes_of("insight:1", by=here)] == voices
    assert [link.effect for link in evidence.effects_of("insight:1", by=here)] == ["action:9"]
    assert evidence.causes_of("insight:1", by=there) == []
    assert evidence.effects_of("insight:1", by=there) == []


def test_the_history_of_an_object_is_newest_first_and_one_s_own(here: Actor, there: Actor) -> None:
    for minute in range(3):
        now = NOW + timedelta(minutes=minute)
        audit.record(verb=f"v{minute}", by=here, now=now, subject="unit:1", details={})
    assert [row.verb for row in audit.history(subject="unit:1", by=here, limit=2)] == ["v2", "v1"]
    assert audit.history(subject="unit:1", by=there) == []


def test_identifiers_sort_by_time_and_do_not_repeat() -> None:
    ids = [new_id(NOW + timedelta(seconds=second)) for second in range(50)]
    assert ids == sorted(ids)
    assert len({new_id(NOW) for _ in range(1000)}) == 1000
    assert all(len(one) == 16 and set(one) <= set(ALPHABET) for one in ids)
    assert not set("".join(new_code() for _ in range(500))) & set("ILO01")
