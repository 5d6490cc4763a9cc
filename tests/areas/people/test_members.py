"""Members: each action's success, its row in the audit, its event after commit, and its refusals."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from essaim.base import events
from essaim.base.actor import Role
from essaim.base.errors import Conflict, Forbidden, NotFound, Refused
from essaim.base.models import AuditEntry
from essaim.people import actions, queries
from essaim.people.models import Member

from .conftest import NOW, Join, Place

pytestmark = pytest.mark.django_db


@pytest.fixture
def heard() -> Iterator[list[events.Event]]:
    """The events that reach a listener of the members' actions."""
    found: list[events.Event] = []
    names = (
        "member.role",
        "member.unit",
        "member.remove",
        "member.restore",
        "member.leave",
        "member.profile",
    )
    for name in names:
        events.on(name, found.append)
    yield found
    for name in names:
        events._listeners[name].remove(found.append)


def last_entry(place: Place) -> AuditEntry:
    return AuditEntry.objects.filter(organisation=place.organisation).order_by("-id")[0]


def test_a_new_role_is_kept_audited_and_announced_after_commit(
    altura: Place, heard: list[events.Event], django_capture_on_commit_callbacks: object
) -> None:
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
        actions.change_role(
            member_id=altura.peer.member.id, role="facilitator", by=altura.owner.actor, now=NOW
        )
        assert heard == []
    assert Member.objects.get(id=altura.peer.member.id).role == Role.FACILITATOR
    entry = last_entry(altura)
    assert (entry.verb, entry.subject) == ("member.role", f"member:{altura.peer.member.id}")
    assert entry.details == {"role": {"from": "peer", "to": "facilitator"}}
    assert entry.member_id == altura.owner.member.id
    assert heard == [events.Event("member.role", f"member:{altura.peer.member.id}", altura.organisation.id)]


def test_an_unknown_role_is_refused_at_its_field(altura: Place) -> None:
    with pytest.raises(Refused) as refusal:
        actions.change_role(member_id=altura.peer.member.id, role="king", by=altura.owner.actor, now=NOW)
    assert refusal.value.field == "role"


@pytest.mark.parametrize("who", ["sponsor", "facilitator", "peer", "observer"])
def test_only_owners_administer_members(altura: Place, who: str) -> None:
    by = getattr(altura, who).actor
    before = AuditEntry.objects.count()
    target = altura.peer.member.id
    with pytest.raises(Forbidden):
        actions.change_role(member_id=target, role="owner", by=by, now=NOW)
    with pytest.raises(Forbidden):
        actions.set_unit(member_id=target, unit_id="", by=by, now=NOW)
    with pytest.raises(Forbidden):
        actions.remove_member(member_id=target, by=by, now=NOW)
    with pytest.raises(Forbidden):
        actions.restore_member(member_id=target, by=by, now=NOW)
    assert AuditEntry.objects.count() == before


def test_the_last_owner_stays(altura: Place) -> None:
    owner = altura.owner
    with pytest.raises(Conflict, match="Altura owner"):
        actions.change_role(member_id=owner.member.id, role="peer", by=owner.actor, now=NOW)
    with pytest.raises(Conflict):
        actions.remove_member(member_id=owner.member.id, by=owner.actor, now=NOW)
    with pytest.raises(Conflict):
        actions.leave(by=owner.actor, now=NOW)
    actions.change_role(member_id=altura.peer.member.id, role="owner", by=owner.actor, now=NOW)
    actions.leave(by=owner.actor, now=NOW)
    assert Member.objects.get(id=owner.member.id).left_at == NOW


def test_an_owner_who_left_does_not_count(altura: Place, join: Join) -> None:
    join(altura.organisation, "Gone", Role.OWNER, left_at=NOW)
    with pytest.raises(Conflict):
        actions.leave(by=altura.owner.actor, now=NOW)


def test_removing_is_undone_with_role_and_unit(altura: Place) -> None:
    by = altura.owner.actor
    unit = actions.add_unit(name="Lyon", by=by, now=NOW)
    target = altura.sponsor.member.id
    actions.set_unit(member_id=target, unit_id=unit.id, by=by, now=NOW)
    actions.remove_member(member_id=target, by=by, now=NOW)
    assert target not in {row.id for row in queries.members(by=by)}
    assert [row.id for row in queries.members(by=by, gone=True)] == [target]
    with pytest.raises(NotFound):
        actions.change_role(member_id=target, role="peer", by=by, now=NOW)
    actions.restore_member(member_id=target, by=by, now=NOW)
    back = queries.member(member_id=target, by=by)
    assert (back.role, back.unit, back.left_at) == (Role.SPONSOR, "Lyon", None)
    verbs = (
        AuditEntry.objects.filter(subject=f"member:{target}").order_by("id").values_list("verb", flat=True)
    )
    assert list(verbs) == ["member.unit", "member.remove", "member.restore"]
    with pytest.raises(NotFound):
        actions.restore_member(member_id=target, by=by, now=NOW)


def test_a_profile_is_one_s_own(altura: Place) -> None:
    unit = actions.add_unit(name="Lyon", by=altura.owner.actor, now=NOW)
    actions.update_profile(name="  Awa   Diop ", unit_id=unit.id, by=altura.observer.actor, now=NOW)
    mine = queries.member(member_id=altura.observer.member.id, by=altura.observer.actor)
    assert (mine.name, mine.unit, mine.is_me) == ("Awa Diop", "Lyon", True)
    assert last_entry(altura).details == {}  # a name is not copied into rows that cannot change
    with pytest.raises(Refused) as refusal:
        actions.update_profile(name=" ", unit_id="", by=altura.observer.actor, now=NOW)
    assert refusal.value.field == "name"


def test_addresses_are_for_owners(altura: Place) -> None:
    assert all(row.email for row in queries.members(by=altura.owner.actor))
    seen = {row.is_me: row.email for row in queries.members(by=altura.peer.actor)}
    assert seen[True] == altura.peer.user.email
    assert seen[False] == ""
    assert queries.members(by=altura.owner.actor, text="altura-peer@")
    assert not queries.members(by=altura.sponsor.actor, text="altura-peer@")


def test_filters(altura: Place) -> None:
    by = altura.owner.actor
    unit = actions.add_unit(name="Lyon", by=by, now=NOW)
    actions.set_unit(member_id=altura.peer.member.id, unit_id=unit.id, by=by, now=NOW)
    assert [row.id for row in queries.members(by=by, role=Role.PEER)] == [altura.peer.member.id]
    assert [row.id for row in queries.members(by=by, unit_id=unit.id)] == [altura.peer.member.id]
    assert [row.id for row in queries.members(by=by, text="spons")] == [altura.sponsor.member.id]


def test_nothing_of_another_organisation_can_be_reached(altura: Place, boreal: Place) -> None:
    by, theirs = altura.owner.actor, boreal.peer.member.id
    unit = actions.add_unit(name="Oslo", by=boreal.owner.actor, now=NOW)
    assert theirs not in {row.id for row in queries.members(by=by)}
    assert queries.members(by=by, unit_id=unit.id) == ()
    refused = [
        lambda: queries.member(member_id=theirs, by=by),
        lambda: actions.change_role(member_id=theirs, role="owner", by=by, now=NOW),
        lambda: actions.set_unit(member_id=theirs, unit_id="", by=by, now=NOW),
        lambda: actions.set_unit(member_id=altura.peer.member.id, unit_id=unit.id, by=by, now=NOW),
        lambda: actions.remove_member(member_id=theirs, by=by, now=NOW),
        lambda: actions.update_profile(name="A", unit_id=unit.id, by=by, now=NOW),
    ]
    for attempt in refused:
        with pytest.raises(NotFound):
            attempt()
    Member.objects.filter(id=theirs).update(left_at=NOW)
    with pytest.raises(NotFound):
        actions.restore_member(member_id=theirs, by=by, now=NOW)
