"""Founding, renaming, erasing; the history and who may read it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone, translation

from essaim.base.actor import Role
from essaim.base.errors import Forbidden, NotFound, Refused
from essaim.base.models import AuditEntry, Erasure
from essaim.config.environment import Environment
from essaim.people import actions, queries
from essaim.people.models import Invitation, Member, Organisation, Unit
from essaim.people.words import details_label

from .conftest import NOW, PASSWORD, Place

pytestmark = pytest.mark.django_db


def test_founding_makes_an_owner_and_a_first_line_of_history(altura: Place) -> None:
    card = queries.organisation(by=altura.owner.actor)
    assert (card.name, card.slug, card.language, card.members, card.owners) == (
        "Altura",
        "altura",
        "fr",
        5,
        1,
    )
    entry = AuditEntry.objects.filter(organisation=altura.organisation).earliest("id")
    assert (entry.verb, entry.member_id) == ("organisation.found", altura.owner.member.id)


def test_two_organisations_may_have_one_name(altura: Place) -> None:
    twin = actions.found_organisation(
        user=altura.peer.user, name="Altura", member_name="P", language="en", now=NOW, by_operator=True
    )
    assert twin.slug.startswith("altura-")


@pytest.mark.parametrize("open_to_all", [False, True])
def test_founding_is_open_only_if_the_operator_says_so(
    altura: Place, settings: Any, open_to_all: bool
) -> None:
    settings.ENVIRONMENT = Environment(sign_up=open_to_all)
    user = actions.make_account(email="new@field.example", name="New", password=PASSWORD, now=NOW)
    found = {"user": user, "name": "Mine", "member_name": "New", "language": "fr", "now": NOW}
    if open_to_all:
        assert actions.found_organisation(**found).name == "Mine"
        with pytest.raises(Refused):
            actions.found_organisation(**{**found, "language": "de"})
        with pytest.raises(Refused):
            actions.found_organisation(**{**found, "member_name": " "})
    else:
        with pytest.raises(Forbidden):
            actions.found_organisation(**found)
        assert not Organisation.objects.filter(name="Mine").exists()


def test_renaming_keeps_the_address(altura: Place) -> None:
    actions.rename_organisation(name="Altura Énergie", language="en", by=altura.owner.actor, now=NOW)
    card = queries.organisation(by=altura.owner.actor)
    assert (card.name, card.slug, card.language) == ("Altura Énergie", "altura", "en")
    entry = AuditEntry.objects.get(verb="organisation.rename")
    assert entry.details["name"] == {"from": "Altura", "to": "Altura Énergie"}
    for who in (altura.sponsor, altura.facilitator, altura.peer, altura.observer):
        with pytest.raises(Forbidden):
            actions.rename_organisation(name="X", language="fr", by=who.actor, now=NOW)
    with pytest.raises(Refused):
        actions.rename_organisation(name="", language="fr", by=altura.owner.actor, now=NOW)


def test_erasing_takes_everything_and_leaves_the_others(altura: Place, boreal: Place) -> None:
    for place in (altura, boreal):
        by = place.owner.actor
        top = actions.add_unit(name="Top", by=by, now=NOW)
        part = actions.add_unit(name="Part", parent_id=top.id, by=by, now=NOW)
        actions.set_unit(member_id=place.peer.member.id, unit_id=part.id, by=by, now=NOW)
        actions.invite_members(emails="a@x.example", role="peer", site="https://x", by=by, now=NOW)
    kept = AuditEntry.objects.filter(organisation=boreal.organisation).count()
    actions.erase_organisation(organisation_id=altura.organisation.id, by_name="operator", now=NOW)
    for model in (Unit, Member, Invitation, AuditEntry):
        assert set(model.objects.values_list("organisation_id", flat=True)) == {boreal.organisation.id}
    assert AuditEntry.objects.count() == kept
    proof = Erasure.objects.get()
    assert (proof.subject, proof.by) == (f"organisation:{altura.organisation.id}", "operator")
    with pytest.raises(NotFound):
        actions.erase_organisation(organisation_id=altura.organisation.id, by_name="operator", now=NOW)


def test_history_is_for_owners_of_that_organisation(altura: Place, boreal: Place) -> None:
    for who in (altura.sponsor, altura.facilitator, altura.peer, altura.observer):
        with pytest.raises(Forbidden):
            queries.history(by=who.actor)
    found = queries.history(by=altura.owner.actor)
    assert found.total == 1
    assert {row.subject for row in found.rows} == {f"organisation:{altura.organisation.id}"}


def test_history_filters_and_pages(altura: Place) -> None:
    by = altura.owner.actor
    for day in range(7):
        actions.add_unit(name=f"U{day}", by=by, now=NOW + timedelta(days=day))
    actions.change_role(member_id=altura.peer.member.id, role="sponsor", by=by, now=NOW)
    page = queries.history(by=by, verb="unit.add", size=3, page=3)
    assert (page.total, page.pages, page.page, len(page.rows)) == (7, 3, 3, 1)
    assert queries.history(by=by, size=3, page=99).page == 3
    day = timezone.localtime(NOW + timedelta(days=2)).date()
    assert queries.history(by=by, since=day, until=day).total == 1
    assert queries.history(by=by, name="nobody").total == 0
    (row,) = queries.history(by=by, subject=f"member:{altura.peer.member.id}").rows
    with translation.override("en"):
        assert details_label(row.details) == "role: Peer → Sponsor"
        assert details_label({"invitations": ["a", "b"], "role": "owner"}) == "invitations: 2, role: Owner"
        assert details_label({"parent": {"from": "", "to": "Lyon"}, "invitation": "x"}) == "part of: – → Lyon"
    assert set(page.verbs) == {"organisation.found", "unit.add", "member.role"}


def test_every_verb_and_role_has_words() -> None:
    from essaim.base.actions import REGISTRY
    from essaim.people.words import ROLE_MEANINGS, VERBS

    own = {name for name, run in REGISTRY.items() if run.__module__.startswith("essaim.people")}
    assert own
    assert own <= set(VERBS)
    assert set(ROLE_MEANINGS) == set(Role)
