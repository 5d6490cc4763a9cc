"""What the pages of this area share."""

from __future__ import annotations

from typing import cast

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme

from essaim.base.actor import Actor


def actor(request: HttpRequest) -> Actor:
    """The member acting (inside `member_page` only)."""
    return cast(Actor, request.actor)  # type: ignore[attr-defined]


def back(request: HttpRequest, default: str, *args: str) -> HttpResponse:
    """Go back to the page named by the field `next` when it is one of ours, else to a named page."""
    address = request.POST.get("next", "")
    ours = url_has_allowed_host_and_scheme(address, {request.get_host()}, require_https=request.is_secure())
    return HttpResponseRedirect(address) if ours else redirect(default, *args)
