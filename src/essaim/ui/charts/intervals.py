"""Estimates with their intervals, one under the other (a forest plot)."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.utils.safestring import SafeString
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
    paragraph,
    shorten,
    text_width,
    ticks,
    words,
    wrap,
)


@dataclass(frozen=True, slots=True)
class Effect:
    """An estimate between its bounds; `n` is the number of observations behind it."""

    label: str
    estimate: float | None
    low: float | None
    high: float | None
    n: int | None = None


def forest(
    title: str,
    rows: Sequence[Effect],
    *,
    summary: str = "",
    reference: tuple[str, float] | None = None,
    fmt: Callable[[float | None], str] = numbers.number,
) -> Chart:
    """One interval a row on a shared axis. `reference` names the value of "no difference"; the table says in
    words which rows exclude it."""
    twin = Twin(
        (_("Measure"), _("Estimate"), _("Interval"), "n", _("Reading")),
        tuple(
            (
                row.label,
                fmt(row.estimate),
                _bounds(row, fmt),
                numbers.number(row.n, 0),
                _reading(row, reference),
            )
            for row in rows
        ),
    )
    wide, narrow = (_draw(title, summary, rows, width, reference, fmt) for width in (WIDE, NARROW))
    return finish(title, summary, twin, wide, narrow)


def _known(row: Effect) -> bool:
    return all(v is not None and math.isfinite(v) for v in (row.estimate, row.low, row.high))


def _bounds(row: Effect, fmt: Callable[[float | None], str]) -> str:
    return (
        _("%(low)s to %(high)s") % {"low": fmt(row.low), "high": fmt(row.high)}
        if _known(row)
        else numbers.MISSING
    )


def _reading(row: Effect, reference: tuple[str, float] | None) -> str:
    if not _known(row) or reference is None:
        return numbers.MISSING
    if (row.low or 0.0) > reference[1]:
        return _("above")
    return _("below") if (row.high or 0.0) < reference[1] else _("undecided")


def _draw(
    title: str,
    summary: str,
    rows: Sequence[Effect],
    width: int,
    reference: tuple[str, float] | None,
    fmt: Callable[[float | None], str],
) -> SafeString:
    known = [row for row in rows if _known(row)]
    values = [v for row in known for v in (row.low, row.high) if v is not None]
    if not values:
        return drawing(width, 80, title, summary, [label(width / 2, 44.0, _("No data yet"), "t-muted t-mid")])
    if reference:
        values.append(reference[1])
    marks = ticks(min(values), max(values), 5 if width == WIDE else 4)
    beside = width == WIDE
    left, right = (222.0 if beside else 10.0), width - 10.0

    def at(value: float) -> float:
        return left + (right - left) * (value - marks[0]) / (marks[-1] - marks[0])

    body: list[str] = []
    y = 26.0 if reference else 6.0
    for row in rows:
        text = f"{fmt(row.estimate)} ({_bounds(row, fmt)})" if _known(row) else _("Not enough data")
        if row.n is not None:
            text += f", n\u00a0=\u00a0{numbers.number(row.n, 0)}"
        lines = wrap(row.label, 204.0 if beside else width - 4.0, 2)
        body.append(paragraph(0.0, y + 13, lines, "t-halo", tip=row.label))
        middle = y + 12 if beside else y + 16 * len(lines) + 10
        if _known(row):
            ends = at(row.low or 0.0), at(row.high or 0.0)
            tip = f"{row.label}: {text}"
            body.append(
                el(
                    "g",
                    el("title", words(tip)),
                    el("path", d=f"M{num(ends[0])} {num(middle)}H{num(ends[1])}", class_="whisker"),
                    el("circle", cx=at(row.estimate or 0.0), cy=middle, r=5.5, class_="estimate"),
                )
            )
        x = (
            left
            if not beside
            else min(
                max(left, at(row.low or marks[0]) if _known(row) else left), right - text_width(text, 11.5)
            )
        )
        body.append(
            label(
                max(0.0, x),
                middle + (21 if _known(row) else 5),
                shorten(text, right - left, 11.5),
                "t-muted t-small t-num t-halo",
                tip=text,
            )
        )
        y = max(y + 16.0 * len(lines), middle + 25) + 12
    grid = [
        el("path", d=f"M{num(at(mark))} {num(24.0 if reference else 4.0)}V{num(y)}", class_="grid-line")
        for mark in marks
    ]
    grid += [label(at(mark), y + 17, fmt(mark), "t-muted t-mid t-num") for mark in marks]
    if reference:
        here = at(reference[1])
        name = shorten(reference[0], width - 20)
        half = text_width(name) / 2
        grid.append(el("path", d=f"M{num(here)} 20V{num(y)}", class_="reference"))
        grid.append(label(min(max(here, half), width - half), 13.0, name, "t-mid t-strong"))
    return drawing(width, y + 26, title, summary, [*grid, *body])
