"""Lists as accessible tables: caption, scopes, sorting and filters in the address, pages, downloads.

    COLUMNS = (
        Column("text", _("Statement"), "text", heading=True, wide=True),
        Column("agree", _("Agree"), lambda row: row.agrees / row.seen, kind="percent"),
        Column("at", _("Received"), "at", kind="datetime", order="created_at"),
        Column("state", _("State"), "state", show=lambda row: badge(row.state)),   # HTML, on the page only
    )

    def statements(request):
        table = build(request, _("Statements"), COLUMNS, rows, sort="-agree",
                      filters=(STATE,), search=lambda row: row.text)
        return download(request, table, "statements") or render(request, "...", {"table": table})  # export.py

    STATE = Filter("state", _("State"), (("shown", _("Shown")),), lambda row, value: row.state == value)

    {% table table %}

`rows` is a sequence or a QuerySet. A QuerySet is sorted by the database (`Column.order`, by default its name)
and filtered by the caller; a sequence is sorted and filtered here.
"""

import math
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from operator import attrgetter
from typing import Any, Literal

from django.core.paginator import Page, Paginator
from django.db.models import F, QuerySet
from django.http import HttpRequest, QueryDict
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from essaim.ui import numbers
from essaim.ui.shell import Label

Kind = Literal["text", "number", "percent", "date", "datetime", "bool"]
FORMATS = ("csv", "xlsx", "json")


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `value`: a path ("unit.name") or a function of the row; it is sorted and exported."""

    name: str
    label: Label
    value: str | Callable[[Any], Any]
    kind: Kind = "text"
    show: Callable[[Any], Any] | None = None
    sortable: bool = True
    order: str = ""
    heading: bool = False
    wide: bool = False

    def of(self, row: Any) -> Any:
        """The value of this column in a row (None when a link on the path is missing)."""
        if callable(self.value):
            return self.value(row)
        try:
            return attrgetter(self.value)(row)
        except AttributeError:
            return row.get(self.value) if isinstance(row, dict) else None

    @property
    def numeric(self) -> bool:
        """Whether the column is aligned to the right."""
        return self.kind in ("number", "percent")


@dataclass(frozen=True, slots=True)
class Filter:
    """A choice in the address (?name=value). `keep(row, value)` decides for sequences."""

    name: str
    label: Label
    choices: Sequence[tuple[str, Label]]
    keep: Callable[[Any, str], bool] | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """A column's head as the template needs it."""

    column: Column
    url: str
    sorted: Literal["", "ascending", "descending"]


@dataclass(frozen=True, slots=True)
class Table:
    """A table ready for `{% table %}` and for `export.download`."""

    caption: Label
    columns: tuple[Column, ...]
    rows: Any
    page: Page[Any]
    params: QueryDict
    sort: str
    filters: tuple[Filter, ...] = ()
    searchable: bool = False
    formats: tuple[str, ...] = FORMATS
    empty: Label = ""

    def url(self, **changes: str | int | None) -> str:
        """The current address with parameters replaced (None removes one)."""
        params = self.params.copy()
        for name, value in changes.items():
            if value is None:
                params.pop(name, None)
            else:
                params[name] = str(value)
        return "?" + params.urlencode()

    @property
    def heads(self) -> list[Head]:
        """The heads, each with the address that sorts by it (a second time: the other way round)."""
        found = []
        for column in self.columns:
            state: Literal["", "ascending", "descending"] = ""
            if self.sort.lstrip("-") == column.name:
                state = "descending" if self.sort.startswith("-") else "ascending"
            target = f"-{column.name}" if state == "ascending" else column.name
            found.append(Head(column, self.url(sort=target, page=None) if column.sortable else "", state))
        return found

    @property
    def body(self) -> list[list[tuple[Column, Any]]]:
        """The rows of the page: (column, what to show)."""
        return [
            [(c, c.show(row) if c.show else text_of(c.of(row), c.kind)) for c in self.columns]
            for row in self.page
        ]

    @property
    def chosen(self) -> list[tuple[Filter, str]]:
        """Each filter with its value in the address."""
        return [(one, self.params.get(one.name, "")) for one in self.filters]

    @property
    def searched(self) -> str:
        """What is searched for."""
        return self.params.get("q", "")

    @property
    def filtered(self) -> bool:
        """Whether something narrows the list."""
        return bool(self.searched or any(value for _one, value in self.chosen))

    @property
    def downloads(self) -> list[tuple[str, str]]:
        """(CSV, address) and so on, for the whole filtered list."""
        return [(name.upper(), self.url(format=name, page=None)) for name in self.formats]

    @property
    def previous_url(self) -> str:
        """The address of the page before."""
        return self.url(page=self.page.previous_page_number()) if self.page.has_previous() else ""

    @property
    def next_url(self) -> str:
        """The address of the page after."""
        return self.url(page=self.page.next_page_number()) if self.page.has_next() else ""


def text_of(value: Any, kind: Kind = "text") -> str:
    """A value as people read it in the active language."""
    if value is None or value == "" or (isinstance(value, float) and not math.isfinite(value)):
        return numbers.MISSING
    if kind == "percent":
        return numbers.percent(value)
    if kind == "bool" or isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, datetime):
        moment = timezone.localtime(value) if timezone.is_aware(value) else value
        return date_format(moment, "DATE_FORMAT" if kind == "date" else "SHORT_DATETIME_FORMAT")
    if isinstance(value, date):
        return date_format(value, "DATE_FORMAT")
    return numbers.number(value) if isinstance(value, int | float) else str(value)


def folded(text: object) -> str:
    """Lower case without accents, for sorting and searching ("Éole" beside "eole")."""
    apart = unicodedata.normalize("NFKD", str(text).casefold())
    return "".join(letter for letter in apart if not unicodedata.combining(letter))


def _sorted(rows: Iterable[Any], column: Column, *, down: bool) -> list[Any]:
    def key(row: Any) -> Any:
        value = column.of(row)
        return folded(value) if isinstance(value, str) else value

    known: list[Any] = []
    missing: list[Any] = []
    for row in rows:
        value = column.of(row)
        (missing if value is None or (isinstance(value, float) and math.isnan(value)) else known).append(row)
    return sorted(known, key=key, reverse=down) + missing  # what is missing comes last either way


def build(
    request: HttpRequest,
    caption: Label,
    columns: Sequence[Column],
    rows: Sequence[Any] | QuerySet[Any],
    *,
    sort: str = "",
    filters: Sequence[Filter] = (),
    search: Callable[[Any], str] | None = None,
    searchable: bool = False,
    per_page: int = 50,
    formats: Sequence[str] = FORMATS,
    empty: Label = "",
) -> Table:
    """Read sort, filters, search and page from the address and return the table, ignoring what is unknown."""
    by_name = {column.name: column for column in columns if column.sortable}
    asked = request.GET.get("sort", "")
    chosen = asked if asked.removeprefix("-") in by_name else sort
    column = by_name.get(chosen.removeprefix("-"))
    found: Any = rows
    if isinstance(rows, QuerySet):
        if column is not None:
            field = F(column.order or column.name)
            down = chosen.startswith("-")
            found = rows.order_by(field.desc(nulls_last=True) if down else field.asc(nulls_last=True), "pk")
    else:
        for one in filters:
            value = request.GET.get(one.name, "")
            if value and one.keep is not None and value in {code for code, _label in one.choices}:
                found = [row for row in found if one.keep(row, value)]
        if search is not None and (needle := folded(request.GET.get("q", "").strip())):
            found = [row for row in found if needle in folded(search(row))]
        if column is not None:
            found = _sorted(found, column, down=chosen.startswith("-"))
    page = Paginator(found, per_page).get_page(request.GET.get("page"))
    return Table(
        caption,
        tuple(columns),
        found,
        page,
        request.GET.copy(),
        chosen,
        tuple(filters),
        searchable or search is not None,
        tuple(formats),
        empty,
    )
