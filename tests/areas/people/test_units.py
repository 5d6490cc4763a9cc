"""Units: the tree, its numbers, its refusals, and the import of a pasted table."""

from __future__ import annotations

import pytest
from django.utils import translation

from essaim.base.errors import Conflict, Forbidden, NotFound, Refused
from essaim.base.models import AuditEntry
from essaim.people import actions, queries
from essaim.people.models import Unit
from essaim.people.paste import read_units
from essaim.people.previews import Effect, preview_units

from .conftest import NOW, Place

pytestmark = pytest.mark.django_db


def shape(place: Place) -> list[tuple[int, str]]:
    return [(node.depth, node.name) for node in queries.unit_list(by=place.owner.actor)]


def test_a_tree_with_counts(altura: Place) -> None:
    by = altura.facilitator.actor
    lyon = actions.add_unit(name="Lyon", by=by, now=NOW)
    desk = actions.add_unit(name="Desk", parent_id=lyon.id, headcount=12, by=by, now=NOW)
    actions.set_unit(member_id=altura.peer.member.id, unit_id=desk.id, by=altura.owner.actor, now=NOW)
    actions.set_unit(member_id=altura.sponsor.member.id, unit_id=lyon.id, by=altura.owner.actor, now=NOW)
    actions.remove_member(member_id=altura.sponsor.member.id, by=altura.owner.actor, now=NOW)
    (top,) = queries.units(by=by)
    assert (top.name, top.members, top.members_below, top.people) == ("Lyon", 0, 1, 12)
    assert (top.parts[0].name, top.parts[0].headcount, top.parts[0].members) == ("Desk", 12, 1)
    entry = AuditEntry.objects.filter(subject=f"unit:{desk.id}").get()
    assert (entry.verb, entry.details, entry.member_name) == (
        "unit.add",
        {"name": "Desk", "parent": "Lyon"},
        altura.facilitator.member.name,
    )


def test_a_unit_is_never_part_of_itself(altura: Place) -> None:
    by = altura.owner.actor
    a = actions.add_unit(name="A", by=by, now=NOW)
    b = actions.add_unit(name="B", parent_id=a.id, by=by, now=NOW)
    c = actions.add_unit(name="C", parent_id=b.id, by=by, now=NOW)
    for parent in (a, b, c):
        with pytest.raises(Conflict) as refusal:
            actions.change_unit(unit_id=a.id, name="A", parent_id=parent.id, headcount=None, by=by, now=NOW)
        assert (refusal.value.code, refusal.value.field) == ("unit-cycle", "parent_id")
    actions.change_unit(unit_id=c.id, name="C", parent_id="", headcount=3, by=by, now=NOW)
    actions.change_unit(unit_id=a.id, name="A", parent_id=c.id, headcount=None, by=by, now=NOW)
    assert shape(altura) == [(0, "C"), (1, "A"), (2, "B")]


def test_names_are_unique_whatever_the_case_and_headcounts_are_counts(altura: Place) -> None:
    by = altura.owner.actor
    actions.add_unit(name="Éveil", by=by, now=NOW)
    with pytest.raises(Conflict) as refusal:
        actions.add_unit(name="éveil", by=by, now=NOW)
    assert refusal.value.field == "name"
    with pytest.raises(Refused):
        actions.add_unit(name="Other", headcount=-1, by=by, now=NOW)
    with pytest.raises(Refused):
        actions.add_unit(name="x" * 121, by=by, now=NOW)


def test_numbers_are_never_given_twice(altura: Place, boreal: Place) -> None:
    by = altura.owner.actor
    first = actions.add_unit(name="A", by=by, now=NOW)
    second = actions.add_unit(name="B", by=by, now=NOW)
    actions.remove_unit(unit_id=second.id, by=by, now=NOW)
    third = actions.add_unit(name="B", by=by, now=NOW)
    assert [first.number, second.number, third.number] == [1, 2, 3]
    assert actions.add_unit(name="A", by=boreal.owner.actor, now=NOW).number == 1
    with pytest.raises(Conflict) as refusal:  # its name was taken meanwhile
        actions.restore_unit(unit_id=second.id, by=by, now=NOW)
    assert refusal.value.code == "unit-exists"


def test_removing_is_undone_with_its_members(altura: Place) -> None:
    by = altura.owner.actor
    top = actions.add_unit(name="Top", by=by, now=NOW)
    unit = actions.add_unit(name="Part", parent_id=top.id, by=by, now=NOW)
    actions.set_unit(member_id=altura.peer.member.id, unit_id=unit.id, by=by, now=NOW)
    with pytest.raises(Conflict) as refusal:
        actions.remove_unit(unit_id=top.id, by=by, now=NOW)
    assert refusal.value.code == "unit-has-parts"
    actions.remove_unit(unit_id=unit.id, by=by, now=NOW)
    assert queries.member(member_id=altura.peer.member.id, by=by).unit == ""
    with pytest.raises(NotFound):
        actions.set_unit(member_id=altura.sponsor.member.id, unit_id=unit.id, by=by, now=NOW)
    actions.remove_unit(unit_id=top.id, by=by, now=NOW)
    actions.restore_unit(unit_id=unit.id, by=by, now=NOW)
    assert shape(altura) == [(0, "Part")]
    assert queries.member(member_id=altura.peer.member.id, by=by).unit == "Part"
    with pytest.raises(Conflict):
        actions.restore_unit(unit_id=unit.id, by=by, now=NOW)


def test_rights_and_fences(altura: Place, boreal: Place) -> None:
    theirs = actions.add_unit(name="Oslo", by=boreal.owner.actor, now=NOW)
    for who in (altura.sponsor, altura.peer, altura.observer):
        with pytest.raises(Forbidden):
            actions.add_unit(name="A", by=who.actor, now=NOW)
        with pytest.raises(Forbidden):
            actions.import_units(text="A", by=who.actor, now=NOW)
    by = altura.facilitator.actor
    attempts = [
        lambda: queries.unit(unit_id=theirs.id, by=by),
        lambda: actions.add_unit(name="A", parent_id=theirs.id, by=by, now=NOW),
        lambda: actions.change_unit(
            unit_id=theirs.id, name="A", parent_id="", headcount=None, by=by, now=NOW
        ),
        lambda: actions.remove_unit(unit_id=theirs.id, by=by, now=NOW),
        lambda: actions.restore_unit(unit_id=theirs.id, by=by, now=NOW),
    ]
    for attempt in attempts:
        with pytest.raises(NotFound):
            attempt()
    assert queries.units(by=by) == ()


def test_import_adds_updates_and_keeps_the_rest(altura: Place) -> None:
    by = altura.facilitator.actor
    lyon = actions.add_unit(name="Lyon", headcount=200, by=by, now=NOW)
    text = "Nom;Fait partie de;Effectif\nDesk;lyon;85\nlyon;;240\nNight desk;Desk;\n"
    effects = [line.effect for line in preview_units(text=text, by=by).lines]
    assert effects == [Effect.NEW, Effect.CHANGED, Effect.NEW]
    assert Unit.objects.count() == 1  # a preview writes nothing
    actions.import_units(text=text, by=by, now=NOW)
    assert shape(altura) == [(0, "lyon"), (1, "Desk"), (2, "Night desk")]
    assert Unit.objects.get(id=lyon.id).headcount == 240
    entry = AuditEntry.objects.get(verb="unit.import")
    assert entry.details == {"added": 2, "changed": 1}
    again = preview_units(text=text, by=by)
    assert {line.effect for line in again.lines} == {Effect.SAME}


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("Lyon\nLYON", 3, "already on line 2"),
        ("Desk;Nowhere", 2, "Nowhere"),
        ("A;B\nB;A", 2, "part of itself"),
        ("A;A", 2, "part of itself"),
        ("A;;many", 2, "many"),
        ("A;;99999999999", 2, "99999999999"),
        (";Lyon;3", 2, "name is missing"),
        ("x" * 121, 2, "120"),
    ],
)
def test_a_wrong_line_stops_the_whole_import_and_is_named(
    altura: Place, text: str, line: int, words: str
) -> None:
    with translation.override("en"):
        preview = preview_units(text="Fine\n" + text, by=altura.owner.actor)
        wrong = next(found for found in preview.lines if found.effect is Effect.WRONG)
        assert wrong.line == line
        assert words in wrong.problem
        with pytest.raises(Refused, match="Nothing was imported"):
            actions.import_units(text="Fine\n" + text, by=altura.owner.actor, now=NOW)
    assert Unit.objects.count() == 0


def test_an_import_closing_a_loop_with_what_exists_is_refused(altura: Place) -> None:
    by = altura.owner.actor
    a = actions.add_unit(name="A", by=by, now=NOW)
    actions.add_unit(name="B", parent_id=a.id, by=by, now=NOW)
    assert not preview_units(text="A;B", by=by).usable


def test_reading_tables() -> None:
    assert [
        (u.line, u.name, u.parent, u.headcount) for u in read_units("Lyon\n\nDesk\tLyon\t1 200\nQ\t7")
    ] == [
        (1, "Lyon", "", None),
        (3, "Desk", "Lyon", 1200),
        (4, "Q", "", 7),
    ]
    cells = read_units("Headcount\tName\n12\tDesk\n")
    assert [(u.name, u.headcount) for u in cells] == [("Desk", 12)]
    assert [u.name for u in read_units("Name of the ship\nDesk")] == ["Name of the ship", "Desk"]
    assert read_units("  \n\n") == []
    with pytest.raises(Refused):
        read_units('"never closed')
