"""What every page shows around its content: sections, organisation, account."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from essaim.ui.shell import Link, NavItem, Shell


def everywhere(request: HttpRequest) -> dict[str, Any]:
    return {
        "shell": shell(request),
        "actor": getattr(request, "actor", None),
    }


def shell(request: HttpRequest) -> Shell:
    """The top bar, for a member, for somebody without an organisation, for a visitor."""
    actor = getattr(request, "actor", None)
    user = getattr(request, "user", None)
    if actor is None:
        logged_in = user is not None and user.is_authenticated
        return Shell(
            nav=(NavItem(_("Join a session"), reverse("sessions:join"), icon="listen"),),
            account=user.email if logged_in and user is not None else "",
            login_url=reverse("account_login"),
            logout_url=reverse("account_logout"),
        )
    organisations = getattr(request, "organisations", ())
    mine = next((one for one in organisations if one.id == actor.organisation_id), None)
    return Shell(
        nav=(
            NavItem(_("Home"), reverse("home"), icon="home", current=request.path == "/", key="h"),
            NavItem(
                _("Sessions"),
                reverse("sessions:list"),
                icon="listen",
                current=request.path.startswith("/sessions/"),
                key="s",
            ),
            NavItem(
                _("People"),
                reverse("people:members"),
                icon="users",
                current=request.path.startswith(("/members/", "/units/", "/organisation/", "/invitations/")),
                key="p",
            ),
        ),
        organisation=mine.name if mine else "",
        organisations=(Link(_("Organisation"), reverse("people:organisation"), icon="building"),),
        account=actor.name,
        account_links=(Link(_("My profile"), reverse("people:profile"), icon="user"),),
        login_url=reverse("account_login"),
        logout_url=reverse("account_logout"),
    )
