"""Reading what people paste: lists of e-mail addresses, tables of units. Pure: text in, frozen rows out."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext as _

from essaim.base.errors import Refused

_BETWEEN_ANGLES = re.compile(r"<([^<>]*)>")
_PARTS = re.compile(r"[,;\n\r\t]+")
_NAME_HEADERS = {"name", "nom", "unit", "unité", "unite"}
_PARENT_HEADERS = {"parent", "part of", "fait partie de", "rattachement"}
_HEADCOUNT_HEADERS = {"headcount", "effectif", "effectifs", "people", "personnes"}
_HEADERS = _NAME_HEADERS | _PARENT_HEADERS | _HEADCOUNT_HEADERS
MAX_NAME = 120
MAX_HEADCOUNT = 10_000_000


@dataclass(frozen=True)
class PastedAddresses:
    """Addresses in lower case, each once, in the order given; and the pieces that are not addresses."""

    addresses: tuple[str, ...]
    wrong: tuple[str, ...]


@dataclass(frozen=True)
class PastedUnit:
    """One line of a pasted table of units. `problem` says why it cannot be used (empty when it can)."""

    line: int
    name: str
    parent: str
    headcount: int | None
    problem: str = ""


def read_addresses(text: str) -> PastedAddresses:
    """Read addresses between spaces, commas, semicolons or lines; `Awa <awa@example.org>` is understood."""
    addresses: dict[str, None] = {}
    wrong: dict[str, None] = {}
    for part in _PARTS.split(text):
        between = _BETWEEN_ANGLES.search(part)
        for word in [between.group(1)] if between else part.split():
            address = word.strip().strip("\"'").lower()
            if not address:
                continue
            try:
                validate_email(address)
            except ValidationError:
                wrong[address] = None
            else:
                addresses[address] = None
    return PastedAddresses(tuple(addresses), tuple(wrong))


def read_units(text: str) -> list[PastedUnit]:
    """Read lines of `name; parent; headcount` (the last two optional), with or without a line of headings.

    A second column that is a number is a headcount. Any usual separator, which the first lines may lack.

    Raises:
        Refused: the text is not a table at all (a quote never closed).
    """
    lines = _rows(text)
    if not lines:
        return []
    heading = [cell.casefold() for cell in lines[0][1]]
    has_heading = any(cell in _NAME_HEADERS for cell in heading) and all(
        cell in _HEADERS or not cell for cell in heading
    )
    columns = heading if has_heading else []
    return [_unit(number, cells, columns) for number, cells in (lines[1:] if has_heading else lines)]


def _rows(text: str) -> list[tuple[int, list[str]]]:
    """Return the non-empty rows as (line number, cells). The separator is the one that most lines have.

    `base.tabular` looks at the first line only: a list of units often begins with a bare name.
    """
    lines = text.splitlines()
    mark = max("\t;|,", key=lambda candidate: sum(candidate in line for line in lines))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True)
    rows = []
    try:
        for cells in reader:
            stripped = [cell.strip() for cell in cells]
            if any(stripped):
                rows.append((reader.line_num, stripped))
    except csv.Error as error:
        raise Refused(
            "bad-csv",
            _("Line %(line)d cannot be read: %(why)s.") % {"line": reader.line_num, "why": error},
            field="text",
        ) from error
    return rows


def _unit(line: int, cells: Sequence[str], columns: Sequence[str]) -> PastedUnit:
    name, parent, headcount = _cells(cells, columns)
    count: int | None = None
    problem = ""
    if headcount:
        digits = re.sub(r"[\s\u00a0\u202f]", "", headcount)
        if digits.isascii() and digits.isdigit() and int(digits) <= MAX_HEADCOUNT:
            count = int(digits)
        else:
            problem = _("“%(value)s” is not a number of people.") % {"value": headcount}
    if not name:
        problem = _("The name is missing.")
    elif len(name) > MAX_NAME:
        problem = _("The name is longer than %(max)d characters.") % {"max": MAX_NAME}
    return PastedUnit(line=line, name=name, parent=parent, headcount=count, problem=problem)


def _cells(cells: Sequence[str], columns: Sequence[str]) -> tuple[str, str, str]:
    """Return (name, parent, headcount) as written."""
    if columns:
        named = dict(zip(columns, cells, strict=False))
        return tuple(  # type: ignore[return-value]
            next((value for column, value in named.items() if column in headers), "")
            for headers in (_NAME_HEADERS, _PARENT_HEADERS, _HEADCOUNT_HEADERS)
        )
    padded = [*cells, "", "", ""]
    if padded[1].isdigit() and not padded[2]:
        return padded[0], "", padded[1]
    return padded[0], padded[1], padded[2]
