"""The big screen: the code to join, the clock, the map, what unites and what divides. A key opens it on any computer."""

from __future__ import annotations

import hmac
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from essaim.listen.sessions.models import Session
from essaim.listen.sessions.queries import links
from essaim.listen.sessions.queries.console import progress
from essaim.listen.sessions.queries.results import results
from essaim.listen.sessions.queries.room import newest_voices, room_view, words
from essaim.listen.sessions.queries.sessions import find, line_of, milliseconds
from essaim.listen.sessions.queries.specification import plan_of
from essaim.listen.sessions.views.parsing import actor, language, now

PARTS = ("screen_clock", "screen_question", "screen_opinion", "screen_voices")


def _session(request: HttpRequest, session_id: str) -> Session:
    """The session, for its members or for whoever holds the screen's key."""
    key = request.GET.get("key", "")
    if key:
        session: Session | None = Session.objects.filter(id=session_id, archived_at=None).first()
        if session is not None and hmac.compare_digest(key.encode(), session.screen_key.encode()):
            return session
        raise Http404
    if actor(request) is None:
        raise Http404
    return find(session_id=session_id, by=actor(request))


def _context(request: HttpRequest, session: Session) -> dict[str, Any]:
    view = room_view(session)
    found = results(session, language=language(), view=view)
    labels = words(session, language())
    return {
        "session": session,
        "line": line_of(session, now=now()),
        "phases": progress(plan_of(session), milliseconds(now())),
        "results": found,
        "view": view,
        "voices": newest_voices(view, labels, status="shown", limit=3),
        "key": request.GET.get("key", ""),
        "join_url": links.join_url(session, request),
        "join_host": links.base_url(request).partition("://")[2],
    }


def screen(request: HttpRequest, session_id: str) -> HttpResponse:
    context = _context(request, _session(request, session_id))
    context["qr"] = links.qr(context["join_url"])
    return render(request, "sessions/screen.html", context)


def screen_part(request: HttpRequest, session_id: str, part: str) -> HttpResponse:
    if part not in PARTS:
        raise Http404
    return render(request, f"sessions/_{part}.html", _context(request, _session(request, session_id)))
