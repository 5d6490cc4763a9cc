"""The invitation codes of a session, to make, to print and to download. For facilitators: a code is a voice."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from essaim.base.actor import Role
from essaim.base.errors import Refused
from essaim.listen.sessions import actions
from essaim.listen.sessions.forms import CodesForm
from essaim.listen.sessions.models import Session
from essaim.listen.sessions.queries import codes, links
from essaim.listen.sessions.queries.sessions import find
from essaim.listen.sessions.queries.specification import plan_of
from essaim.listen.sessions.views.parsing import actor, now, show_refusal
from essaim.people.access import member_page
from essaim.ui.export import respond
from essaim.ui.tables import Column
from essaim.ui.toasts import toast

CARDS = 120  # on one page of the list: five sheets of paper


def _session(request: HttpRequest, session_id: str) -> Session:
    """The session, for those who may know its codes; for all others there is nothing here."""
    by = actor(request)
    session = find(session_id=session_id, by=by)
    if not by.may(Role.FACILITATOR) or not session.by_invitation:
        raise Http404
    return session


@member_page
def codes_page(request: HttpRequest, session_id: str) -> HttpResponse:
    """How many there are and were used; cards to print; more of them."""
    session = _session(request, session_id)
    form = CodesForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        count = form.cleaned_data["count"]
        try:
            actions.make_codes(session_id=session.id, count=count, by=actor(request), now=now())
        except Refused as refusal:
            show_refusal(form, refusal)
        else:
            toast(request, ngettext("%d code made.", "%d codes made.", count) % count)
            return redirect("sessions:codes", session.id)
    page = Paginator(range(session.codes), CARDS).get_page(request.GET.get("page"))
    first = (page.number - 1) * CARDS
    shown = codes.cards(session, links.join_url(session, request), first, first + CARDS)
    return render(
        request,
        "sessions/codes.html",
        {
            "session": session,
            "form": form,
            "used": codes.used(session),
            "page": page,
            "cards": [(card, links.qr(card.address)) for card in shown],
            "site": links.base_url(request).partition("://")[2],
            "ended": plan_of(session).ended_at is not None,
        },
        status=422 if form.errors else 200,
    )


@member_page
def export(request: HttpRequest, session_id: str, form: str) -> HttpResponseBase:
    """All codes with their addresses, for a mailing or a printer."""
    session = _session(request, session_id)
    if form not in ("csv", "xlsx"):
        raise Http404
    columns = [
        Column("number", _("Number"), "number", kind="number"),
        Column("code", _("Code"), "code"),
        Column("address", _("Link"), "address", wide=True),
    ]
    rows = codes.cards(session, links.join_url(session, request))
    return respond(form, columns, rows, f"{session.title} – {_('invitation codes')}")
