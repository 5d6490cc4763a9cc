"""What every chart is made of: the frozen Chart, safe elements, text that fits, ticks, the table twin."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe

WIDE, NARROW = 640, 320  # user units; one unit is about one CSS pixel, so that 13-unit text stays readable
SIZE = 13.0


@dataclass(frozen=True, slots=True)
class Twin:
    """The table that says the same as a chart. The first cell of each row is its heading."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing and its table twin, ready for `{% chart chart %}`.

    `svg` is drawn for 480 px and more (also for print and e-mail), `narrow` for phones; `table` is HTML;
    `twin` its data.
    """

    title: str
    summary: str
    svg: SafeString
    narrow: SafeString
    table: SafeString
    twin: Twin


def finish(title: str, summary: str, twin: Twin, wide: SafeString, narrow: SafeString | None = None) -> Chart:
    """Put a chart together."""
    table = mark_safe(render_to_string("ui/_twin.html", {"twin": twin, "caption": title}))  # noqa: S308 - autoescaped
    return Chart(title, summary, wide, narrow if narrow is not None else SafeString(""), table, twin)


def num(value: float) -> str:
    """A coordinate: one decimal, no trailing zero, never an exponent."""
    text = f"{value:.1f}"
    return text[:-2] if text.endswith(".0") else text


def el(name: str, *content: str, **attributes: object) -> str:
    """One SVG element. `class_` is class, underscores are hyphens. Values are escaped, content is not."""
    parts = [name]
    for key, value in attributes.items():
        if value is None or value == "":
            continue
        shown = num(value) if isinstance(value, float) else escape(str(value), quote=True)
        parts.append(f'{key.rstrip("_").replace("_", "-")}="{shown}"')
    opening = " ".join(parts)
    return f"<{opening}>{''.join(content)}</{name}>" if content else f"<{opening}/>"


def words(text: object) -> str:
    """Text made safe for the inside of an element."""
    return escape(str(text), quote=False)


def label(x: float, y: float, text: object, class_: str = "", tip: str = "", **attributes: object) -> str:
    """A line of text, with the full text as a tip when what is shown was shortened."""
    tips = (el("title", words(tip)),) if tip and tip != str(text) else ()
    return el("text", *tips, words(text), x=x, y=y, class_=class_, **attributes)


def drawing(
    width: float, height: float, title: str, summary: str, body: Iterable[str], class_: str = ""
) -> SafeString:
    """The <svg> around a body: named, described, scaled by its viewBox. No ids: it may appear twice."""
    described = f"{title}. {summary}" if summary else title
    svg = el(
        "svg",
        el("title", words(title)),
        el("desc", words(summary)) if summary else "",
        *body,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {num(width)} {num(height)}",
        width=num(width),
        height=num(height),
        role="img",
        aria_label=described,
        class_=class_,
    )
    return mark_safe(svg)  # noqa: S308 - every text and attribute went through escape()


_THIN = frozenset("iljtfrI.,:;'’|!()[] \u00a0\u202f")
_FAT = frozenset("mwMW@%ŒœÆæ—…")


def text_width(text: str, size: float = SIZE) -> float:
    """An estimate, a little generous, of the width of a text in a usual sans serif font."""
    ems = 0.0
    for letter in text:
        ems += 0.34 if letter in _THIN else 0.92 if letter in _FAT else 0.7 if letter.isupper() else 0.585
    return ems * size


def shorten(text: str, width: float, size: float = SIZE) -> str:
    """Cut a text to a width, with an ellipsis when something is lost."""
    if text_width(text, size) <= width:
        return text
    while text and text_width(text + "…", size) > width:
        text = text[:-1]
    return text.rstrip() + "…"


def wrap(text: str, width: float, lines: int, size: float = SIZE) -> list[str]:
    """Break a text into at most `lines` lines of a width; the last is shortened, too long a word cut."""
    done: list[str] = []
    current = ""
    pending = text.split(" ")
    while pending:
        word = pending.pop(0)
        candidate = f"{current} {word}" if current else word
        if text_width(candidate, size) <= width:
            current = candidate
            continue
        if len(done) == lines - 1:
            return [*done, shorten(" ".join([candidate, *pending]), width, size)]
        if current:
            done.append(current)
            current = ""
            pending.insert(0, word)
            continue
        cut = len(word)
        while cut > 1 and text_width(word[:cut] + "-", size) > width:
            cut -= 1
        done.append(word[:cut] + "-")
        pending.insert(0, word[cut:])
    return [*done, current] if current or not done else done


def paragraph(
    x: float, y: float, lines: Sequence[str], class_: str = "", tip: str = "", step: float = 16.0
) -> str:
    """Several lines of text, the first with its baseline at `y`."""
    whole = " ".join(lines)
    spans = [el("tspan", words(line), x=x, y=y + step * index) for index, line in enumerate(lines)]
    tips = [el("title", words(tip))] if tip and tip != whole else []
    return el("text", *tips, *spans, class_=class_)


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """About `count` round values covering [low, high] (steps of 1, 2, 2.5 or 5 times a power of ten)."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return [0.0, 1.0]
    if high <= low:
        low, high = low - (abs(low) or 1) * 0.5, high + (abs(high) or 1) * 0.5
    rough = (high - low) / max(1, count)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]


def hatch(x: float, y: float, width: float, height: float, class_: str = "hatch", gap: float = 9.0) -> str:
    """Diagonal lines inside a rectangle (drawn, not a pattern: patterns need page-wide ids)."""
    parts = []
    offset = -height + gap / 2
    while offset < width:
        left, right = max(0.0, offset), min(width, offset + height)
        if right > left:
            ends = [f"{num(x + at)} {num(y + height - (at - offset))}" for at in (left, right)]
            parts.append(f"M{ends[0]}L{ends[1]}")
        offset += gap
    return el("path", d="".join(parts), class_=class_, fill="none") if parts else ""
