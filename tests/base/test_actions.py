"""`@action`: rights, one transaction, the audit row in it, the event after it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from essaim.base import events
from essaim.base.actions import REGISTRY, Done, action
from essaim.base.actor import EVERYONE, Actor, Role, system
from essaim.base.errors import Conflict, Forbidden
from essaim.base.models import AuditEntry
from essaim.people.models import Organisation

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
HOME = "h" * 16
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def home() -> Organisation:
    made: Organisation = Organisation.objects.create(id=HOME, name="Home", slug="home", created_at=NOW)
    return made


@pytest.fixture
def rename() -> Iterator[Any]:
    """An action made for these tests, forgotten after them."""

    @action("test.rename", may=[Role.FACILITATOR])
    def rename(*, name: str, by: Actor, now: datetime) -> Done[str]:
        Organisation.objects.filter(id=by.organisation_id).update(name=name)
        if name == "refused":
            raise Conflict("refused", "No.")
        return Done(name.upper(), subject="organisation:" + HOME, details={"name": name})

    yield rename
    del REGISTRY["test.rename"]


def who(role: Role) -> Actor:
    return Actor(HOME, role, "Awa", member_id="m" * 16)


def test_success_returns_the_value_and_writes_one_row(rename: Any) -> None:
    assert rename(name="new", by=who(Role.FACILITATOR), now=NOW) == "NEW"
    row = AuditEntry.objects.get()
    assert (row.verb, row.subject, row.member_name, row.at) == (
        "test.rename",
        f"organisation:{HOME}",
        "Awa",
        NOW,
    )
    assert row.details == {"name": "new"}


@pytest.mark.parametrize("role", [Role.SPONSOR, Role.PEER, Role.OBSERVER])
def test_the_wrong_role_does_nothing(rename: Any, role: Role) -> None:
    with pytest.raises(Forbidden):
        rename(name="new", by=who(role), now=NOW)
    assert Organisation.objects.get().name == "Home"
    assert not AuditEntry.objects.exists()


def test_an_owner_and_the_product_may_everything(rename: Any) -> None:
    rename(name="one", by=who(Role.OWNER), now=NOW)
    rename(name="two", by=system(HOME), now=NOW)
    assert Organisation.objects.get().name == "two"


def test_a_refusal_undoes_what_was_written(rename: Any) -> None:
    with pytest.raises(Conflict):
        rename(name="refused", by=who(Role.OWNER), now=NOW)
    assert Organisation.objects.get().name == "Home"
    assert not AuditEntry.objects.exists()


def test_the_event_comes_after_commit_and_a_bad_listener_harms_nobody(
    rename: Any, django_capture_on_commit_callbacks: Any, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[events.Event] = []

    def fails(event: events.Event) -> None:
        raise RuntimeError(event.name)

    events.on("test.rename", fails)
    events.on("test.rename", heard.append)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            rename(name="new", by=who(Role.OWNER), now=NOW)
            assert heard == []
    finally:
        del events._listeners["test.rename"]
    assert heard == [events.Event("test.rename", f"organisation:{HOME}", HOME)]
    assert "failed on organisation" in caplog.text


def test_an_action_must_be_keyword_only_with_by_and_now() -> None:
    with pytest.raises(TypeError):
        action("test.bad", may=EVERYONE)(lambda name, *, by, now: Done(name, "x:1"))
    with pytest.raises(TypeError):
        action("test.bad", may=EVERYONE)(lambda *, by: Done(by, "x:1"))  # type: ignore[misc]
    assert "test.bad" not in REGISTRY
