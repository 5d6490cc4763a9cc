"""Reading what people paste or upload: any usual encoding, any usual separator, with the line at fault in every refusal."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from django.utils.translation import gettext as _

from essaim.base.errors import Refused

MAX_BYTES = 4_000_000
SEPARATORS = ",;\t|"


def decode(content: bytes) -> str:
    """Return the text of an uploaded file: UTF-8 (with or without its mark), UTF-16 with its mark, else Windows-1252.

    Raises:
        Refused: too large, or not text at all.
    """
    if len(content) > MAX_BYTES:
        raise Refused("too-large", _("This file is larger than 4 MB."), field="file")
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encoding = "utf-16"
    else:
        encoding = "utf-8-sig"
        if b"\0" in content:
            raise Refused(
                "not-text", _("This is not a text file. Save the sheet as CSV and try again."), field="file"
            )
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


def separator_of(text: str) -> str:
    """Return the separator that splits the first non-empty line into the most columns (a comma when none does)."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    return max(SEPARATORS, key=lambda mark: len(next(csv.reader([first], delimiter=mark), [])))


def rows(text: str) -> list[tuple[int, Sequence[str]]]:
    """Return the non-empty rows as (line number, cells), cells stripped.

    Raises:
        Refused: a quote that never closes, or another fault of the CSV itself.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator_of(text), strict=True)
    found: list[tuple[int, Sequence[str]]] = []
    try:
        for cells in reader:
            stripped = [cell.strip() for cell in cells]
            if any(stripped):
                found.append((reader.line_num, stripped))
    except csv.Error as error:
        raise Refused(
            "bad-csv",
            _("Line %(line)d cannot be read: %(why)s.") % {"line": reader.line_num, "why": error},
            field="file",
        ) from error
    return found
