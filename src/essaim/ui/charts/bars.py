"""Agree, pass and disagree as one bar a statement, with the shares in words and the n."""

from collections.abc import Sequence
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
    hatch,
    label,
    paragraph,
    text_width,
    words,
    wrap,
)


@dataclass(frozen=True, slots=True)
class Votes:
    """The votes on one statement (or in one group)."""

    label: str
    agrees: int
    disagrees: int
    passes: int = 0

    @property
    def n(self) -> int:
        """How many people voted."""
        return self.agrees + self.disagrees + self.passes


def opinion_bars(title: str, rows: Sequence[Votes], *, summary: str = "") -> Chart:
    """One stacked bar a row, in the given order: agree from the left, disagree (hatched) from the right."""
    head = (_("Statement"), _("Agree"), _("Disagree"), _("Pass"), "n")
    body = []
    for row in rows:
        shares = [count / row.n if row.n else None for count in (row.agrees, row.disagrees, row.passes)]
        body.append((row.label, *(numbers.percent(share) for share in shares), numbers.number(row.n, 0)))
    twin = Twin(head, tuple(body))
    return finish(
        title, summary, twin, _draw(title, summary, rows, WIDE), _draw(title, summary, rows, NARROW)
    )


def _draw(title: str, summary: str, rows: Sequence[Votes], width: int) -> SafeString:
    beside = width == WIDE
    left = 262.0 if beside else 0.0
    room = 244.0 if beside else float(width)
    parts: list[str] = []
    y = 4.0
    if not rows:
        return drawing(
            width, 80, title, summary, [label(width / 2, 44.0, _("No votes yet"), "t-muted t-mid")]
        )
    for row in rows:
        lines = wrap(row.label, room, 3)
        parts.append(paragraph(0.0, y + 13, lines, tip=row.label))
        text_height = 16.0 * len(lines)
        top = y + 2 if beside else y + text_height + 5
        parts.extend(_bar(row, left, top, width - left))
        y = max(y + text_height, top + 44) + (14 if beside else 16)
    return drawing(width, y, title, summary, parts)


def _bar(row: Votes, x: float, y: float, width: float) -> list[str]:
    tip = _("%(agree)s agree, %(disagree)s disagree, %(pass)s pass, n = %(n)s") % {
        "agree": numbers.number(row.agrees, 0),
        "disagree": numbers.number(row.disagrees, 0),
        "pass": numbers.number(row.passes, 0),
        "n": numbers.number(row.n, 0),
    }
    if not row.n:
        empty = el("rect", x=x + 0.5, y=y, width=width - 1, height=22.0, rx=3.0, class_="b-none")
        return [empty, label(x, y + 38, _("No votes yet"), "t-muted t-small")]
    agree, disagree = width * row.agrees / row.n, width * row.disagrees / row.n
    middle = width - agree - disagree
    marks = [el("title", words(tip))]
    if middle > 0.05:
        marks.append(el("rect", x=x + agree, y=y + 0.5, width=middle, height=21.0, class_="b-pass"))
    if agree:
        marks.append(el("rect", x=x, y=y, width=agree, height=22.0, class_="b-agree"))
    if disagree:
        marks.append(
            el("rect", x=x + width - disagree, y=y, width=disagree, height=22.0, class_="b-disagree")
        )
        marks.append(hatch(x + width - disagree, y, disagree, 22.0))
    texts = [f"✓ {numbers.percent(row.agrees / row.n)}", f"– {numbers.percent(row.passes / row.n)}"]
    last = f"✗ {numbers.percent(row.disagrees / row.n)}"
    count = f"n = {numbers.number(row.n, 0)}"
    second = x + text_width(texts[0]) + 18
    third = second + text_width(texts[1]) + 18
    return [
        el("g", *marks),
        label(x, y + 38, texts[0], "t-agree t-num t-strong"),
        label(second, y + 38, texts[1], "t-pass t-num"),
        label(third, y + 38, count, "t-muted t-num"),
        label(x + width, y + 38, last, "t-disagree t-num t-strong t-end"),
    ]
