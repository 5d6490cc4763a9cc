"""How django-allauth behaves here: accounts by invitation unless the operator opens them, single sign-on."""

from __future__ import annotations

import uuid
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from django.conf import settings
from django.http import HttpRequest
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone

from essaim.base.errors import Refused
from essaim.people.actions import accept_pending, open_invitation

INVITED = "invitation"  # session key: the token of the invitation being answered


def invitation_of(request: HttpRequest) -> str:
    """Return the token of the invitation this browser is answering if it still opens, else ""."""
    token: str = request.session.get(INVITED, "")
    if token:
        try:
            open_invitation(token=token, now=timezone.now())
        except Refused:
            request.session.pop(INVITED, None)
            return ""
    return token


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Open to all when the operator says so; the invited create theirs on the invitation's page."""
        if settings.ENVIRONMENT.sign_up:
            return True
        token = invitation_of(request)
        if token:
            raise ImmediateHttpResponse(redirect("people:invitation", token=token))
        return False

    def populate_username(self, request: HttpRequest, user: Any) -> None:
        """People log in by e-mail address: the user name means nothing and is never shown."""
        if user.pk is None:
            user.username = uuid.uuid4().hex

    def get_login_redirect_url(self, request: HttpRequest) -> str:
        token = invitation_of(request)
        return (
            reverse("people:invitation", args=[token])
            if token
            else str(super().get_login_redirect_url(request))
        )

    def post_login(self, request: HttpRequest, user: Any, **kwargs: Any) -> Any:
        """A person whose identity provider vouches for an invited address becomes a member at once."""
        sociallogin = (kwargs.get("signal_kwargs") or {}).get("sociallogin")
        if sociallogin is not None:
            vouched = [found.email for found in sociallogin.email_addresses if found.verified]
            accept_pending(user=user, emails=vouched, name=full_name(user), now=timezone.now())
        return super().post_login(request, user, **kwargs)


class SocialAccountAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]
    """The one identity provider is the operator's own choice: it decides who has an account."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        return True

    def can_authenticate_by_email(self, login: Any, email: str) -> bool:
        """Only asked for addresses that the provider verified; allauth drops an unverified local password."""
        return True


def full_name(user: Any) -> str:
    """Return a name to show for a person: theirs, else the part of their address before the @."""
    name: str = user.get_full_name().strip() or user.email.partition("@")[0]
    return name
