"""The pages: they render in both languages, do one thing each, and never show another organisation."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from essaim.base.actor import Role
from essaim.config.environment import Environment
from essaim.people import actions, queries
from essaim.people.models import Invitation, Member, Organisation, Unit

from .conftest import NOW, Person, Place
from .test_invitations import invite, newcomer

pytestmark = pytest.mark.django_db
LISTS = ["people:members", "people:units", "people:organisation", "people:profile", "people:switch"]
OWNERS = ["people:history", "people:invite", "people:add_unit", "people:import_units"]


def browser(person: Person | Any, language: str = "en") -> Client:
    client = Client(headers={"accept-language": language})
    client.force_login(getattr(person, "user", person), backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def owner(altura: Place) -> Client:
    return browser(altura.owner)


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("name", LISTS + OWNERS)
def test_pages_render(altura: Place, name: str, language: str) -> None:
    unit = actions.add_unit(name="Lyon", headcount=1200, by=altura.owner.actor, now=NOW)
    actions.add_unit(name="Desk", parent_id=unit.id, by=altura.owner.actor, now=NOW)
    invite(altura)
    answer = browser(altura.owner, language).get(reverse(name))
    assert answer.status_code == 200
    text = answer.content.decode()
    assert f'<html lang="{language}"' in text
    assert "style=" not in text


@pytest.mark.parametrize("name", LISTS)
def test_pages_render_for_those_who_only_read(altura: Place, name: str) -> None:
    unit = actions.add_unit(name="Lyon", by=altura.owner.actor, now=NOW)
    client = browser(altura.observer)
    assert client.get(reverse(name)).status_code == 200
    assert client.get(reverse("people:unit", args=[unit.id])).status_code == 200
    assert client.get(reverse("people:member", args=[altura.peer.member.id])).status_code == 200
    assert b"altura-peer@altura.example" not in client.get(reverse("people:members")).content


@pytest.mark.parametrize("name", OWNERS)
def test_owners_pages_are_refused_to_others(altura: Place, name: str) -> None:
    assert browser(altura.peer).get(reverse(name)).status_code == 403


def test_visitors_log_in_first_and_come_back(client: Client) -> None:
    answer = client.get(reverse("people:members") + "?role=peer")
    assert answer.status_code == 302
    assert answer["Location"] == reverse("account_login") + "?next=/members/%3Frole%3Dpeer"


def test_the_list_is_filtered_by_the_address(owner: Client, altura: Place) -> None:
    answer = owner.get(reverse("people:members"), {"role": "peer"})
    assert [row.id for row in answer.context["members"]] == [altura.peer.member.id]
    assert owner.get(reverse("people:members"), {"q": "nobody at all"}).context["members"] == ()
    assert owner.get(reverse("people:members"), {"role": "king", "unit": "x" * 40}).status_code == 200


def test_members_come_out_as_csv_without_formulas(owner: Client, altura: Place) -> None:
    Member.objects.filter(id=altura.peer.member.id).update(name="=HYPERLINK(1)")
    answer = owner.get(reverse("people:members_export", args=["csv"]) + "?role=peer")
    lines = b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()  # type: ignore[attr-defined]
    assert lines[0].split(",")[:3] == ["Name", "E-mail", "Role"]
    assert len(lines) == 2
    assert lines[1].startswith("'=HYPERLINK(1),altura-peer@altura.example,Peer,")
    assert owner.get(reverse("people:members_export", args=["xlsx"])).status_code == 200
    assert owner.get(reverse("people:members_export", args=["exe"])).status_code == 404
    assert browser(altura.peer).get(reverse("people:members_export", args=["csv"])).status_code == 403


def test_units_come_out_as_they_go_in(owner: Client, altura: Place) -> None:
    text = "Name,Part of,Headcount\nDesk,Lyon,85\nLyon,,240\n"
    actions.import_units(text=text, by=altura.owner.actor, now=NOW)
    answer = owner.get(reverse("people:units_export", args=["csv"]))
    out = b"".join(answer.streaming_content)  # type: ignore[attr-defined]
    again = owner.post(reverse("people:import_units"), {"file": _file("units.csv", out), "text": ""})
    assert again.status_code == 200
    assert (again.context["preview"].same, again.context["preview"].wrong) == (2, 0)


def test_roles_removal_and_undo(owner: Client, altura: Place) -> None:
    target = altura.peer.member.id
    answer = owner.post(
        reverse("people:change_role", args=[target]), {"role": "sponsor", "next": "/members/?role=peer"}
    )
    assert answer["Location"] == "/members/?role=peer"
    assert Member.objects.get(id=target).role == "sponsor"
    away = owner.post(
        reverse("people:change_role", args=[target]), {"role": "peer", "next": "https://evil.example/"}
    )
    assert away["Location"] == reverse("people:members")
    page = owner.post(reverse("people:remove_member", args=[target]), follow=True)
    undo = reverse("people:restore_member", args=[target])
    assert f'action="{undo}"' in page.content.decode()
    assert owner.post(undo, follow=True).status_code == 200
    assert Member.objects.get(id=target).left_at is None
    last = owner.post(reverse("people:change_role", args=[altura.owner.member.id]), {"role": "peer"})
    assert last.status_code == 409


def test_a_removed_member_is_out_at_once(altura: Place) -> None:
    client = browser(altura.peer)
    assert client.get(reverse("people:members")).status_code == 200
    actions.remove_member(member_id=altura.peer.member.id, by=altura.owner.actor, now=NOW)
    assert client.get(reverse("people:members"))["Location"] == reverse("people:no_organisation")
    assert client.get(reverse("people:no_organisation")).status_code == 200


def test_inviting_shows_the_links_once_and_errors_keep_what_was_typed(owner: Client) -> None:
    wrong = owner.post(
        reverse("people:invite"), {"emails": "awa@field.example oops", "role": "peer", "unit_id": ""}
    )
    assert wrong.status_code == 422
    assert "awa@field.example oops" in wrong.content.decode()
    assert Invitation.objects.count() == 0
    page = owner.post(
        reverse("people:invite"), {"emails": "awa@field.example", "role": "peer", "unit_id": ""}
    )
    assert "http://testserver/invitations/" in page.content.decode()
    row = Invitation.objects.get()
    page = owner.post(reverse("people:revoke_invitation", args=[row.id]), follow=True)
    assert reverse("people:restore_invitation", args=[row.id]) in page.content.decode()
    owner.post(reverse("people:restore_invitation", args=[row.id]))
    assert Invitation.objects.get().revoked_at is None


def test_units_are_added_changed_removed_restored(owner: Client, altura: Place) -> None:
    owner.post(reverse("people:add_unit"), {"name": "Lyon", "parent_id": "", "headcount": ""})
    unit = Unit.objects.get()
    url = reverse("people:unit", args=[unit.id])
    owner.post(url, {"name": "Lyon 2", "parent_id": "", "headcount": "12"})
    assert (Unit.objects.get().name, Unit.objects.get().headcount) == ("Lyon 2", 12)
    twice = owner.post(reverse("people:add_unit"), {"name": "lyon 2", "parent_id": "", "headcount": ""})
    assert twice.status_code == 422
    assert unit.id not in dict(owner.get(url).context["form"].fields["parent_id"].choices)
    page = owner.post(reverse("people:remove_unit", args=[unit.id]), follow=True)
    assert reverse("people:restore_unit", args=[unit.id]) in page.content.decode()
    owner.post(reverse("people:restore_unit", args=[unit.id]))
    assert queries.unit(unit_id=unit.id, by=altura.owner.actor).name == "Lyon 2"
    assert (
        browser(altura.facilitator).get(reverse("people:add_unit") + f"?parent={unit.id}").status_code == 200
    )


def test_an_import_is_previewed_then_done(owner: Client) -> None:
    url = reverse("people:import_units")
    page = owner.post(url, {"text": "Lyon\nDesk;Lyon;85"})
    assert page.context["preview"].new == 2
    assert Unit.objects.count() == 0
    assert owner.post(url, {"text": "Lyon\nDesk;Lyon;85", "import": "1"})["Location"] == reverse(
        "people:units"
    )
    assert Unit.objects.count() == 2
    assert owner.post(url, {"text": ""}).status_code == 422
    assert owner.post(url, {"text": "Desk;Nowhere", "import": "1"}).status_code == 422
    binary = owner.post(url, {"text": "", "file": _file("units.xlsx", b"PK\x03\x04\0\0")})
    assert binary.status_code == 422
    latin = owner.post(url, {"text": "", "file": _file("units.csv", "Élan;;3".encode("cp1252"))})
    assert latin.context["preview"].lines[0].name == "Élan"


def _file(name: str, content: bytes) -> Any:
    from django.core.files.uploadedfile import SimpleUploadedFile

    return SimpleUploadedFile(name, content)


def test_settings_profile_leaving_and_history(owner: Client, altura: Place) -> None:
    owner.post(reverse("people:organisation"), {"name": "Altura 2", "language": "en"})
    assert Organisation.objects.get(id=altura.organisation.id).name == "Altura 2"
    peer = browser(altura.peer)
    assert peer.post(reverse("people:organisation"), {"name": "Mine", "language": "en"}).status_code == 403
    peer.post(reverse("people:profile"), {"name": "Awa Diop", "unit_id": ""})
    assert Member.objects.get(id=altura.peer.member.id).name == "Awa Diop"
    assert peer.post(reverse("people:profile"), {"name": " ", "unit_id": ""}).status_code == 422
    assert peer.post(reverse("people:leave"))["Location"] == reverse("home")
    assert Member.objects.get(id=altura.peer.member.id).left_at is not None
    assert owner.post(reverse("people:leave")).status_code == 409
    shown = owner.get(reverse("people:history"), {"verb": "member.leave", "since": "not a day"})
    assert [row.verb for row, _verb, _details in shown.context["rows"]] == ["member.leave"]
    answer = owner.get(reverse("people:history_export", args=["csv"]))
    lines = b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()  # type: ignore[attr-defined]
    assert len(lines) == 1 + queries.history(by=altura.owner.actor).total


def test_working_in_another_of_one_s_organisations(altura: Place, boreal: Place) -> None:
    user = altura.peer.user
    invite(boreal, user.email)
    actions.accept_pending(user=user, emails=[user.email], name="P", now=NOW + timedelta(days=1))
    client = browser(user)
    assert client.get(reverse("people:organisation")).context["card"].name == "Altura"
    client.post(reverse("people:switch"), {"organisation": boreal.organisation.id})
    assert client.get(reverse("people:organisation")).context["card"].name == "Boreal"
    stranger = browser(altura.sponsor)
    refused = stranger.post(reverse("people:switch"), {"organisation": boreal.organisation.id})
    assert refused.status_code == 404
    assert stranger.get(reverse("people:organisation")).context["card"].name == "Altura"


def test_nothing_of_another_organisation_on_any_page(owner: Client, altura: Place, boreal: Place) -> None:
    unit = actions.add_unit(name="Oslo", by=boreal.owner.actor, now=NOW)
    invite(boreal)
    invitation, member = Invitation.objects.get(), boreal.peer.member
    assert owner.get(reverse("people:unit", args=[unit.id])).status_code == 404
    assert owner.get(reverse("people:member", args=[member.id])).status_code == 404
    posts = [
        *(
            ("people:" + verb, member.id)
            for verb in ("change_role", "set_unit", "remove_member", "restore_member")
        ),
        *(("people:" + verb, unit.id) for verb in ("unit", "remove_unit", "restore_unit")),
        *(("people:" + verb, invitation.id) for verb in ("revoke_invitation", "restore_invitation")),
    ]
    for name, identifier in posts:
        assert owner.post(reverse(name, args=[identifier]), {"role": "peer"}).status_code == 404, name
    for name in [*LISTS, *OWNERS]:
        text = owner.get(reverse(name)).content.decode()
        assert "Boreal" not in text
        assert "Oslo" not in text


class TestFounding:
    def test_closed(self, client: Client, settings: Any) -> None:
        settings.ENVIRONMENT = Environment(sign_up=False)
        client = browser(newcomer())
        assert client.get(reverse("home"))["Location"] == reverse("people:no_organisation")
        page = client.get(reverse("people:no_organisation"))
        assert reverse("people:found") not in page.content.decode()
        assert client.get(reverse("people:found"))["Location"] == reverse("people:no_organisation")
        client.post(reverse("people:found"), {"name": "Mine", "member_name": "Awa", "language": "fr"})
        assert not Organisation.objects.exists()

    def test_open(self, settings: Any) -> None:
        settings.ENVIRONMENT = Environment(sign_up=True)
        client = browser(newcomer())
        assert reverse("people:found") in client.get(reverse("people:no_organisation")).content.decode()
        assert client.get(reverse("people:found")).status_code == 200
        answer = client.post(
            reverse("people:found"), {"name": "Mine", "member_name": "Awa", "language": "fr"}
        )
        assert answer["Location"] == reverse("people:members")
        assert Member.objects.get().role == Role.OWNER


class TestInvitationPage:
    @pytest.mark.parametrize("language", ["fr", "en"])
    def test_a_new_person_chooses_a_password_and_is_in(self, altura: Place, language: str) -> None:
        url = reverse("people:invitation", args=[_fresh(altura)])
        client = Client(headers={"accept-language": language})
        page = client.get(url)
        assert page.status_code == 200
        assert "Altura" in page.content.decode()
        weak = client.post(url, {"name": "Awa Diop", "password": "12345"})
        assert weak.status_code == 422
        assert "Awa Diop" in weak.content.decode()
        answer = client.post(url, {"name": "Awa Diop", "password": "quiet-otter-sails-7"})
        assert answer["Location"] == reverse("home")
        assert client.get(reverse("people:members")).status_code == 200
        assert Member.objects.get(name="Awa Diop").role == "facilitator"
        assert client.get(url)["Location"] == reverse("home")  # opened again: one is inside already
        assert Client().get(url).status_code == 409

    def test_with_an_account_one_button_is_enough(self, altura: Place) -> None:
        token = _fresh(altura)
        user = newcomer()
        url = reverse("people:invitation", args=[token])
        page = Client().get(url)
        assert f"{reverse('account_login')}?next={url}" in page.content.decode()
        client = browser(user)
        assert client.get(url).context["accept"]
        client.post(url, {"name": "Awa"})
        assert Member.objects.get(user=user).role == "facilitator"

    def test_another_account_is_told_whom_it_is_for(self, altura: Place) -> None:
        client = browser(newcomer("other@else.example"))
        answer = client.post(reverse("people:invitation", args=[_fresh(altura)]), {"name": "Other"})
        assert answer.status_code == 403
        text = answer.content.decode()
        assert "awa@field.example" in text
        assert "other@else.example" in text

    def test_links_that_do_not_open_say_why(self, altura: Place) -> None:
        assert Client().get(reverse("people:invitation", args=["nonsense"])).status_code == 404
        token = _fresh(altura)
        Invitation.objects.update(expires_at=NOW)
        answer = Client(headers={"accept-language": "en"}).get(reverse("people:invitation", args=[token]))
        assert answer.status_code == 409
        assert "expired" in answer.content.decode()


def _fresh(place: Place) -> str:
    from django.utils import timezone

    return invite(place, now=timezone.now())
