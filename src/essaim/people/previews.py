"""What an import of units would do, line by line: shown first, and the very plan then carried out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from django.utils.translation import gettext as _

from essaim.base.actor import Actor
from essaim.people import paste
from essaim.people.models import Unit

MAX_LINES = 2_000


class Effect(StrEnum):
    """What a line of the import does."""

    NEW = "new"
    CHANGED = "changed"
    SAME = "same"
    WRONG = "wrong"


@dataclass(frozen=True)
class PreviewLine:
    """A line and its effect; `problem` says what to correct when it is wrong."""

    line: int
    name: str
    parent: str
    headcount: int | None
    effect: Effect
    problem: str = ""


@dataclass(frozen=True)
class UnitPreview:
    """The whole import, in the order of the lines."""

    lines: tuple[PreviewLine, ...]

    def count(self, effect: Effect) -> int:
        return sum(line.effect is effect for line in self.lines)

    @property
    def new(self) -> int:
        return self.count(Effect.NEW)

    @property
    def changed(self) -> int:
        return self.count(Effect.CHANGED)

    @property
    def wrong(self) -> int:
        return self.count(Effect.WRONG)

    @property
    def same(self) -> int:
        return self.count(Effect.SAME)

    @property
    def usable(self) -> bool:
        return bool(self.lines) and not self.wrong


def preview_units(*, text: str, by: Actor) -> UnitPreview:
    """Compare a pasted table with the units of the organisation, known by their name whatever the case.

    Raises:
        Refused: the text is not a table.
    """
    pasted = paste.read_units(text)
    rows = list(Unit.objects.of(by).filter(removed_at=None).select_related("parent"))
    existing = {row.name.casefold(): row for row in rows}
    parents = {row.name.casefold(): row.parent.name.casefold() if row.parent else "" for row in rows}
    first_line: dict[str, int] = {}
    for unit in pasted:
        first_line.setdefault(unit.name.casefold(), unit.line)
        if unit.parent:
            parents[unit.name.casefold()] = unit.parent.casefold()
        else:
            parents.setdefault(unit.name.casefold(), "")
    lines = []
    for position, unit in enumerate(pasted):
        key = unit.name.casefold()
        problem = unit.problem
        if problem:
            pass
        elif position >= MAX_LINES:
            problem = _("More than %(max)d lines: import them in several times.") % {"max": MAX_LINES}
        elif first_line[key] != unit.line:
            problem = _("This name is already on line %(line)d.") % {"line": first_line[key]}
        elif unit.parent and unit.parent.casefold() not in parents:
            problem = _("“%(parent)s” is neither in this list nor in your organisation.") % {
                "parent": unit.parent
            }
        elif _circular(key, parents):
            problem = _("This unit would be part of itself.")
        lines.append(
            PreviewLine(
                line=unit.line,
                name=unit.name,
                parent=unit.parent,
                headcount=unit.headcount,
                effect=Effect.WRONG if problem else _effect(unit, existing.get(key)),
                problem=problem,
            )
        )
    return UnitPreview(tuple(lines))


def _effect(unit: paste.PastedUnit, before: Unit | None) -> Effect:
    if before is None:
        return Effect.NEW
    parent = before.parent.name.casefold() if before.parent else ""
    moved = bool(unit.parent) and unit.parent.casefold() != parent
    counted = unit.headcount is not None and unit.headcount != before.headcount
    return Effect.CHANGED if moved or counted or unit.name != before.name else Effect.SAME


def _circular(key: str, parents: dict[str, str]) -> bool:
    seen = {key}
    above = parents.get(key, "")
    while above and above not in seen:
        seen.add(above)
        above = parents.get(above, "")
    return above == key
