"""The style guide: every component and chart in every state, on one page, and a sample big screen."""

import numpy as np
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from essaim.ui import samples
from essaim.ui.export import download
from essaim.ui.icons import ICONS
from essaim.ui.tables import build
from essaim.ui.toasts import toast


def style_guide(request: HttpRequest) -> HttpResponseBase:
    """Show every component; ?toast=1 queues toasts, a posted form shows its errors."""
    table = build(
        request,
        _("Statements"),
        samples.COLUMNS,
        samples.rows(),
        sort="-agree",
        filters=samples.FILTERS,
        search=lambda row: row.text,
        per_page=6,
    )
    if file := download(request, table, _("Statements")):
        return file
    if "toast" in request.GET:
        toast(request, _("Contribution hidden"), undo=reverse("ui:style_guide"))
        toast(request, _("Saved"))
        toast(request, _("The file could not be read."), level=messages.ERROR)
    form = samples.SampleForm(request.POST) if request.method == "POST" else samples.SampleForm()
    empty = build(request, _("Empty list"), samples.COLUMNS, [], formats=("csv",))
    context = {**samples.components(), "table": table, "no_rows": empty, "form": form, "icons": sorted(ICONS)}
    return render(request, "ui/style_guide.html", context)


def sample_screen(request: HttpRequest) -> HttpResponse:
    """The big screen with a map of 100,000 invented people."""
    return render(request, "ui/sample_screen.html", samples.components())


def sample_map(request: HttpRequest) -> HttpResponse:
    """The binary map of the sample screen: 5 bytes a person, as the live path sends it."""
    x, y, group = samples.people(100_000)
    scale = 32767 / max(float(np.abs(x).max()), float(np.abs(y).max()))
    points = np.empty(len(x), dtype=[("x", "<i2"), ("y", "<i2"), ("group", "u1")])
    points["x"], points["y"], points["group"] = np.rint(x * scale), np.rint(y * scale), group
    return HttpResponse(points.tobytes(), content_type="application/octet-stream")
