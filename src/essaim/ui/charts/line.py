"""Lines over time (with a band for their interval) and sparklines."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.safestring import SafeString
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from essaim.ui import numbers
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
    shorten,
    text_width,
    ticks,
    words,
)

Format = Callable[[float | None], str]
Axis = float | int | date | datetime


@dataclass(frozen=True, slots=True)
class Point:
    """One value. `y` None leaves a hole in the line; `low` and `high` draw the band; `n` is for the table."""

    x: Axis
    y: float | None
    low: float | None = None
    high: float | None = None
    n: int | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """One line; at most four in a chart, told apart by colour and dashes."""

    label: str
    points: tuple[Point, ...]


def position(x: Axis) -> float:
    """A date, a moment or a number as a number (dates in days)."""
    if isinstance(x, datetime):
        return x.timestamp() / 86400
    return float(x.toordinal()) if isinstance(x, date) else float(x)


def short_date(day: date) -> str:
    """Day and month, short ("5 jan" in French, "5 Jan" in English)."""
    return date_format(day, "j b" if (get_language() or "").startswith("fr") else "j M")


def shown_x(x: Axis, *, long: bool = False) -> str:
    """The text of an abscissa in the active language."""
    if isinstance(x, datetime):
        moment = timezone.localtime(x) if timezone.is_aware(x) else x
        return date_format(moment, "SHORT_DATETIME_FORMAT" if long else "H:i")
    if isinstance(x, date):
        return date_format(x, "DATE_FORMAT") if long else short_date(x)
    return numbers.number(x)


def line(
    title: str,
    series: Sequence[Series],
    *,
    summary: str = "",
    x_label: str = "",
    fmt: Format = numbers.number,
    reference: tuple[str, float] | None = None,
    from_zero: bool = False,
) -> Chart:
    """Lines with their bands. `reference` draws a named horizontal line (a target, a guardrail).

    Raises:
        ValueError: more than four series (nobody reads five lines).
    """
    if len(series) > 4:
        raise ValueError("a line chart shows at most four series")
    shown = [_draw(title, summary, series, width, fmt, reference, from_zero) for width in (WIDE, NARROW)]
    return finish(title, summary, _twin(series, x_label or _("Date"), fmt), shown[0], shown[1])


def _values(series: Sequence[Series], reference: tuple[str, float] | None) -> list[float]:
    found = [
        v
        for one in series
        for p in one.points
        for v in (p.y, p.low, p.high)
        if v is not None and math.isfinite(v)
    ]
    return [*found, reference[1]] if reference else found


def _draw(
    title: str,
    summary: str,
    series: Sequence[Series],
    width: int,
    fmt: Format,
    reference: tuple[str, float] | None,
    from_zero: bool,
) -> SafeString:
    values = _values(series, reference)
    abscissas = sorted({position(p.x): p.x for one in series for p in one.points}.items())
    if not values or not abscissas:
        return drawing(width, 80, title, summary, [label(width / 2, 44.0, _("No data yet"), "t-muted t-mid")])
    marks = ticks(min(0.0, *values) if from_zero else min(values), max(values), 5)
    texts = [fmt(mark) for mark in marks]
    top = 12.0 + (22.0 * _legend_rows(series, width) if len(series) > 1 else 0.0)
    left, right, bottom = (
        max(text_width(t) for t in texts) + 10,
        width - 14.0,
        top + (220.0 if width == WIDE else 190.0),
    )
    first, last = abscissas[0][0], abscissas[-1][0]

    def at(x: float) -> float:
        return left + (right - left) * ((x - first) / (last - first) if last > first else 0.5)

    def up(y: float) -> float:
        return bottom - (bottom - top) * (y - marks[0]) / (marks[-1] - marks[0])

    body: list[str] = []
    for mark, text in zip(marks, texts, strict=True):
        body.append(el("path", d=f"M{num(left)} {num(up(mark))}H{num(right)}", class_="grid-line"))
        body.append(label(left - 7, up(mark) + 4.5, text, "t-muted t-end t-num"))
    body.extend(_dates(abscissas, at, bottom, width))
    if reference:
        body.append(el("path", d=f"M{num(left)} {num(up(reference[1]))}H{num(right)}", class_="reference"))
    for index, one in enumerate(series):
        body.extend(_one(one, index, at, up, fmt))
    if reference:
        body.append(
            label(left + 6, up(reference[1]) - 6, shorten(reference[0], right - left), "t-small t-halo")
        )
    if len(series) > 1:
        body.extend(_legend(series, width))
    return drawing(width, bottom + 30, title, summary, body)


def _one(
    one: Series, index: int, at: Callable[[float], float], up: Callable[[float], float], fmt: Format
) -> list[str]:
    body: list[str] = []
    run: list[str] = []
    runs: list[list[str]] = []
    for p in one.points:
        if p.y is None or not math.isfinite(p.y):
            runs, run = [*runs, run], []
            continue
        run.append(f"{num(at(position(p.x)))} {num(up(p.y))}")
    runs.append(run)
    band = [p for p in one.points if p.low is not None and p.high is not None]
    if len(band) > 1:
        high = [f"{num(at(position(p.x)))} {num(up(p.high or 0.0))}" for p in band]
        low = [f"{num(at(position(p.x)))} {num(up(p.low or 0.0))}" for p in reversed(band)]
        body.append(el("path", d=f"M{'L'.join(high + low)}z", class_=f"band s{index}"))
    body.append(el("path", d="".join("M" + "L".join(run) for run in runs if run), class_=f"line s{index}"))
    if len(one.points) <= 40:
        for p in one.points:
            if p.y is not None and math.isfinite(p.y):
                tip = f"{one.label}, {shown_x(p.x, long=True)}: {fmt(p.y)}"
                dot = el(
                    "circle",
                    el("title", words(tip)),
                    cx=at(position(p.x)),
                    cy=up(p.y),
                    r=3.5,
                    class_=f"point s{index}",
                )
                body.append(dot)
    return body


def _dates(
    abscissas: Sequence[tuple[float, Axis]], at: Callable[[float], float], bottom: float, width: int
) -> list[str]:
    room = 62.0 if width == WIDE else 54.0
    body: list[str] = []
    free = -math.inf
    end = at(abscissas[-1][0])
    for index, (place, x) in enumerate(abscissas):
        here = at(place)
        is_last = index == len(abscissas) - 1
        if here < free or (not is_last and end - here < room):
            continue
        anchor = "t-end" if is_last and len(abscissas) > 1 else "t-mid" if index else ""
        body.append(label(here, bottom + 20, shown_x(x), f"t-muted t-num {anchor}".strip()))
        free = here + room
    return body


def _legend_places(series: Sequence[Series], width: int) -> list[tuple[float, int, str]]:
    places, x, row = [], 0.0, 0
    for one in series:
        text = shorten(one.label, width - 44)
        need = 34 + text_width(text) + 18
        if x and x + need > width:
            x, row = 0.0, row + 1
        places.append((x, row, text))
        x += need
    return places


def _legend_rows(series: Sequence[Series], width: int) -> int:
    return _legend_places(series, width)[-1][1] + 1


def _legend(series: Sequence[Series], width: int) -> list[str]:
    body = []
    for index, (x, row, text) in enumerate(_legend_places(series, width)):
        y = 8.0 + 22 * row
        body.append(el("path", d=f"M{num(x)} {num(y)}h26", class_=f"line s{index}"))
        body.append(label(x + 33, y + 4.5, text, tip=series[index].label))
    return body


def _twin(series: Sequence[Series], x_label: str, fmt: Format) -> Twin:
    abscissas = sorted({position(p.x): p.x for one in series for p in one.points}.items())
    values = [{position(p.x): p for p in one.points} for one in series]
    rows = []
    for place, x in abscissas:
        cells = [shown_x(x, long=True)]
        for found in values:
            p = found.get(place)
            text = fmt(p.y) if p else numbers.MISSING
            if p and p.low is not None and p.high is not None:
                text += f" ({fmt(p.low)} – {fmt(p.high)})"
            if p and p.n is not None:
                text += f", n = {numbers.number(p.n, 0)}"
            cells.append(text)
        rows.append(tuple(cells))
    return Twin((x_label, *(one.label for one in series)), tuple(rows))


def sparkline(title: str, values: Sequence[float | None], *, fmt: Format = numbers.number) -> Chart:
    """A word-sized line without axes; its name says the first and the last value."""
    kept = [(index, v) for index, v in enumerate(values) if v is not None and math.isfinite(v)]
    summary = (
        _("from %(first)s to %(last)s") % {"first": fmt(kept[0][1]), "last": fmt(kept[-1][1])}
        if kept
        else _("No data yet")
    )
    body = []
    if kept:
        low, high = min(v for _i, v in kept), max(v for _i, v in kept)
        span = high - low or 1.0
        places = [
            (4 + 86 * (i / max(1, len(values) - 1)), 27 - 22 * ((v - low) / span if high > low else 0.5))
            for i, v in kept
        ]
        body.append(el("path", d="M" + "L".join(f"{num(x)} {num(y)}" for x, y in places), class_="line"))
        body.append(el("circle", cx=places[-1][0], cy=places[-1][1], r=3.0, class_="filled"))
    rows = tuple((str(index + 1), fmt(value)) for index, value in enumerate(values))
    return finish(title, summary, Twin((_("Rank"), _("Value")), rows), drawing(96, 32, title, summary, body))
