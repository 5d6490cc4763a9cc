"""Units: the tree, one unit, the import with its preview."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from essaim.base import tabular
from essaim.base.actor import Role
from essaim.base.errors import Forbidden, Refused
from essaim.people import actions, queries
from essaim.people.access import member_page
from essaim.people.forms import ImportForm, UnitForm, refuse
from essaim.people.previews import preview_units
from essaim.people.views.shared import actor
from essaim.ui.export import respond
from essaim.ui.tables import FORMATS, Column
from essaim.ui.toasts import toast


def _editor(request: HttpRequest) -> None:
    if not actor(request).may(Role.FACILITATOR):
        raise Forbidden("role", _("Units are changed by owners and facilitators. Ask one of them."))


@member_page
@require_GET
def units(request: HttpRequest) -> HttpResponse:
    by = actor(request)
    tree = queries.units(by=by)
    headcount = sum(node.people or 0 for node in tree)
    context = {"units": tree, "headcount": headcount, "editor": by.may(Role.FACILITATOR)}
    return render(request, "people/units.html", context)


@member_page
@require_GET
def units_export(request: HttpRequest, kind: str) -> HttpResponseBase:
    """The same columns as the import reads: what comes out can go back in."""
    if kind not in FORMATS:
        raise Http404
    nodes = queries.unit_list(by=actor(request))
    names = {node.id: node.name for node in nodes}
    columns = (
        Column("name", _("Name"), "name"),
        Column("parent", _("Part of"), lambda node: names.get(node.parent_id, "")),
        Column("headcount", _("Headcount"), "headcount", kind="number"),
    )
    return respond(kind, columns, nodes, _("units"))


@member_page
@require_http_methods(["GET", "POST"])
def add_unit(request: HttpRequest) -> HttpResponse:
    _editor(request)
    by = actor(request)
    form = UnitForm(request.POST or None, initial={"parent_id": request.GET.get("parent", "")}, by=by)
    if request.method == "POST" and form.is_valid():
        try:
            unit = actions.add_unit(**form.cleaned_data, by=by, now=timezone.now())
        except Refused as refusal:
            refuse(form, refusal)
        else:
            toast(request, _("“%(name)s” is added.") % {"name": unit.name})
            return redirect("people:units")
    return render(request, "people/unit_form.html", {"form": form}, status=422 if form.errors else 200)


@member_page
@require_http_methods(["GET", "POST"])
def unit(request: HttpRequest, unit_id: str) -> HttpResponse:
    by = actor(request)
    node = queries.unit(unit_id=unit_id, by=by)
    context = {"unit": node, "members": queries.members(by=by, unit_id=unit_id)}
    if not by.may(Role.FACILITATOR):
        return render(request, "people/unit.html", context)
    start = {"name": node.name, "parent_id": node.parent_id, "headcount": node.headcount}
    form = UnitForm(request.POST or None, initial=start, by=by, unit_id=unit_id)
    if request.method == "POST" and form.is_valid():
        try:
            actions.change_unit(unit_id=unit_id, **form.cleaned_data, by=by, now=timezone.now())
        except Refused as refusal:
            refuse(form, refusal)
        else:
            toast(request, _("“%(name)s” is saved.") % {"name": form.cleaned_data["name"]})
            return redirect("people:units")
    return render(request, "people/unit.html", context | {"form": form}, status=422 if form.errors else 200)


@member_page
@require_POST
def remove_unit(request: HttpRequest, unit_id: str) -> HttpResponse:
    gone = actions.remove_unit(unit_id=unit_id, by=actor(request), now=timezone.now())
    undo = reverse("people:restore_unit", args=[unit_id])
    toast(request, _("“%(name)s” is removed.") % {"name": gone.name}, undo=undo)
    return redirect("people:units")


@member_page
@require_POST
def restore_unit(request: HttpRequest, unit_id: str) -> HttpResponse:
    unit = actions.restore_unit(unit_id=unit_id, by=actor(request), now=timezone.now())
    toast(request, _("“%(name)s” is back.") % {"name": unit.name})
    return redirect("people:units")


@member_page
@require_http_methods(["GET", "POST"])
def import_units(request: HttpRequest) -> HttpResponse:
    """First post: the preview. Second post (button `import`): the import, of the text that was previewed."""
    _editor(request)
    by = actor(request)
    if request.method == "GET":
        return render(request, "people/units_import.html", {"form": ImportForm()})
    form = ImportForm(request.POST, request.FILES)
    form.is_valid()
    preview = None
    try:
        uploaded = form.cleaned_data.get("file")
        text = tabular.decode(uploaded.read()) if uploaded else form.cleaned_data.get("text", "")
        form = ImportForm({"text": text})
        form.is_valid()
        if "import" in request.POST:
            done = actions.import_units(text=text, by=by, now=timezone.now())
            added = ngettext("%(n)d unit added", "%(n)d units added", done.new) % {"n": done.new}
            changed = ngettext("%(n)d changed", "%(n)d changed", done.changed) % {"n": done.changed}
            toast(request, f"{added}, {changed}.")
            return redirect("people:units")
        preview = preview_units(text=text, by=by)
        if not preview.lines:
            raise Refused("empty", _("Paste at least one line: the name of a unit."), field="text")
    except Refused as refusal:
        refuse(form, refusal)
    context = {"form": form, "preview": preview}
    return render(request, "people/units_import.html", context, status=422 if form.errors else 200)
