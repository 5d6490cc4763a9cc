"""Lists out of the product: CSV, XLSX and JSON, streamed, safe to open in a spreadsheet.

    download(request, table, "statements")     None, or the file asked for by ?format=csv|xlsx|json
    respond("csv", columns, rows, "statements")     the same without a table

CSV: RFC 4180, UTF-8; `?bom=0` leaves out the byte-order mark that Excel wants, `?separator=semicolon` suits a
French Excel. A text that a spreadsheet would run as a formula gets a leading apostrophe (OWASP, "CSV
injection"); in XLSX it is typed as text and needs none. Values are raw (full precision, ISO 8601 dates,
true/false), not localised.
"""

import csv
import io
import math
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.http import FileResponse, HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.http import content_disposition_header
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter

from essaim.ui.tables import FORMATS, Column, Table

FORMULA = re.compile(r"^[\s\x00-\x1f\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20]|^[\t\r\n]")
SHEET_ROWS = 1_048_576
CELL_LENGTH = 32_767
CHUNK = 500
TYPES = {
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
XLSX_FORMATS = {"percent": "0%", "date": "yyyy-mm-dd", "datetime": "yyyy-mm-dd hh:mm"}


def neutral(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula."""
    return "'" + text if FORMULA.match(text) else text


def plain(value: Any) -> Any:
    """A value as exported: lazy texts resolved, NaN and infinities as None, everything unknown as text."""
    if value is None or isinstance(value, bool | int | str | date | time):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if hasattr(value, "item") and not isinstance(value, Promise):  # numpy scalars
        return plain(value.item())
    return str(value)


def csv_lines(
    columns: Sequence[Column], rows: Iterable[Any], *, bom: bool = True, separator: str = ","
) -> Iterator[str]:
    """Yield a CSV file in chunks of text, its header first."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, delimiter=separator)
    if bom:
        buffer.write("\ufeff")
    writer.writerow([neutral(str(column.label)) for column in columns])
    for index, row in enumerate(rows):
        writer.writerow([_csv_cell(column.of(row)) for column in columns])
        if index % CHUNK == CHUNK - 1:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


def _csv_cell(value: Any) -> Any:
    value = plain(value)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return neutral(value)
    return value.isoformat() if isinstance(value, date | time) else value


def json_lines(columns: Sequence[Column], rows: Iterable[Any]) -> Iterator[str]:
    """Yield a JSON array of objects keyed by the columns' names, one object a line."""
    encoder = DjangoJSONEncoder(ensure_ascii=False, allow_nan=False)
    yield "["
    for index, row in enumerate(rows):
        record = {column.name: plain(column.of(row)) for column in columns}
        yield ("\n" if index == 0 else ",\n") + encoder.encode(record)
    yield "\n]\n"


def xlsx_file(
    columns: Sequence[Column], rows: Iterable[Any], title: str = "Essaim"
) -> tempfile.SpooledTemporaryFile[bytes]:
    """Write a workbook: frozen header with filters, typed cells; a new sheet every 1,048,575 rows."""
    book = Workbook(write_only=True)
    sheet: Any = None
    left = 0
    sheets = 0
    name = re.sub(r"[\[\]:*?/\\\x00-\x1f]", " ", title).strip("' ") or "Essaim"
    for row in rows:
        if left == 0:
            sheets += 1
            sheet = _sheet(book, columns, name[:26] + (f" ({sheets})" if sheets > 1 else ""))
            left = SHEET_ROWS - 1
        sheet.append([_xlsx_cell(sheet, column.of(row), column.kind) for column in columns])
        left -= 1
    if sheet is None:
        _sheet(book, columns, name[:26])
    out: tempfile.SpooledTemporaryFile[bytes] = tempfile.SpooledTemporaryFile(max_size=2_000_000)  # noqa: SIM115 - handed over
    book.save(out)
    out.seek(0)
    return out


def _sheet(book: Workbook, columns: Sequence[Column], name: str) -> Any:
    sheet = book.create_sheet(name)
    sheet.freeze_panes = "A2"
    sheet.auto_filter.ref = f"A1:{get_column_letter(max(1, len(columns)))}1"
    header = []
    for index, column in enumerate(columns, start=1):
        width = 60 if column.wide or column.heading else max(12, min(40, len(str(column.label)) + 4))
        sheet.column_dimensions[get_column_letter(index)].width = width
        cell = _xlsx_cell(sheet, str(column.label), "text")
        cell.font = Font(bold=True, color="FFFFFF")
        cell.fill = PatternFill("solid", fgColor="4B3FD1")
        cell.alignment = Alignment(vertical="center", wrap_text=True)
        header.append(cell)
    sheet.append(header)
    return sheet


def _xlsx_cell(sheet: Any, value: Any, kind: str) -> Any:
    value = plain(value)
    if isinstance(value, datetime) and timezone.is_aware(value):
        value = timezone.localtime(value).replace(tzinfo=None)  # a workbook knows no time zones
    if isinstance(value, str):
        value = ILLEGAL_CHARACTERS_RE.sub("", value)[:CELL_LENGTH]
    cell = WriteOnlyCell(sheet, value=value)
    if isinstance(value, str):
        cell.data_type = "s"  # never a formula, whatever it starts with
    elif value is not None and kind in XLSX_FORMATS:
        cell.number_format = XLSX_FORMATS[kind]
    return cell


def file_name(name: str, extension: str) -> str:
    """A name that every system accepts, accents kept: no path, no reserved character, at most 100 long."""
    kept = re.sub(r"[\x00-\x1f\x7f<>:\"/\\|?*\u2028\u2029\u202a-\u202e]+", " ", name)
    kept = re.sub(r"\s+", " ", kept).strip(" .")[:100].rstrip(" .")
    return f"{kept or 'essaim'}.{extension}"


def respond(
    kind: str,
    columns: Sequence[Column],
    rows: Iterable[Any],
    name: str,
    *,
    bom: bool = True,
    separator: str = ",",
) -> HttpResponseBase:
    """The response that downloads a list.

    Raises:
        ValueError: `kind` is none of csv, xlsx, json.
    """
    response: HttpResponseBase
    if kind == "csv":
        response = StreamingHttpResponse(
            csv_lines(columns, rows, bom=bom, separator=separator), content_type=TYPES[kind]
        )
    elif kind == "json":
        response = StreamingHttpResponse(json_lines(columns, rows), content_type=TYPES[kind])
    elif kind == "xlsx":
        response = FileResponse(xlsx_file(columns, rows, name), content_type=TYPES[kind])
    else:
        raise ValueError(f"unknown format {kind!r}: use {', '.join(FORMATS)}")
    disposition = content_disposition_header(True, file_name(name, kind))
    response["Content-Disposition"] = disposition or "attachment"
    response["Cache-Control"] = "private, no-store"
    return response


def download(request: HttpRequest, table: Table, name: str) -> HttpResponseBase | None:
    """The whole filtered list as the file asked for in the address, or None when a page is asked for."""
    kind = request.GET.get("format", "")
    if kind not in table.formats:
        return None
    rows = table.rows.iterator(chunk_size=2000) if hasattr(table.rows, "iterator") else table.rows
    separator = ";" if request.GET.get("separator") == "semicolon" else ","
    return respond(kind, table.columns, rows, name, bom=request.GET.get("bom") != "0", separator=separator)
