"""Tables: sorting, filters, search and pages from the address; markup that a screen reader follows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime

import pytest
from django.template import Context, Template
from django.test import RequestFactory
from django.utils import translation

from essaim.ui.tables import Column, Filter, Table, build, folded, text_of


@dataclass(frozen=True)
class Row:
    name: str
    votes: int | None
    state: str = "shown"


ROWS = [Row("zèbre", 3), Row("Éole", None), Row("eau", 10, "hidden"), Row("abri", 3)]
COLUMNS = (Column("name", "Name", "name", heading=True), Column("votes", "Votes", "votes", kind="number"))
STATES = Filter(
    "state", "State", (("shown", "Shown"), ("hidden", "Hidden")), lambda row, value: row.state == value
)


def made(address: str = "/", rows: list[Row] | None = None, **options: object) -> Table:
    asked = RequestFactory().get(address)
    return build(asked, "People", COLUMNS, ROWS if rows is None else rows, **options)  # type: ignore[arg-type]


def names(table: Table) -> list[str]:
    return [row.name for row in table.page]


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("/", ["zèbre", "Éole", "eau", "abri"]),
        ("/?sort=name", ["abri", "eau", "Éole", "zèbre"]),
        ("/?sort=-name", ["zèbre", "Éole", "eau", "abri"]),
        ("/?sort=votes", ["zèbre", "abri", "eau", "Éole"]),
        ("/?sort=-votes", ["eau", "zèbre", "abri", "Éole"]),
        ("/?sort=password", ["zèbre", "Éole", "eau", "abri"]),
        ("/?state=hidden", ["eau"]),
        ("/?state=everything", ["zèbre", "Éole", "eau", "abri"]),
        ("/?q=EOLE", ["Éole"]),
        ("/?q=zebre&state=hidden", []),
    ],
)
def test_the_address_decides(address: str, expected: list[str]) -> None:
    assert names(made(address, filters=(STATES,), search=lambda row: row.name)) == expected


def test_pages_are_kept_inside_the_list() -> None:
    rows = [Row(f"{i:03}", i) for i in range(120)]
    assert len(names(made("/", rows))) == 50
    assert names(made("/?page=3", rows))[0] == "100"
    assert names(made("/?page=99", rows))[0] == "100"
    assert names(made("/?page=x", rows))[0] == "000"
    assert made("/?page=2&sort=name", rows).next_url == "?page=3&sort=name"
    assert made("/?page=2&sort=name", rows).previous_url == "?page=1&sort=name"
    assert made("/?page=3", rows).next_url == ""


def test_a_head_sorts_then_turns_round_and_goes_back_to_the_first_page() -> None:
    heads = made("/?sort=name&page=1&q=a").heads
    assert (heads[0].sorted, heads[0].url) == ("ascending", "?sort=-name&q=a")
    assert (heads[1].sorted, heads[1].url) == ("", "?sort=votes&q=a")
    assert made("/?sort=-name").heads[0].sorted == "descending"


@pytest.mark.django_db
def test_a_queryset_is_sorted_by_the_database() -> None:
    from django.contrib.auth import get_user_model

    users = get_user_model()
    for name in ("b", "a", "c"):
        users.objects.create_user(username=name)
    columns = (Column("who", "Who", "username", order="username"),)
    table = build(RequestFactory().get("/?sort=-who"), "People", columns, users.objects.all())
    assert [one.username for one in table.page] == ["c", "b", "a"]


def test_markup() -> None:
    rows = [Row("<b>x</b>", 1234), *ROWS]
    with translation.override("fr"):
        asked = RequestFactory().get("/?sort=-votes&state=shown")
        table = build(asked, "Personnes", COLUMNS, rows, filters=(STATES,), search=lambda row: row.name)
        html = Template("{% load ui %}{% table table %}").render(Context({"table": table}))
    assert "<caption>Personnes</caption>" in html
    assert 'tabindex="0" aria-label="Personnes"' in html
    assert '<th scope="col" class="num" aria-sort="descending">' in html
    assert '<th scope="row">&lt;b&gt;x&lt;/b&gt;</th>' in html
    assert '<td class="num">1\u202f234</td>' in html
    assert '<option value="shown" selected>' in html
    assert 'href="?sort=-votes&amp;state=shown&amp;format=xlsx"' in html
    assert "4 lignes" in html


def test_an_empty_table_says_why() -> None:
    def shown(table: Table) -> str:
        with translation.override("en"):
            return Template("{% load ui %}{% table table %}").render(Context({"table": table}))

    assert "Nothing here yet." in shown(made("/", []))
    assert "Invite somebody." in shown(made("/", [], empty="Invite somebody."))
    assert "Clear the filters" in shown(made("/?q=nobody", search=lambda row: row.name))
    assert "format=csv" not in shown(made("/", []))


def test_values_as_people_read_them() -> None:
    with translation.override("fr"):
        assert text_of(None) == "–"
        assert text_of(True) == "oui"
        assert text_of(0.5, "percent") == "50\u202f%"
        assert text_of(date(2026, 3, 1)) == "1 mars 2026"
        assert text_of(datetime(2026, 3, 1, 9, 5, tzinfo=UTC)).startswith("01/03/2026 10:05")
    assert folded("ÉLÈVE Œuvre") == folded("eleve œuvre")


def test_a_value_may_be_a_path_a_function_or_a_key() -> None:
    assert Column("a", "A", "state.missing").of(ROWS[0]) is None
    assert Column("a", "A", lambda row: row.votes + 1).of(ROWS[0]) == 4
    assert Column("a", "A", "votes").of({"votes": 7}) == 7
