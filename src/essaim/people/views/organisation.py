"""The organisation: its settings, its history, leaving it, switching to another one, creating one."""

from __future__ import annotations

from typing import Any, cast

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from essaim.base.actor import Role
from essaim.base.errors import NotFound, Refused
from essaim.people import actions, queries
from essaim.people.access import CHOSEN, member_page
from essaim.people.accounts import full_name
from essaim.people.forms import FoundForm, HistoryFilter, OrganisationForm, ProfileForm, refuse
from essaim.people.views.shared import actor, back
from essaim.people.words import details_label, verb_label
from essaim.ui.export import respond
from essaim.ui.tables import FORMATS, Column
from essaim.ui.toasts import toast

EXPORTED_ROWS = 1_000_000


@member_page
@require_http_methods(["GET", "POST"])
def organisation(request: HttpRequest) -> HttpResponse:
    by = actor(request)
    card = queries.organisation(by=by)
    context: dict[str, Any] = {"card": card, "owner": by.role is Role.OWNER}
    if by.role is Role.OWNER or request.method == "POST":
        form = OrganisationForm(request.POST or None, initial={"name": card.name, "language": card.language})
        if request.method == "POST" and form.is_valid():
            try:
                actions.rename_organisation(**form.cleaned_data, by=by, now=timezone.now())
            except Refused as refusal:
                if refusal.field is None:
                    raise
                refuse(form, refusal)
            else:
                toast(request, _("The settings are saved."))
                return redirect("people:organisation")
        context["form"] = form
        return render(request, "people/organisation.html", context, status=422 if form.errors else 200)
    return render(request, "people/organisation.html", context)


@member_page
@require_GET
def history(request: HttpRequest) -> HttpResponse:
    criteria = HistoryFilter(request.GET).criteria()
    found = queries.history(by=actor(request), **criteria)
    context = {
        "history": found,
        "criteria": criteria,
        "filtered": set(criteria) - {"page"},
        "rows": [(row, verb_label(row.verb), details_label(row.details)) for row in found.rows],
        "verbs": sorted(((verb, verb_label(verb)) for verb in found.verbs), key=lambda pair: pair[1]),
    }
    return render(request, "people/history.html", context)


@member_page
@require_GET
def history_export(request: HttpRequest, kind: str) -> HttpResponseBase:
    if kind not in FORMATS:
        raise Http404
    criteria = HistoryFilter(request.GET).criteria() | {"page": 1, "size": EXPORTED_ROWS}
    found = queries.history(by=actor(request), **criteria)
    columns = (
        Column("at", _("When"), "at", kind="datetime"),
        Column("who", _("Who"), "member_name"),
        Column("what", _("What"), lambda row: verb_label(row.verb)),
        Column("action", _("Action"), "verb"),
        Column("object", _("Object"), "subject"),
        Column("details", _("Details"), lambda row: details_label(row.details)),
    )
    return respond(kind, columns, found.rows, _("history"))


@member_page
@require_POST
def leave(request: HttpRequest) -> HttpResponse:
    name = queries.organisation(by=actor(request)).name
    actions.leave(by=actor(request), now=timezone.now())
    request.session.pop(CHOSEN, None)
    toast(request, _("You have left %(name)s.") % {"name": name})
    return redirect("home")


@member_page
@require_http_methods(["GET", "POST"])
def switch(request: HttpRequest) -> HttpResponse:
    """GET lists one's organisations; POST works in another one from now on."""
    own = cast(Any, request).organisations
    if request.method == "GET":
        context = {"current": actor(request).organisation_id, "may_found": actions.may_found(request.user)}
        return render(request, "people/switch.html", context)
    chosen = request.POST.get("organisation", "")
    if chosen not in {organisation.id for organisation in own}:
        raise NotFound("organisation", _("You are not a member of this organisation."))
    request.session[CHOSEN] = chosen
    return back(request, "home")


@login_required
@require_GET
def no_organisation(request: HttpRequest) -> HttpResponse:
    if cast(Any, request).actor is not None:
        return redirect("home")
    return render(request, "people/no_organisation.html", {"may_found": actions.may_found(request.user)})


@login_required
@require_http_methods(["GET", "POST"])
def found(request: HttpRequest) -> HttpResponse:
    if not actions.may_found(request.user):
        return redirect("people:no_organisation")
    start = {"language": (get_language() or "fr")[:2], "member_name": full_name(request.user)}
    form = FoundForm(request.POST or None, initial=start)
    if request.method == "POST" and form.is_valid():
        try:
            made = actions.found_organisation(user=request.user, **form.cleaned_data, now=timezone.now())
        except Refused as refusal:
            refuse(form, refusal)
        else:
            request.session[CHOSEN] = made.id
            toast(request, _("%(name)s is ready. Invite the first members.") % {"name": made.name})
            return redirect("people:members")
    return render(request, "people/found.html", {"form": form}, status=422 if form.errors else 200)


@member_page
@require_http_methods(["GET", "POST"])
def profile(request: HttpRequest) -> HttpResponse:
    by = actor(request)
    me = queries.member(member_id=by.member_id or "", by=by)
    form = ProfileForm(request.POST or None, initial={"name": me.name, "unit_id": me.unit_id}, by=by)
    if request.method == "POST" and form.is_valid():
        try:
            actions.update_profile(**form.cleaned_data, by=by, now=timezone.now())
        except Refused as refusal:
            refuse(form, refusal)
        else:
            toast(request, _("Your profile is saved."))
            return redirect("people:profile")
    context = {"form": form, "me": me, "has_password": cast(Any, request.user).has_usable_password()}
    return render(request, "people/profile.html", context, status=422 if form.errors else 200)
