"""How people enter a session: by its code, by its link, or as a logged-in member when it is identified."""

from __future__ import annotations

from contextlib import suppress

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from essaim.listen.sessions.forms import CodeForm
from essaim.listen.sessions.models import Privacy
from essaim.listen.sessions.queries.sessions import find, milliseconds, session_of_code
from essaim.listen.sessions.views.parsing import actor, now
from essaim.live import tickets
from essaim.live.errors import KeyDestroyedError
from essaim.live.store import shared_store
from essaim.people.access import member_page

PASS_MINUTES = 30


def join(request: HttpRequest) -> HttpResponse:
    """Type the code that the screen shows."""
    form = CodeForm(request.GET if "code" in request.GET else None)
    if form.is_bound and form.is_valid():
        code = session_of_code(form.cleaned_data["code"])
        if code is not None:
            return redirect(f"/s/{code}")
        form.add_error(
            "code",
            _("No session has this code. Look at the screen again: there is no O, I, 0 or 1 in a code."),
        )
    return render(request, "sessions/join.html", {"form": form}, status=404 if form.errors else 200)


@member_page
def enter(request: HttpRequest, session_id: str) -> HttpResponse:
    """Take a member to the participant's page; in an identified session, with a pass that says who they are."""
    by = actor(request)
    session = find(session_id=session_id, by=by)
    target = f"/s/{session.code}"
    if session.privacy == Privacy.IDENTIFIED:
        expires = milliseconds(now()) // 1000 + PASS_MINUTES * 60
        with suppress(KeyDestroyedError):  # the session is over: its page says so, without a pass too
            key = shared_store(settings.LIVE_STORE).key(session.id)
            target += f"?pass={tickets.sign_pass(key, session.id, by.member_id or '', by.name, expires)}"
    return redirect(target)
