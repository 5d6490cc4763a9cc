"""Invitations, from the pasted addresses to the membership; and every way in which a link must not open."""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.utils import translation

from essaim.base.actor import Role
from essaim.base.errors import Conflict, Forbidden, NotFound, Refused
from essaim.base.models import AuditEntry
from essaim.people import actions, queries
from essaim.people.models import Invitation, Member
from essaim.people.paste import read_addresses

from .conftest import NOW, PASSWORD, Join, Place

pytestmark = pytest.mark.django_db
SITE = "https://essaim.example"
CROWD = " ".join(f"a{n}@x.example" for n in range(501))


def invite(place: Place, email: str = "awa@field.example", **more: Any) -> str:
    """Invite one address and return its token."""
    more = {"role": "facilitator", "by": place.owner.actor, "now": NOW, **more}
    invited = actions.invite_members(emails=email, site=SITE, **more)
    return invited.links[0][1].rstrip("/").rsplit("/", 1)[1]


def newcomer(email: str = "awa@field.example", **more: Any) -> Any:
    return actions.make_account(email=email, name="Awa Diop", password=PASSWORD, now=NOW, **more)


def test_letters_leave_after_commit_in_the_language_of_the_organisation(
    altura: Place, django_capture_on_commit_callbacks: Any
) -> None:
    unit = actions.add_unit(name="Lyon", by=altura.owner.actor, now=NOW)
    with translation.override("en"), django_capture_on_commit_callbacks(execute=True):
        invited = actions.invite_members(
            emails="Awa <AWA@field.example>; lea@field.example awa@field.example,altura-peer@altura.example",
            role="peer",
            unit_id=unit.id,
            site=SITE + "/",
            by=altura.owner.actor,
            now=NOW,
        )
        assert mail.outbox == []
    assert [email for email, _link in invited.links] == ["awa@field.example", "lea@field.example"]
    assert invited.already_members == ("altura-peer@altura.example",)
    assert invited.undelivered == []
    assert [letter.to for letter in mail.outbox] == [["awa@field.example"], ["lea@field.example"]]
    letter = mail.outbox[0]
    link = re.search(r"https://essaim\.example/invitations/([\w-]{43})/", letter.body)
    assert link
    assert invited.links[0][1] == link[0]
    assert "16 mars 2026" in letter.body  # fr, fourteen days later
    row = Invitation.objects.get(email="awa@field.example")
    assert row.token_hash == hashlib.sha256(link[1].encode()).hexdigest()
    assert (row.role, row.unit_id, row.expires_at) == ("peer", unit.id, NOW + timedelta(days=14))
    entry = AuditEntry.objects.get(verb="invitation.send")
    assert "field.example" not in str(entry.details)  # addresses do not go into rows that cannot change
    assert link[1] not in str(entry.details)


def test_a_mail_server_that_is_down_is_told_not_hidden(
    altura: Place, settings: Any, django_capture_on_commit_callbacks: Any
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    with django_capture_on_commit_callbacks(execute=True):
        invited = actions.invite_members(
            emails="awa@field.example", role="peer", site=SITE, by=altura.owner.actor, now=NOW
        )
    assert invited.undelivered == ["awa@field.example"]
    assert Invitation.objects.count() == 1


@pytest.mark.parametrize(
    ("emails", "code"),
    [
        ("awa@field.example nonsense", "bad-address"),
        (" ;, ", "no-address"),
        (" ".join(f"a{n}@x.example" for n in range(501)), "too-many"),
    ],
)
def test_all_or_nothing(altura: Place, emails: str, code: str) -> None:
    with pytest.raises(Refused) as refusal:
        actions.invite_members(emails=emails, role="peer", site=SITE, by=altura.owner.actor, now=NOW)
    assert (refusal.value.code, refusal.value.field) == (code, "emails")
    assert Invitation.objects.count() == 0


def test_only_owners_invite_see_cancel(altura: Place) -> None:
    token = invite(altura)
    row = Invitation.objects.get()
    for who in (altura.sponsor, altura.facilitator, altura.peer, altura.observer):
        with pytest.raises(Forbidden):
            invite(altura, by=who.actor)
        with pytest.raises(Forbidden):
            queries.invitations(by=who.actor, now=NOW)
        with pytest.raises(Forbidden):
            actions.revoke_invitation(invitation_id=row.id, by=who.actor, now=NOW)
    assert actions.open_invitation(token=token, now=NOW).id == row.id


def test_accepting_makes_a_member_once(altura: Place) -> None:
    token = invite(altura)
    user = newcomer()
    member = actions.accept_invitation(token=token, user=user, name="Awa Diop", now=NOW)
    assert (member.role, member.name, member.organisation_id) == (
        "facilitator",
        "Awa Diop",
        altura.organisation.id,
    )
    entry = AuditEntry.objects.get(verb="invitation.accept")
    assert (entry.subject, entry.member_id) == (f"member:{member.id}", member.id)
    with pytest.raises(Conflict) as refusal:
        actions.accept_invitation(token=token, user=user, name="Awa Diop", now=NOW)
    assert refusal.value.code == "invitation-used"
    assert Member.objects.filter(user=user).count() == 1


def test_a_new_person_gets_an_account_whose_address_is_proven(altura: Place) -> None:
    token = invite(altura)
    with pytest.raises(Refused) as refusal:
        actions.open_account(token=token, name="Awa", password="12345678", now=NOW)
    assert refusal.value.field == "password"
    user, member = actions.open_account(token=token, name="Awa", password=PASSWORD, now=NOW)
    assert user.check_password(PASSWORD)
    assert user.emailaddress_set.get().verified
    assert user.username != user.email
    assert re.fullmatch(r"[0-9a-f]{32}", user.username)
    assert member.user == user
    with pytest.raises(Conflict):
        newcomer("AWA@field.example")


def test_another_account_is_told_so(altura: Place) -> None:
    token = invite(altura)
    other = newcomer("someone@else.example")
    with pytest.raises(Forbidden) as refusal:
        actions.accept_invitation(token=token, user=other, name="Someone", now=NOW)
    assert refusal.value.code == "other-address"
    assert "awa@field.example" in str(refusal.value)
    assert "someone@else.example" in str(refusal.value)
    assert not Member.objects.filter(user=other).exists()
    other.emailaddress_set.create(email="Awa@Field.example", verified=False)
    with pytest.raises(Forbidden):
        actions.accept_invitation(token=token, user=other, name="Someone", now=NOW)
    other.emailaddress_set.filter(email="Awa@Field.example").update(verified=True)
    assert actions.accept_invitation(token=token, user=other, name="Someone", now=NOW).user == other


def test_links_that_do_not_open(altura: Place) -> None:
    user = newcomer()
    token = invite(altura)
    with pytest.raises(NotFound):
        actions.accept_invitation(token=token[:-1], user=user, name="Awa", now=NOW)
    with pytest.raises(Conflict) as expired:
        actions.accept_invitation(token=token, user=user, name="Awa", now=NOW + timedelta(days=14))
    assert expired.value.code == "invitation-expired"
    assert "Altura owner" in str(expired.value)
    newer = invite(altura, role="peer")
    with pytest.raises(Conflict) as replaced:
        actions.accept_invitation(token=token, user=user, name="Awa", now=NOW)
    assert replaced.value.code == "invitation-revoked"
    assert actions.accept_invitation(token=newer, user=user, name="Awa", now=NOW).role == "peer"


def test_cancelling_and_its_undo(altura: Place) -> None:
    by = altura.owner.actor
    token = invite(altura)
    row = Invitation.objects.get()
    actions.revoke_invitation(invitation_id=row.id, by=by, now=NOW)
    assert queries.invitations(by=by, now=NOW) == ()
    with pytest.raises(Conflict):
        actions.open_invitation(token=token, now=NOW)
    with pytest.raises(Conflict):
        actions.revoke_invitation(invitation_id=row.id, by=by, now=NOW)
    actions.restore_invitation(invitation_id=row.id, by=by, now=NOW)
    assert actions.open_invitation(token=token, now=NOW).id == row.id
    with pytest.raises(Conflict):
        actions.restore_invitation(invitation_id=row.id, by=by, now=NOW)
    actions.revoke_invitation(invitation_id=row.id, by=by, now=NOW)
    invite(altura)
    with pytest.raises(Conflict) as refusal:
        actions.restore_invitation(invitation_id=row.id, by=by, now=NOW)
    assert refusal.value.code == "invitation-replaced"


def test_coming_back_and_already_there(altura: Place, join: Join) -> None:
    back = join(altura.organisation, "Back", Role.SPONSOR, left_at=NOW, email="back@field.example")
    token = invite(altura, "back@field.example", role="observer")
    member = actions.accept_invitation(token=token, user=back.user, name="Other name", now=NOW)
    assert (member.id, member.role, member.left_at) == (back.member.id, "observer", None)
    # Somebody still present, invited under a second address of theirs, keeps their role.
    altura.peer.user.emailaddress_set.create(email="second@field.example", verified=True)
    token = invite(altura, "second@field.example", role="owner")
    same = actions.accept_invitation(token=token, user=altura.peer.user, name="x", now=NOW)
    assert (same.id, same.role) == (altura.peer.member.id, "peer")


def test_a_vouched_address_takes_up_every_open_invitation(altura: Place, boreal: Place) -> None:
    invite(altura)
    invite(boreal)
    user = newcomer()
    joined = actions.accept_pending(user=user, emails=["Awa@Field.example"], name="Awa", now=NOW)
    assert {member.organisation_id for member in joined} == {altura.organisation.id, boreal.organisation.id}
    late = newcomer("late@field.example")
    invite(altura, "late@field.example")
    later = NOW + timedelta(days=15)
    assert actions.accept_pending(user=late, emails=["late@field.example"], name="L", now=later) == []


def test_other_organisations_are_out_of_reach(altura: Place, boreal: Place) -> None:
    invite(boreal)
    theirs = Invitation.objects.get()
    by = altura.owner.actor
    assert queries.invitations(by=by, now=NOW) == ()
    with pytest.raises(NotFound):
        actions.revoke_invitation(invitation_id=theirs.id, by=by, now=NOW)
    with pytest.raises(NotFound):
        actions.restore_invitation(invitation_id=theirs.id, by=by, now=NOW)
    invite(altura)  # the same address, invited here: theirs still stands
    assert Invitation.objects.filter(revoked_at=None).count() == 2


def test_reading_addresses() -> None:
    found = read_addresses("Awa <a@x.example>, B@x.example\nc@x.example  c@X.example;, oops 'd@x.example'")
    assert found.addresses == ("a@x.example", "b@x.example", "c@x.example", "d@x.example")
    assert found.wrong == ("oops",)
