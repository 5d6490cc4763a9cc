"""The data of the components that take more than a few words (templatetags/ui.py shows them)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from django.utils.html import format_html
from django.utils.safestring import SafeString

from essaim.ui.shell import Label

Tone = Literal["", "good", "bad", "warn", "info", "quiet"]


@dataclass(frozen=True, slots=True)
class Step:
    """One phase in a stepper."""

    label: Label
    state: Literal["done", "current", "todo"]
    detail: Label = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One event of a timeline."""

    title: Label
    when: datetime | None = None
    text: Label = ""
    tone: Tone = ""
    icon: str = "clock"
    url: str = ""
    meta: Label = ""


@dataclass(frozen=True, slots=True)
class Says:
    """What an opinion group says of a statement; `note` bears the figures ("82 % (74–88 %, n = 61)")."""

    text: str
    agree: bool
    note: str = ""


@dataclass(frozen=True, slots=True)
class GroupCard:
    """An opinion group in words. `label` is its letter; `name` what people call it, if they do."""

    label: str
    size: int
    says: Sequence[Says] = ()
    name: str = ""


# One shape per group letter (drawn in a 24 x 24 box), so that a group is never known by its colour alone.
SHAPES: dict[str, str] = {
    "A": "M12 2.5a9.5 9.5 0 1 1 0 19a9.5 9.5 0 1 1 0-19z",
    "B": "M3.5 3.5h17v17h-17z",
    "C": "M12 2L22.5 20.5H1.5z",
    "D": "M12 1.5L22.5 12L12 22.5L1.5 12z",
    "E": "M12 1.5L21 6.75V17.25L12 22.5L3 17.25V6.75z",
    "F": "M1.5 3.5H22.5L12 22z",
    "G": "M12 1l3.2 7.1l7.7.8l-5.7 5.2l1.6 7.6l-6.8-3.9l-6.8 3.9l1.6-7.6L1.1 8.9l7.7-.8z",
    "H": "M8.5 2h7v6.5h6.5v7h-6.5v6.5h-7v-6.5h-6.5v-7h6.5z",
}


def shape(letter: str) -> SafeString:
    """The small drawing that stands for a group; the letter is written beside it."""
    path = SHAPES.get(letter, SHAPES["H"])
    return format_html('<svg class="shape" viewBox="0 0 24 24" aria-hidden="true"><path d="{}"/></svg>', path)


def opinion_words(agrees: int, disagrees: int, passes: int) -> dict[str, Any]:
    """The widths (out of 100) and shares of a vote; nobody voting yet gives zero widths."""
    total = agrees + disagrees + passes
    shares = {"agree": agrees, "pass": passes, "disagree": disagrees}
    out: dict[str, Any] = {"total": total}
    start = 0.0
    for name, count in shares.items():
        width = 100 * count / total if total else 0.0
        out[name] = {"share": count / total if total else None, "x": f"{start:.2f}", "width": f"{width:.2f}"}
        start += width
    return out
