"""Who is acting: the middleware that puts an `Actor` on every request, the check that a page needs one."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, cast

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect

from essaim.base.actor import Actor, Role
from essaim.people.models import Member

CHOSEN = "organisation"  # session key: the organisation the person is working in


class ActorMiddleware:
    """Sets `request.actor` and `request.organisations`.

    The actor is None when nobody is logged in, or when the person belongs to no organisation.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.actor, request.organisations = actor_of(request)  # type: ignore[attr-defined]
        return self.get_response(request)


def actor_of(request: HttpRequest) -> tuple[Actor | None, tuple[Any, ...]]:
    """Return the acting member (of the chosen organisation, else the first) and their organisations."""
    if not request.user.is_authenticated:
        return None, ()
    memberships = list(
        Member.objects.filter(user=request.user, left_at=None)
        .select_related("organisation")
        .order_by("joined_at", "id")
    )
    if not memberships:
        return None, ()
    chosen = request.session.get(CHOSEN)
    member = next((m for m in memberships if m.organisation_id == chosen), memberships[0])
    actor = Actor(
        organisation_id=member.organisation_id,
        role=Role(member.role),
        name=member.name,
        member_id=member.id,
        user_id=member.user_id,
    )
    return actor, tuple(m.organisation for m in memberships)


View = Callable[..., HttpResponseBase]


def member_page(view: View) -> View:
    """A page for members: others are sent to the login, or told that they belong to no organisation yet."""

    @functools.wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        if cast(Any, request).actor is None:
            return redirect("people:no_organisation")
        return view(request, *args, **kwargs)

    return guarded
