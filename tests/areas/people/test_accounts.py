"""Logging in: password, forgotten password, two-step login, single sign-on; and who may create an account."""

from __future__ import annotations

import re
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.contrib.auth import get_user_model
from django.core import mail
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from essaim.config.environment import Environment
from essaim.people import actions
from essaim.people.accounts import SocialAccountAdapter
from essaim.people.models import Member

from .conftest import NOW, PASSWORD, Place
from .test_invitations import invite, newcomer

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fresh_rate_limits() -> None:
    cache.clear()


def logged_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("name", ["account_login", "account_reset_password", "account_signup"])
def test_entrance_pages_wear_the_look(name: str, language: str) -> None:
    text = Client(headers={"accept-language": language}).get(reverse(name)).content.decode()
    assert f'<html lang="{language}"' in text
    assert 'class="card"' in text
    assert "ui/essaim" in text
    assert "style=" not in text
    assert not re.search(r"<script(?![^>]*\bsrc=)", text)


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize(
    "name",
    ["account_change_password", "account_email", "mfa_index", "account_logout", "socialaccount_connections"],
)
def test_security_pages_wear_the_look(altura: Place, name: str, language: str) -> None:
    client = Client(headers={"accept-language": language})
    client.force_login(altura.peer.user, backend="django.contrib.auth.backends.ModelBackend")
    answer = client.get(reverse(name))
    assert answer.status_code == 200
    text = answer.content.decode()
    assert f'<html lang="{language}"' in text
    assert "ui/essaim" in text
    assert not re.search(r"<script(?![^>]*\bsrc=)", text)


def test_password_login_by_address(altura: Place) -> None:
    client = Client()
    url = reverse("account_login")
    wrong = client.post(url, {"login": altura.peer.user.email, "password": "wrong"})
    assert wrong.status_code == 200
    assert not logged_in(client)
    assert client.post(url, {"login": "nobody@x.example", "password": "wrong"}).status_code == 200
    answer = client.post(url, {"login": altura.peer.user.email.upper(), "password": PASSWORD})
    assert answer["Location"] == reverse("home")
    assert logged_in(client)
    client.post(reverse("account_logout"))
    assert not logged_in(client)


def test_next_is_followed_at_home_only(altura: Place) -> None:
    for target, expected in (
        (reverse("people:units"), reverse("people:units")),
        ("https://evil.example/", reverse("home")),
    ):
        client = Client()
        data = {"login": altura.peer.user.email, "password": PASSWORD, "next": target}
        assert client.post(reverse("account_login"), data)["Location"] == expected


def test_a_forgotten_password(altura: Place) -> None:
    client = Client()
    url = reverse("account_reset_password")
    assert client.post(url, {"email": altura.peer.user.email}).status_code == 302
    link = re.search(r"http://testserver(/\S+)", mail.outbox[0].body)
    assert link
    page = client.get(link[1], follow=True)
    assert page.status_code == 200
    new = {"password1": "a-new-long-otter", "password2": "a-new-long-otter"}
    client.post(page.request["PATH_INFO"], new)
    assert get_user_model().objects.get(id=altura.peer.user.id).check_password("a-new-long-otter")
    before = len(mail.outbox)
    assert client.post(url, {"email": "nobody@x.example"}).status_code == 302  # the same answer
    assert altura.peer.user.username not in mail.outbox[0].body
    assert len(mail.outbox) - before <= 1


def code_of(secret: str) -> str:
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // 30)))


def test_two_step_login_with_an_app_then_a_recovery_code(altura: Place) -> None:
    client = Client()
    login = {"login": altura.peer.user.email, "password": PASSWORD}
    client.post(reverse("account_login"), login)
    again = client.get(reverse("mfa_activate_totp"), follow=True)  # the password is asked for once more
    assert 'class="card"' in again.content.decode()
    page = client.post(again.redirect_chain[-1][0], {"password": PASSWORD}, follow=True)
    assert page.status_code == 200
    secret = page.context["form"].secret
    assert client.post(reverse("mfa_activate_totp"), {"code": "000000"}).status_code == 200
    assert client.post(reverse("mfa_activate_totp"), {"code": code_of(secret)}).status_code == 302
    codes = client.get(reverse("mfa_view_recovery_codes"))
    assert codes.status_code == 200
    recovery = codes.context["unused_codes"][0]
    assert client.get(reverse("mfa_index")).status_code == 200
    client.post(reverse("account_logout"))
    cache.clear()  # the code was used once to activate; allauth refuses it a second time

    answer = client.post(reverse("account_login"), login)
    assert answer["Location"] == reverse("mfa_authenticate")
    assert not logged_in(client)
    step = client.get(reverse("mfa_authenticate"))
    assert step.status_code == 200
    assert 'class="card"' in step.content.decode()
    assert client.post(reverse("mfa_authenticate"), {"code": "000000"}).status_code == 200
    assert not logged_in(client)
    assert client.post(reverse("mfa_authenticate"), {"code": code_of(secret)})["Location"] == reverse("home")
    assert logged_in(client)
    client.post(reverse("account_logout"))

    client.post(reverse("account_login"), login)
    client.post(reverse("mfa_authenticate"), {"code": recovery})
    assert logged_in(client)


class TestSignUp:
    def test_closed(self, settings: Any) -> None:
        settings.ENVIRONMENT = Environment(sign_up=False)
        client = Client(headers={"accept-language": "en"})
        assert "by invitation" in client.get(reverse("account_signup")).content.decode()
        client.post(reverse("account_signup"), {"email": "new@x.example", "password1": PASSWORD})
        assert not get_user_model().objects.exists()

    def test_open(self, settings: Any) -> None:
        settings.ENVIRONMENT = Environment(sign_up=True)
        client = Client()
        assert reverse("account_signup") in client.get(reverse("account_login")).content.decode()
        client.post(reverse("account_signup"), {"email": "new@x.example", "password1": PASSWORD})
        user = get_user_model().objects.get()
        assert re.fullmatch(r"[0-9a-f]{32}", user.username)
        assert client.get(reverse("home"))["Location"] == reverse("people:no_organisation")

    def test_an_invited_person_is_sent_to_their_invitation(self, altura: Place, settings: Any) -> None:
        settings.ENVIRONMENT = Environment(sign_up=False)
        url = reverse("people:invitation", args=[invite(altura, now=timezone.now())])
        client = Client()
        client.get(url)
        assert client.get(reverse("account_signup"))["Location"] == url
        newcomer()
        answer = client.post(reverse("account_login"), {"login": "awa@field.example", "password": PASSWORD})
        assert answer["Location"] == url


class FakeProvider:
    """An identity provider that vouches for one address, in the place of allauth's `requests.Session`."""

    def __init__(self, **claims: Any) -> None:
        self.claims = {
            "sub": "7",
            "email": "awa@field.example",
            "email_verified": True,
            "name": "Awa Diop",
            **claims,
        }

    def __enter__(self) -> FakeProvider:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def get(self, url: str, **_: Any) -> Any:
        base = "https://login.example"
        known = {
            "issuer": base,
            "authorization_endpoint": f"{base}/authorize",
            "token_endpoint": f"{base}/token",
        }
        known |= {"userinfo_endpoint": f"{base}/userinfo", "jwks_uri": f"{base}/jwks"}
        return _Answer(self.claims if url.endswith("/userinfo") else known)

    def request(self, method: str, url: str, **_: Any) -> Any:
        assert (method, url) == ("POST", "https://login.example/token")
        return _Answer({"access_token": "t", "token_type": "Bearer"})


class _Answer:
    status_code = 200
    headers = {"content-type": "application/json"}

    def __init__(self, content: dict[str, Any]) -> None:
        self.content = content

    def json(self) -> dict[str, Any]:
        return self.content

    def raise_for_status(self) -> None:
        return None


class TestSingleSignOn:
    @pytest.fixture(autouse=True)
    def provider(self, settings: Any) -> None:
        app = {"provider_id": "sso", "name": "Altura ID", "client_id": "essaim", "secret": "s"}
        app["settings"] = {"server_url": "https://login.example"}  # type: ignore[assignment]
        settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"APPS": [app]}}
        settings.ENVIRONMENT = Environment(sign_up=False)

    def arrive(self, monkeypatch: pytest.MonkeyPatch, client: Client, **claims: Any) -> Any:
        monkeypatch.setattr(SocialAccountAdapter, "get_requests_session", lambda _: FakeProvider(**claims))
        start = client.post("/account/oidc/sso/login/")
        assert start["Location"].startswith("https://login.example/authorize?")
        (state,) = parse_qs(urlsplit(start["Location"]).query)["state"]
        return client.get("/account/oidc/sso/login/callback/", {"code": "c", "state": state}, follow=True)

    def test_the_button_is_there(self) -> None:
        text = Client().get(reverse("account_login")).content.decode()
        assert "Altura ID" in text
        assert 'action="/account/oidc/sso/login/' in text

    def test_an_invited_address_becomes_a_member_at_once(
        self, altura: Place, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        invite(altura, now=timezone.now())
        client = Client()
        page = self.arrive(monkeypatch, client)
        assert page.redirect_chain[-1][0] == reverse("home")
        member = Member.objects.get(user__email="awa@field.example")
        assert (member.name, member.role, member.organisation_id) == (
            "Awa Diop",
            "facilitator",
            altura.organisation.id,
        )

    @pytest.mark.parametrize("claims", [{"email": "uninvited@field.example"}, {"email_verified": False}])
    def test_others_have_no_organisation_yet(
        self, altura: Place, monkeypatch: pytest.MonkeyPatch, claims: dict[str, Any]
    ) -> None:
        invite(altura, now=timezone.now())
        page = self.arrive(monkeypatch, Client(), **claims)
        assert page.redirect_chain[-1][0] == reverse("people:no_organisation")
        assert Member.objects.count() == 5

    def test_a_verified_address_opens_the_account_that_has_it(
        self, altura: Place, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        user = actions.make_account(email="awa@field.example", name="Awa", password=PASSWORD, now=NOW)
        client = Client()
        self.arrive(monkeypatch, client)
        assert client.session["_auth_user_id"] == str(user.pk)
        assert get_user_model().objects.get(pk=user.pk).check_password(PASSWORD)

    def test_an_unverified_address_opens_nobody_s_account(
        self, altura: Place, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        user = actions.make_account(email="awa@field.example", name="Awa", password=PASSWORD, now=NOW)
        client = Client()
        self.arrive(monkeypatch, client, email_verified=False)
        assert client.session.get("_auth_user_id") != str(user.pk)
