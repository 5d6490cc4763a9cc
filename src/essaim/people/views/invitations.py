"""The page behind the link of an invitation: create an account, or accept with the one that is logged in."""

from __future__ import annotations

from typing import Any, cast

from allauth.account.adapter import get_adapter
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from essaim.base.actor import Role
from essaim.base.errors import Forbidden, Refused
from essaim.people import actions
from essaim.people.access import CHOSEN
from essaim.people.accounts import INVITED, full_name
from essaim.people.forms import JoinForm, OpenAccountForm, refuse
from essaim.people.models import ROLE_LABELS
from essaim.people.words import ROLE_MEANINGS
from essaim.ui.toasts import toast


@never_cache
@require_http_methods(["GET", "POST"])
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    try:
        found = actions.open_invitation(token=token, now=timezone.now())
    except Refused as refusal:
        return _closed(request, refusal)
    role = Role(found.role)
    context: dict[str, Any] = {
        "invitation": found,
        "role": ROLE_LABELS[role],
        "meaning": ROLE_MEANINGS[role],
    }
    if request.user.is_authenticated:
        return _accept(request, token, context)
    request.session[INVITED] = token  # so that logging in, or single sign-on, comes back here
    if get_user_model().objects.filter(email__iexact=found.email).exists():
        return render(request, "people/invitation.html", context | {"known": True})
    form = OpenAccountForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            user, member = actions.open_account(token=token, **form.cleaned_data, now=timezone.now())
        except Refused as refusal:
            refuse(form, refusal)
        else:
            get_adapter(request).login(request, cast(AbstractBaseUser, user))
            return _enter(request, member)
    return render(
        request, "people/invitation.html", context | {"form": form}, status=422 if form.errors else 200
    )


def _accept(request: HttpRequest, token: str, context: dict[str, Any]) -> HttpResponse:
    form = JoinForm(request.POST or None, initial={"name": full_name(request.user)})
    if request.method == "POST" and form.is_valid():
        try:
            member = actions.accept_invitation(
                token=token, user=request.user, name=form.cleaned_data["name"], now=timezone.now()
            )
        except Forbidden as refusal:
            return render(request, "people/invitation.html", context | {"refusal": refusal}, status=403)
        except Refused as refusal:
            refuse(form, refusal)
        else:
            return _enter(request, member)
    context |= {"form": form, "accept": True}
    return render(request, "people/invitation.html", context, status=422 if form.errors else 200)


def _enter(request: HttpRequest, member: Any) -> HttpResponse:
    request.session.pop(INVITED, None)
    request.session[CHOSEN] = member.organisation_id
    toast(request, _("Welcome to %(organisation)s.") % {"organisation": member.organisation.name})
    return redirect("home")


def _closed(request: HttpRequest, refusal: Refused) -> HttpResponse:
    """A link that no longer opens; who is already inside goes on."""
    request.session.pop(INVITED, None)
    if refusal.code == "invitation-used" and cast(Any, request).actor is not None:
        return redirect("home")
    return render(request, "people/invitation_closed.html", {"refusal": refusal}, status=refusal.status)
