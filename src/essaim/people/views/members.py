"""Members: the list, one member, inviting."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from essaim.base.actor import Role
from essaim.base.errors import Forbidden, Refused
from essaim.people import actions, queries
from essaim.people.access import member_page
from essaim.people.forms import InviteForm, MemberFilter, MemberUnitForm, RoleForm, refuse
from essaim.people.models import ROLE_CHOICES, ROLE_LABELS
from essaim.people.views.shared import actor, back
from essaim.people.words import ROLE_MEANINGS, details_label, verb_label
from essaim.ui.components import Entry
from essaim.ui.export import respond
from essaim.ui.tables import FORMATS, Column
from essaim.ui.toasts import toast


@member_page
@require_GET
def members(request: HttpRequest) -> HttpResponse:
    by = actor(request)
    filters = MemberFilter(request.GET)
    criteria = filters.criteria()
    context = {
        "members": queries.members(by=by, **criteria),
        "criteria": criteria,
        "filtered": any(criteria.values()),
        "owner": by.role is Role.OWNER,
        "roles": ROLE_CHOICES,
        "meanings": [(ROLE_LABELS[role], meaning) for role, meaning in ROLE_MEANINGS.items()],
        "units": queries.unit_choices(by=by),
    }
    if by.role is Role.OWNER:
        context["invitations"] = queries.invitations(by=by, now=timezone.now())
    return render(request, "people/members.html", context)


@member_page
@require_GET
def members_export(request: HttpRequest, kind: str) -> HttpResponseBase:
    by = actor(request)
    if kind not in FORMATS:
        raise Http404
    if by.role is not Role.OWNER:
        raise Forbidden("role", _("Only an owner of your organisation can export its members."))
    rows = queries.members(by=by, **MemberFilter(request.GET).criteria())
    columns = (
        Column("name", _("Name"), "name"),
        Column("email", _("E-mail"), "email"),
        Column("role", _("Role"), "role_label"),
        Column("unit", _("Unit"), "unit"),
        Column("joined_at", _("Member since"), "joined_at", kind="datetime"),
        Column("left_at", _("Left on"), "left_at", kind="datetime"),
    )
    return respond(kind, columns, rows, _("members"))


@member_page
@require_GET
def member(request: HttpRequest, member_id: str) -> HttpResponse:
    by = actor(request)
    row = queries.member(member_id=member_id, by=by)
    context: dict[str, Any] = {"row": row, "meaning": ROLE_MEANINGS[row.role], "owner": by.role is Role.OWNER}
    if by.role is Role.OWNER:
        done = queries.history(by=by, subject=f"member:{member_id}")
        context |= {
            "role_form": RoleForm(initial={"role": row.role.value}),
            "unit_form": MemberUnitForm(initial={"unit_id": row.unit_id}, by=by),
            "history": [
                Entry(
                    verb_label(entry.verb),
                    when=entry.at,
                    text=details_label(entry.details),
                    meta=entry.member_name,
                    icon="user",
                )
                for entry in done.rows
            ],
        }
    return render(request, "people/member.html", context)


@member_page
@require_http_methods(["GET", "POST"])
def invite(request: HttpRequest) -> HttpResponse:
    """The links are shown once, right after the invitation: the database only keeps their hash."""
    by = actor(request)
    if by.role is not Role.OWNER:
        raise Forbidden("role", _("Only an owner of your organisation can invite people."))
    form = InviteForm(request.POST or None, by=by)
    if request.method == "POST" and form.is_valid():
        site = settings.PUBLIC_URL or request.build_absolute_uri("/")
        try:
            invited = actions.invite_members(**form.cleaned_data, site=site, by=by, now=timezone.now())
        except Refused as refusal:
            refuse(form, refusal)
        else:
            return render(request, "people/invited.html", {"invited": invited})
    return render(request, "people/invite.html", {"form": form}, status=422 if form.errors else 200)


@member_page
@require_POST
def change_role(request: HttpRequest, member_id: str) -> HttpResponse:
    changed = actions.change_role(
        member_id=member_id, role=request.POST.get("role", ""), by=actor(request), now=timezone.now()
    )
    text = _("%(name)s is now: %(role)s.") % {"name": changed.name, "role": ROLE_LABELS[Role(changed.role)]}
    toast(request, text)
    return back(request, "people:members")


@member_page
@require_POST
def set_unit(request: HttpRequest, member_id: str) -> HttpResponse:
    changed = actions.set_unit(
        member_id=member_id, unit_id=request.POST.get("unit_id", ""), by=actor(request), now=timezone.now()
    )
    toast(request, _("The unit of %(name)s is saved.") % {"name": changed.name})
    return back(request, "people:member", member_id)


@member_page
@require_POST
def remove_member(request: HttpRequest, member_id: str) -> HttpResponse:
    gone = actions.remove_member(member_id=member_id, by=actor(request), now=timezone.now())
    undo = reverse("people:restore_member", args=[member_id])
    toast(request, _("%(name)s is no longer a member.") % {"name": gone.name}, undo=undo)
    return redirect("people:members")


@member_page
@require_POST
def restore_member(request: HttpRequest, member_id: str) -> HttpResponse:
    member = actions.restore_member(member_id=member_id, by=actor(request), now=timezone.now())
    toast(request, _("%(name)s is a member again.") % {"name": member.name})
    return redirect("people:members")


@member_page
@require_POST
def revoke_invitation(request: HttpRequest, invitation_id: str) -> HttpResponse:
    gone = actions.revoke_invitation(invitation_id=invitation_id, by=actor(request), now=timezone.now())
    undo = reverse("people:restore_invitation", args=[invitation_id])
    toast(request, _("The invitation of %(email)s is cancelled.") % {"email": gone.email}, undo=undo)
    return redirect("people:members")


@member_page
@require_POST
def restore_invitation(request: HttpRequest, invitation_id: str) -> HttpResponse:
    actions.restore_invitation(invitation_id=invitation_id, by=actor(request), now=timezone.now())
    toast(request, _("The invitation is valid again."))
    return redirect("people:members")
