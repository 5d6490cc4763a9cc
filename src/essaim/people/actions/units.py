"""The units of an organisation. A removed unit keeps its row, so that its number is never given again."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Max
from django.utils.translation import gettext as _

from essaim.base.actions import Done, action
from essaim.base.actor import Actor, Role
from essaim.base.errors import Conflict, NotFound, Refused
from essaim.base.evidence import address
from essaim.base.ids import new_id
from essaim.people.actions.organisations import cleaned_name
from essaim.people.models import Organisation, Unit
from essaim.people.paste import MAX_HEADCOUNT
from essaim.people.previews import Effect, UnitPreview, preview_units


def find_unit(unit_id: str, by: Actor, *, field: str | None = None) -> Unit:
    """Return a present unit of the actor's organisation, or raise NotFound."""
    unit: Unit | None = Unit.objects.of(by).filter(id=unit_id, removed_at=None).first()
    if unit is None:
        raise NotFound("unit", _("There is no such unit in your organisation."), field=field)
    return unit


def _only_one_at_a_time(by: Actor) -> None:
    """Two people changing the tree at once could make a cycle or give a number twice: they take turns."""
    Organisation.objects.select_for_update().get(id=by.organisation_id)


def _next_number(by: Actor) -> int:
    return int(Unit.objects.of(by).aggregate(last=Max("number"))["last"] or 0) + 1


def _cleaned(name: str, headcount: int | None, by: Actor, *, except_id: str = "") -> str:
    name = cleaned_name(name)
    if headcount is not None and not 0 <= headcount <= MAX_HEADCOUNT:
        raise Refused("headcount", _("The headcount must be a number of people."), field="headcount")
    others = Unit.objects.of(by).filter(removed_at=None).exclude(id=except_id)
    if name.casefold() in (other.casefold() for other in others.values_list("name", flat=True)):
        raise Conflict(
            "unit-exists", _("There is already a unit called “%(name)s”.") % {"name": name}, field="name"
        )
    return name


@action("unit.add", may=[Role.FACILITATOR])
def add_unit(
    *, name: str, parent_id: str = "", headcount: int | None = None, by: Actor, now: datetime
) -> Done[Unit]:
    """Add a unit, on top or as a part of another one.

    Raises:
        Conflict: another unit has this name. NotFound: the parent is not in this organisation.
    """
    _only_one_at_a_time(by)
    name = _cleaned(name, headcount, by)
    parent = find_unit(parent_id, by, field="parent_id") if parent_id else None
    unit = Unit.objects.create(
        id=new_id(now),
        organisation_id=by.organisation_id,
        name=name,
        number=_next_number(by),
        parent=parent,
        headcount=headcount,
    )
    return Done(
        unit,
        subject=address("unit", unit.id),
        details={"name": name, "parent": parent.name if parent else ""},
    )


@action("unit.change", may=[Role.FACILITATOR])
def change_unit(
    *, unit_id: str, name: str, parent_id: str, headcount: int | None, by: Actor, now: datetime
) -> Done[Unit]:
    """Rename a unit, move it under another one (empty: on top), correct its headcount.

    Raises:
        Conflict: another unit has this name, or the unit would be part of itself.
        NotFound: the unit or the parent is not in this organisation.
    """
    _only_one_at_a_time(by)
    unit = find_unit(unit_id, by)
    name = _cleaned(name, headcount, by, except_id=unit.id)
    parent = find_unit(parent_id, by, field="parent_id") if parent_id else None
    above = parent
    while above is not None:
        if above.id == unit.id:
            raise Conflict(
                "unit-cycle",
                _("A unit cannot be part of itself, nor of one of its own parts."),
                field="parent_id",
            )
        above = above.parent
    details: dict[str, dict[str, Any]] = {
        "name": {"from": unit.name, "to": name},
        "parent": {"from": unit.parent.name if unit.parent else "", "to": parent.name if parent else ""},
        "headcount": {"from": unit.headcount, "to": headcount},
    }
    unit.name, unit.parent, unit.headcount = name, parent, headcount
    unit.save(update_fields=["name", "parent", "headcount"])
    changed = {key: value for key, value in details.items() if value["from"] != value["to"]}
    return Done(unit, subject=address("unit", unit.id), details=changed)


@action("unit.remove", may=[Role.FACILITATOR])
def remove_unit(*, unit_id: str, by: Actor, now: datetime) -> Done[Unit]:
    """Remove a unit. Its members no longer have one; they find it again if it is restored.

    Raises:
        Conflict: it still has parts. NotFound: not in this organisation.
    """
    _only_one_at_a_time(by)
    unit = find_unit(unit_id, by)
    if unit.parts.filter(removed_at=None).exists():
        raise Conflict("unit-has-parts", _("This unit has parts. Move or remove them first."))
    unit.removed_at = now
    unit.save(update_fields=["removed_at"])
    return Done(unit, subject=address("unit", unit.id), details={"name": unit.name})


@action("unit.restore", may=[Role.FACILITATOR])
def restore_unit(*, unit_id: str, by: Actor, now: datetime) -> Done[Unit]:
    """Undo the removal of a unit, with its members and number (on top if its parent is gone meanwhile).

    Raises:
        Conflict: it is not removed, or another unit took its name. NotFound: not in this organisation.
    """
    _only_one_at_a_time(by)
    unit: Unit | None = Unit.objects.of(by).select_related("parent").filter(id=unit_id).first()
    if unit is None:
        raise NotFound("unit", _("There is no such unit in your organisation."))
    if unit.removed_at is None:
        raise Conflict("unit-present", _("This unit is not removed."))
    _cleaned(unit.name, unit.headcount, by, except_id=unit.id)
    unit.removed_at = None
    if unit.parent is not None and unit.parent.removed_at is not None:
        unit.parent = None
    unit.save(update_fields=["removed_at", "parent"])
    return Done(unit, subject=address("unit", unit.id), details={"name": unit.name})


@action("unit.import", may=[Role.FACILITATOR])
def import_units(*, text: str, by: Actor, now: datetime) -> Done[UnitPreview]:
    """Add and update units from a pasted table (see `paste.read_units`). All of it, or nothing.

    Raises:
        Refused: nothing to import, or a line is wrong (the preview says which and why).
    """
    _only_one_at_a_time(by)
    preview = preview_units(text=text, by=by)
    if not preview.lines:
        raise Refused("empty", _("Paste at least one line: the name of a unit."), field="text")
    if preview.wrong:
        first = next(line for line in preview.lines if line.effect is Effect.WRONG)
        raise Refused(
            "wrong-lines",
            _("Nothing was imported. Line %(line)d: %(problem)s")
            % {"line": first.line, "problem": first.problem},
            field="text",
        )
    units = {unit.name.casefold(): unit for unit in Unit.objects.of(by).filter(removed_at=None)}
    number = _next_number(by)
    for line in preview.lines:
        if line.effect is Effect.NEW:
            units[line.name.casefold()] = Unit.objects.create(
                id=new_id(now),
                organisation_id=by.organisation_id,
                name=line.name,
                number=number,
                headcount=line.headcount,
            )
            number += 1
    for line in preview.lines:
        unit = units[line.name.casefold()]
        unit.name = line.name
        if line.parent:
            unit.parent = units[line.parent.casefold()]
        if line.headcount is not None:
            unit.headcount = line.headcount
        unit.save(update_fields=["name", "parent", "headcount"])
    details = {"added": preview.new, "changed": preview.changed}
    return Done(preview, subject=address("organisation", by.organisation_id), details=details)
