"""The console: the clock, who is there, what comes in, what waits. It works from a phone as well."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from essaim.base.actor import Role
from essaim.base.errors import Refused
from essaim.listen.sessions import actions
from essaim.listen.sessions.queries import links
from essaim.listen.sessions.queries.console import console
from essaim.listen.sessions.queries.sessions import find, line_of
from essaim.listen.sessions.views.drawing import rhythm
from essaim.listen.sessions.views.parsing import actor, language, now, tell
from essaim.people.access import member_page
from essaim.ui.toasts import toast

PARTS = ("clock", "counts", "voices")
VERBS: dict[str, Callable[..., Any]] = {
    "start": actions.start_session,
    "next": actions.next_phase,
    "extend": actions.extend_phase,
    "pause": actions.pause_session,
    "resume": actions.resume_session,
    "close": actions.close_session,
    "reopen": actions.reopen_session,
    "freeze": actions.freeze_session,
    "unfreeze": actions.unfreeze_session,
    "end": actions.end_session,
}


def _context(request: HttpRequest, session_id: str) -> dict[str, Any]:
    by = actor(request)
    session = find(session_id=session_id, by=by)
    steering = console(session, language=language(), now=now())
    return {
        "session": session,
        "line": line_of(session, now=now()),
        "console": steering,
        "rhythm": rhythm(steering),
        "may_steer": by.may(Role.FACILITATOR),
    }


@member_page
def console_page(request: HttpRequest, session_id: str) -> HttpResponse:
    context = _context(request, session_id)
    context["join_url"] = links.join_url(context["session"], request)
    context["console_url"] = links.base_url(request) + reverse("sessions:console", args=[session_id])
    context["console_qr"] = links.qr(context["console_url"])
    context["join_qr"] = links.qr(context["join_url"])
    context["screen_url"] = (
        f"{reverse('sessions:screen', args=[session_id])}?key={context['session'].screen_key}"
    )
    return render(request, "sessions/console.html", context)


@member_page
def console_part(request: HttpRequest, session_id: str, part: str) -> HttpResponse:
    """One part of the console, asked for again when the room says that it changed."""
    if part not in PARTS:
        raise Http404
    return render(request, f"sessions/_{part}.html", _context(request, session_id))


@member_page
@require_POST
def clock(request: HttpRequest, session_id: str, verb: str) -> HttpResponse:
    """One press on the shared clock."""
    if verb not in VERBS:
        raise Http404
    arguments: dict[str, Any] = {}
    try:
        if verb == "extend":
            arguments["seconds"] = int(request.POST.get("seconds", ""))
        if verb == "reopen":
            arguments["minutes"] = int(request.POST.get("minutes", ""))
        expected = int(request.POST.get("rev", ""))
        if any(abs(value) > 86_400 for value in arguments.values()):
            raise ValueError
    except ValueError:
        return HttpResponse(_("A number is missing or out of range."), status=400)
    try:
        VERBS[verb](session_id=session_id, expected_rev=expected, by=actor(request), now=now(), **arguments)
    except Refused as refusal:
        if refusal.status in (403, 404):
            raise
        tell(request, refusal)
    if getattr(request, "htmx", False):
        return render(request, "sessions/_clock.html", _context(request, session_id))
    return redirect("sessions:console", session_id)


@member_page
@require_POST
def moderate(request: HttpRequest, session_id: str, number: int) -> HttpResponse:
    """Show or hide one contribution; each undoes the other."""
    shown = request.POST.get("shown", request.GET.get("shown")) == "yes"
    if shown:
        actions.show_contribution(session_id=session_id, number=number, by=actor(request), now=now())
    else:
        actions.hide_contribution(
            session_id=session_id,
            number=number,
            reason=request.POST.get("reason", ""),
            by=actor(request),
            now=now(),
        )
    undo = reverse("sessions:moderate", args=[session_id, number]) + ("?shown=no" if shown else "?shown=yes")
    toast(request, _("Contribution shown.") if shown else _("Contribution hidden."), undo=undo)
    if getattr(request, "htmx", False):
        return render(
            request, "sessions/_voices.html", {**_context(request, session_id), "with_toasts": True}
        )
    return redirect("sessions:console", session_id)
