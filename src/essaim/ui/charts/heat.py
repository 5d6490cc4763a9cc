"""Items by units: a value, its n, and cells kept silent because too few people answered."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.utils.html import format_html
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
    hatch,
    label,
    paragraph,
    shorten,
    text_width,
    words,
    wrap,
)

CLASSES = 5


@dataclass(frozen=True, slots=True)
class Cell:
    """A mean and its n. `suppressed`: too few answers, neither the value nor the n may be shown."""

    value: float | None
    n: int = 0
    suppressed: bool = False


def heat_map(
    title: str,
    items: Sequence[str],
    units: Sequence[str],
    cells: Sequence[Sequence[Cell]],
    *,
    low: float = 1.0,
    top: float = 5.0,
    floor: int = 5,
    summary: str = "",
    fmt: Callable[[float | None], str] | None = None,
) -> Chart:
    """A grid of `len(items)` rows by `len(units)` columns, darker for higher values between `low` and `top`.

    Raises:
        ValueError: the shape of `cells` is not items x units, or `low` is not under `top`.
    """
    if len(cells) != len(items) or any(len(row) != len(units) for row in cells):
        raise ValueError(f"cells must be {len(items)} rows of {len(units)}")
    if low >= top:
        raise ValueError("low must be under top")
    shown = fmt or (lambda value: numbers.number(value, 1))
    note = _(
        "Hatched: fewer than %(floor)s answers, or a value that would give one away; nothing is shown."
    ) % {"floor": floor}
    silent = any(cell.suppressed for row in cells for cell in row)
    rows = tuple(
        (item, *(_in_words(cell, shown) for cell in row)) for item, row in zip(items, cells, strict=True)
    )
    twin = Twin((_("Item"), *units), rows, note if silent else "")
    drawn = [
        _draw(title, summary, items, units, cells, (low, top), note if silent else "", shown, w)
        for w in (WIDE, NARROW)
    ]
    return finish(title, summary, twin, drawn[0], drawn[1])


def _in_words(cell: Cell, fmt: Callable[[float | None], str]) -> str:
    if cell.suppressed:
        return _("not shown")
    if cell.value is None or not math.isfinite(cell.value):
        return numbers.MISSING
    return f"{fmt(cell.value)} (n\u00a0=\u00a0{numbers.number(cell.n, 0)})"


def heat_class(value: float, low: float, top: float) -> int:
    """The colour class (1 to 5) of a value."""
    return max(1, min(CLASSES, 1 + math.floor((value - low) / (top - low) * CLASSES + 1e-9)))


def _draw(
    title: str,
    summary: str,
    items: Sequence[str],
    units: Sequence[str],
    cells: Sequence[Sequence[Cell]],
    bounds: tuple[float, float],
    note: str,
    fmt: Callable[[float | None], str],
    width: int,
) -> SafeString:
    if not items or not units:
        return drawing(width, 80, title, summary, [label(width / 2, 44.0, _("No data yet"), "t-muted t-mid")])
    beside = width == WIDE
    left = 206.0 if beside else 0.0
    wide = max(40.0, min(96.0, (width - left) / len(units)))
    whole = max(float(width), left + wide * len(units))
    head, tall = _head(units, left, wide)
    body = list(head)
    y = tall + 6
    for item, row in zip(items, cells, strict=True):
        lines = wrap(item, 194.0 if beside else float(width), 2 if beside else 3)
        if beside:
            body.append(paragraph(0.0, y + (25 if len(lines) == 1 else 17), lines, tip=item))
        else:
            body.append(paragraph(0.0, y + 14, lines, tip=item))
            y += 16 * len(lines) + 5
        for index, cell in enumerate(row):
            body.extend(_cell(cell, left + index * wide, y, wide, bounds, fmt, f"{item}, {units[index]}"))
        y += 42 if beside else 52
    y += 10
    legend, y = _legend(y, bounds, fmt, note, min(whole, float(width)))
    svg = drawing(whole, y, title, summary, [*body, *legend])
    if whole <= width:
        return svg
    return format_html('<div class="scroll-x" role="group" tabindex="0" aria-label="{}">{}</div>', title, svg)


def _head(units: Sequence[str], left: float, wide: float) -> tuple[list[str], float]:
    """Column names: across when they fit in two lines, upright otherwise."""
    across = [wrap(unit, wide - 8, 2) for unit in units]
    if all(" ".join(lines) == unit for lines, unit in zip(across, units, strict=True)):
        tall = 16.0 * max(len(lines) for lines in across) + 4
        return [
            paragraph(left + wide * (i + 0.5), tall - 16.0 * (len(lines) - 1) - 4, lines, "t-mid t-strong")
            for i, lines in enumerate(across)
        ], tall
    texts = [shorten(unit, 150.0) for unit in units]
    tall = max(text_width(text) for text in texts) + 8
    drawn = []
    for index, (text, unit) in enumerate(zip(texts, units, strict=True)):
        x = left + wide * (index + 0.5) + 4.5
        drawn.append(
            label(x, tall - 2, text, "t-strong", tip=unit, transform=f"rotate(-90 {x:.1f} {tall - 2:.1f})")
        )
    return drawn, tall


def _cell(
    cell: Cell,
    x: float,
    y: float,
    wide: float,
    bounds: tuple[float, float],
    fmt: Callable[[float | None], str],
    name: str,
) -> list[str]:
    tip = el("title", words(f"{name}: {_in_words(cell, fmt)}"))
    box: dict[str, object] = {"x": x, "y": y, "width": wide, "height": 40.0, "rx": 4.0}
    if cell.suppressed:
        return [
            el(
                "g",
                tip,
                el("rect", **box, class_="heat heat-none"),
                hatch(x + 2, y + 2, wide - 4, 36.0, "heat-hatch"),
            )
        ]
    if cell.value is None or not math.isfinite(cell.value):
        return [
            el(
                "g",
                tip,
                el("rect", **box, class_="heat heat-none"),
                label(x + wide / 2, y + 25, "–", "t-muted t-mid"),
            )
        ]
    level = heat_class(cell.value, *bounds)
    ink = "on-light" if level <= 3 else "on-dark"
    return [
        el(
            "g",
            tip,
            el("rect", **box, class_=f"heat heat-{level}"),
            label(x + wide / 2, y + 18, fmt(cell.value), f"t-mid t-strong t-num {ink}"),
            label(x + wide / 2, y + 33, f"n {numbers.number(cell.n, 0)}", f"t-mid t-small t-num {ink}"),
        )
    ]


def _legend(
    y: float, bounds: tuple[float, float], fmt: Callable[[float | None], str], note: str, width: float
) -> tuple[list[str], float]:
    low, top = bounds
    body = [label(0.0, y + 15, fmt(low), "t-muted t-num")]
    x = text_width(fmt(low)) + 8
    for level in range(1, CLASSES + 1):
        body.append(el("rect", x=x, y=y, width=26.0, height=20.0, class_=f"heat heat-{level}"))
        x += 26
    body.append(label(x + 8, y + 15, fmt(top), "t-muted t-num"))
    y += 30
    if note:
        body += [
            el("rect", x=0.0, y=y, width=26.0, height=20.0, class_="heat heat-none"),
            hatch(1.0, y + 1, 24.0, 18.0, "heat-hatch"),
        ]
        lines = wrap(note, width - 36, 4)
        body.append(paragraph(34.0, y + 14, lines, "t-muted"))
        y += 16 * len(lines) + 10
    return body, y
