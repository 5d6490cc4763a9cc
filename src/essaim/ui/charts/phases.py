"""Phases on a shared time axis, with what is done, what runs and what is to come."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from essaim.ui.charts.canvas import (
    NARROW,
    WIDE,
    Chart,
    Twin,
    drawing,
    el,
    finish,
    label,
    num,
    paragraph,
    text_width,
    words,
    wrap,
)
from essaim.ui.charts.line import short_date


@dataclass(frozen=True, slots=True)
class Phase:
    """A span of time. `ends` None: open end (drawn to the right edge, with an arrow)."""

    label: str
    starts: datetime
    ends: datetime | None
    state: Literal["done", "current", "todo"]


def phases(title: str, items: Sequence[Phase], *, now: datetime, summary: str = "") -> Chart:
    """One bar a phase; the state is written, not only coloured."""
    names = {"done": _("done"), "current": _("current"), "todo": _("to come")}
    rows = tuple(
        (
            p.label,
            names[p.state],
            _when(p.starts),
            _when(p.ends) if p.ends else pgettext("end of a phase", "open"),
        )
        for p in items
    )
    twin = Twin((_("Phase"), _("State"), _("Starts"), _("Ends")), rows)
    wide, narrow = (_draw(title, summary, items, now, names, width) for width in (WIDE, NARROW))
    return finish(title, summary, twin, wide, narrow)


def _local(moment: datetime) -> datetime:
    return timezone.localtime(moment) if timezone.is_aware(moment) else moment


def _when(moment: datetime) -> str:
    return date_format(_local(moment), "SHORT_DATETIME_FORMAT")


def _draw(
    title: str, summary: str, items: Sequence[Phase], now: datetime, names: dict[str, str], width: int
) -> SafeString:
    if not items:
        return drawing(width, 80, title, summary, [label(width / 2, 44.0, _("No data yet"), "t-muted t-mid")])
    first = min(p.starts for p in items)
    last = max([p.ends or p.starts for p in items] + [now])
    last = last if last > first else first + timedelta(hours=1)
    if any(p.ends is None and last - p.starts < (last - first) * 0.15 for p in items):
        last += (last - first) * 0.15  # room to see that it goes on
    beside = width == WIDE
    left, right = (186.0 if beside else 2.0), width - 4.0
    short = last - first < timedelta(hours=36)

    def at(moment: datetime) -> float:
        share = (moment - first) / (last - first)
        return left + (right - left) * min(1.0, max(0.0, share))

    body: list[str] = []
    y = 22.0
    for p in items:
        lines = wrap(p.label, 174.0 if beside else width - 4.0, 2)
        top = y if beside else y + 16 * len(lines) + 2
        body.append(paragraph(0.0, y + (17 if beside and len(lines) == 1 else 13), lines, tip=p.label))
        start, end = at(p.starts), at(p.ends) if p.ends else right
        wide = max(6.0, end - start)
        tip = f"{p.label}: {names[p.state]}, {_when(p.starts)} – {_when(p.ends) if p.ends else _('open')}"
        shape = {"x": start, "y": top, "width": wide, "height": 26.0, "rx": 4.0}
        body.append(el("g", el("title", words(tip)), el("rect", **shape, class_=f"phase phase-{p.state}")))
        text = (
            {"done": "✓ ", "current": "▶ ", "todo": ""}[p.state] + names[p.state] + ("" if p.ends else " →")
        )
        need = text_width(text) + 8
        if need <= wide:
            body.append(label(start + 8, top + 17.5, text, "t-strong" if p.state == "current" else ""))
        elif end + need <= right:
            body.append(label(end + 6, top + 17.5, text, "t-muted"))
        else:
            body.append(label(start - 6, top + 17.5, text, "t-muted t-end"))
        y = max(top + 26, y + 16.0 * len(lines)) + 10
    ends = [date_format(_local(edge), "H:i") if short else short_date(_local(edge)) for edge in (first, last)]
    if first <= now <= last:
        here = at(now)
        half = text_width(_("now")) / 2
        body.append(el("path", d=f"M{num(here)} 17V{num(y)}", class_="now"))
        body.append(label(min(max(here, half), width - half), 12.0, _("now"), "t-mid t-bad t-strong"))
    body.append(el("path", d=f"M{num(left)} {num(y)}H{num(right)}", class_="axis"))
    body.append(label(left, y + 18, ends[0], "t-muted t-num"))
    body.append(label(right, y + 18, ends[1], "t-muted t-num t-end"))
    return drawing(width, y + 26, title, summary, body)
