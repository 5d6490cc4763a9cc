"""Preparing a session: the list, a new one, its settings, frame and statements."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from essaim.base import audit
from essaim.base.actor import Role
from essaim.base.errors import Refused
from essaim.base.evidence import address
from essaim.listen.sessions import actions, frames, presets
from essaim.listen.sessions.forms import FrameForm, NewSessionForm, SettingsForm, StatementsForm
from essaim.listen.sessions.queries import links
from essaim.listen.sessions.queries.sessions import find, frame_lines, line_of, seeds, sessions
from essaim.listen.sessions.queries.specification import plan_of
from essaim.listen.sessions.views.parsing import actor, language, now, show_refusal, tell
from essaim.people.access import member_page
from essaim.ui.toasts import toast

STATES = ("waiting", "draft", "compare", "closed", "frozen", "archived")


@member_page
def session_list(request: HttpRequest) -> HttpResponse:
    search, state = request.GET.get("q", "")[:80], request.GET.get("state", "")
    by = actor(request)
    found = sessions(by=by, now=now(), search=search, state=state if state in STATES else "")
    return render(
        request,
        "sessions/list.html",
        {"sessions": found, "search": search, "state": state, "may_create": by.may(Role.FACILITATOR)},
    )


@member_page
def create(request: HttpRequest) -> HttpResponse:
    form = NewSessionForm(
        request.POST or None,
        initial={"language": language(), "template": request.GET.get("template", "diagnosis")},
    )
    if request.method == "POST" and form.is_valid():
        try:
            session = actions.create_session(**form.cleaned_data, by=actor(request), now=now())
        except Refused as refusal:
            show_refusal(form, refusal)
        else:
            return redirect("sessions:overview", session.id)
    offered = [
        {
            "name": p.name,
            "label": p.label[language()],
            "purpose": p.purpose[language()],
            "minutes": sum(p.minutes),
        }
        for p in (*presets.PRESETS.values(), presets.SCRATCH)
    ]
    return render(
        request,
        "sessions/create.html",
        {"form": form, "offered": offered},
        status=422 if form.errors else 200,
    )


@member_page
def overview(request: HttpRequest, session_id: str) -> HttpResponse:
    """What is ready and what is missing; the link and the code to give."""
    by = actor(request)
    session = find(session_id=session_id, by=by)
    frame = frame_lines(session)
    return render(
        request,
        "sessions/overview.html",
        {
            "session": session,
            "line": line_of(session, now=now()),
            "plan": plan_of(session),
            "frame": frame,
            "rated": sum(line.rated for line in frame) if session.scales else 0,
            "seeds": seeds(session),
            "join_url": links.join_url(session, request),
            "qr": links.qr(links.join_url(session, request)),
            "history": audit.history(subject=address("session", session.id), by=by, limit=12),
            "may_edit": by.may(Role.FACILITATOR),
        },
    )


@member_page
def settings_page(request: HttpRequest, session_id: str) -> HttpResponse:
    by = actor(request)
    session = find(session_id=session_id, by=by)
    plan = plan_of(session)
    started = line_of(session, now=now()).state != "waiting"
    known = {
        "title": session.title,
        "question": session.question,
        "language": session.language,
        "privacy": session.privacy,
        "moderation": session.moderation,
        "compare_ideas": session.compare_ideas,
        "ask_unit": session.ask_unit,
        "by_invitation": session.by_invitation,
        "kinds": [kind["id"] for kind in session.kinds],
        "scales": [scale["id"] for scale in session.scales],
        **{f"{window.name}_minutes": window.minutes for window in plan.phases},
    }
    form = SettingsForm(request.POST or None, initial=known)
    for name in () if not started else set(form.fields) - actions_always():
        form.fields[name].disabled = True
    for name in {"draft_minutes", "compare_minutes"} - set(
        known
    ):  # an imported conversation has one phase only
        del form.fields[name]
    if request.method == "POST" and form.is_valid():
        minutes = tuple(form.cleaned_data[f"{window.name}_minutes"] for window in plan.phases)
        try:
            actions.edit_session(
                session_id=session.id,
                changes=form.changes(),
                minutes=None if started else minutes,
                by=by,
                now=now(),
            )
        except Refused as refusal:
            show_refusal(form, refusal)
        else:
            toast(request, _("Settings saved."))
            return redirect("sessions:overview", session.id)
    return render(
        request,
        "sessions/settings.html",
        {"session": session, "form": form, "started": started},
        status=422 if form.errors else 200,
    )


def actions_always() -> set[str]:
    """What can still be changed once people are in."""
    from essaim.listen.sessions.actions.prepare import ALWAYS

    return ALWAYS


@member_page
def frame(request: HttpRequest, session_id: str) -> HttpResponse:
    """The frame: first a preview of what was understood, then the change."""
    by = actor(request)
    session = find(session_id=session_id, by=by)
    started = line_of(session, now=now()).state != "waiting"
    form = FrameForm(
        request.POST or None,
        request.FILES or None,
        initial={"outline": frames.as_outline(frame_lines(session))},
    )
    preview: tuple[frames.FrameLine, ...] | None = None
    if request.method == "POST" and form.is_valid():
        try:
            uploaded = form.cleaned_data["file"]
            lines = (
                frames.parse_table(uploaded.read())
                if uploaded is not None
                else frames.parse_outline(form.cleaned_data["outline"])
            )
            if "save" in request.POST and uploaded is None:
                actions.set_frame(session_id=session.id, lines=lines, by=by, now=now())
                toast(request, _("Frame saved."))
                return redirect("sessions:overview", session.id)
            preview = lines
            form = FrameForm(initial={"outline": frames.as_outline(lines)})
        except Refused as refusal:
            show_refusal(form, refusal)
    return render(
        request,
        "sessions/frame.html",
        {"session": session, "form": form, "preview": preview, "started": started, "most": frames.MAX_ITEMS},
        status=422 if form.errors else 200,
    )


@member_page
def statements(request: HttpRequest, session_id: str) -> HttpResponse:
    by = actor(request)
    session = find(session_id=session_id, by=by)
    form = StatementsForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            added = actions.add_statements(
                session_id=session.id, texts=form.cleaned_data["texts"].splitlines(), by=by, now=now()
            )
        except Refused as refusal:
            show_refusal(form, refusal)
        else:
            toast(request, ngettext("%d statement added.", "%d statements added.", added) % added)
            return redirect("sessions:statements", session.id)
    return render(
        request,
        "sessions/statements.html",
        {"session": session, "form": form, "seeds": seeds(session), "may_edit": by.may(Role.FACILITATOR)},
        status=422 if form.errors else 200,
    )


@member_page
@require_POST
def statement(request: HttpRequest, session_id: str, number: int) -> HttpResponse:
    """Put a prepared statement to the vote or take it back (each undoes the other)."""
    shown = request.POST.get("shown", request.GET.get("shown")) == "yes"
    actions.show_statement(session_id=session_id, number=number, shown=shown, by=actor(request), now=now())
    undo = reverse("sessions:statement", args=[session_id, number]) + ("?shown=no" if shown else "?shown=yes")
    toast(request, _("Statement put to the vote.") if shown else _("Statement taken back."), undo=undo)
    return redirect("sessions:statements", session_id)


@member_page
@require_POST
def duplicate(request: HttpRequest, session_id: str) -> HttpResponse:
    copy = actions.duplicate_session(session_id=session_id, title="", by=actor(request), now=now())
    toast(request, _("Session duplicated: this is the copy."))
    return redirect("sessions:overview", copy.id)


@member_page
@require_POST
def archive(request: HttpRequest, session_id: str) -> HttpResponse:
    try:
        actions.archive_session(session_id=session_id, by=actor(request), now=now())
    except Refused as refusal:
        tell(request, refusal)
        return redirect("sessions:overview", session_id)
    toast(request, _("Session put away."), undo=reverse("sessions:restore", args=[session_id]))
    return redirect("sessions:list")


@member_page
@require_POST
def restore(request: HttpRequest, session_id: str) -> HttpResponse:
    session = actions.restore_session(session_id=session_id, by=actor(request), now=now())
    toast(request, _("Session brought back."))
    return redirect("sessions:overview", session.id)
