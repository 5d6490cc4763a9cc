"""The first page, for members and for visitors; the accessibility statement; the demo's door."""

from __future__ import annotations

import ipaddress
from typing import Any, cast

from django.conf import settings
from django.contrib.auth import get_user_model, login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from essaim.base.actor import Role
from essaim.home.demo import DEMO_FACILITATOR
from essaim.listen.sessions.forms import CodeForm
from essaim.listen.sessions.queries.sessions import sessions


def home(request: HttpRequest) -> HttpResponse:
    """What runs now, what was held, what to do next; for a visitor: the code to type, and what Essaim is."""
    actor = cast(Any, request).actor
    if actor is None:
        if request.user.is_authenticated:
            return redirect("people:no_organisation")
        return render(request, "home/welcome.html", {"form": CodeForm(), "demo_door": _demo_door(request)})
    found = sessions(by=actor, now=timezone.now())
    return render(
        request,
        "home/home.html",
        {
            "running": [line for line in found if line.running],
            "coming": [line for line in found if line.state == "waiting"][:6],
            "held": [line for line in found if line.state in ("closed", "frozen")][:6],
            "none": not found,
            "may_create": actor.may(Role.FACILITATOR),
        },
    )


def accessibility(request: HttpRequest) -> HttpResponse:
    """The accessibility statement: what was checked, how, and what is known to be weak."""
    return render(request, "home/accessibility.html")


def _demo_door(request: HttpRequest) -> bool:
    """Is this the demo, opened on the very computer that serves it? A phone on the same network only joins sessions."""
    forwarded = any(
        name in request.META for name in ("HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_FORWARDED")
    )
    host = request.get_host().rpartition(":")[0] or request.get_host()
    if not settings.DEMO or forwarded or host not in ("localhost", "127.0.0.1", "[::1]"):
        return False  # behind a proxy everybody seems to be on this computer
    try:
        return ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False


@require_POST
def enter_demo(request: HttpRequest) -> HttpResponse:
    """Log in as the demo's facilitator, without a password, from the serving computer only."""
    if not _demo_door(request):
        raise PermissionDenied
    user = get_user_model().objects.get(email=DEMO_FACILITATOR)
    login(request, user, backend="django.contrib.auth.backends.ModelBackend")
    return redirect("home")
