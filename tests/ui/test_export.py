"""Downloads: what a spreadsheet reads back is what was there, and nothing in it runs."""

from __future__ import annotations

import csv
import io
import json
import math
from datetime import UTC, date, datetime

import numpy as np
import pytest
from django.test import RequestFactory
from django.utils.translation import gettext_lazy
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook

from essaim.ui import export
from essaim.ui.tables import Column, build

COLUMNS = (
    Column("text", "Texte", "text", heading=True),
    Column("share", "Part", "share", kind="percent"),
    Column("at", "Reçue", "at", kind="datetime"),
    Column("ok", "Vu", "ok", kind="bool"),
)
AT = datetime(2026, 3, 1, 9, 5, tzinfo=UTC)
ROWS = [
    {"text": "=HYPERLINK(1)", "share": 0.25, "at": AT, "ok": True},
    {"text": "Été ; d’abord, « oui »\nligne 2", "share": math.nan, "at": None, "ok": False},
    {"text": "-5 est un texte", "share": -0.5, "at": date(2026, 3, 2), "ok": None},
]


def read(kind: str, **options: object) -> bytes:
    response = export.respond(kind, COLUMNS, ROWS, "Énoncés", **options)  # type: ignore[arg-type]
    return b"".join(response.streaming_content)  # type: ignore[attr-defined]


def test_csv_read_back() -> None:
    text = read("csv").decode()
    assert text.startswith("\ufeffTexte,Part,Reçue,Vu\r\n")
    rows = list(csv.reader(io.StringIO(text[1:], newline="")))
    assert rows[1] == ["'=HYPERLINK(1)", "0.25", "2026-03-01T09:05:00+00:00", "true"]
    assert rows[2] == ["Été ; d’abord, « oui »\nligne 2", "", "", "false"]
    assert rows[3] == ["'-5 est un texte", "-0.5", "2026-03-02", ""]
    other = read("csv", bom=False, separator=";").decode()
    assert other.startswith("Texte;Part;")


@pytest.mark.parametrize(
    "start", ["=", "+", "-", "@", "\t=", "\r", "\n=1", " =1", "\u00a0@x", "＝", "＋", "－", "＠"]
)
def test_formulas_are_defused(start: str) -> None:
    assert export.neutral(f"{start}cmd") == f"'{start}cmd"


@given(st.text())
def test_whatever_the_text_a_cell_never_starts_as_a_formula(text: str) -> None:
    cell = export.neutral(text)
    assert cell in (text, "'" + text)
    assert not cell.lstrip().startswith(("=", "+", "-", "@"))


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_any_text_survives_csv(text: str) -> None:
    lines = "".join(export.csv_lines(COLUMNS[:1], [{"text": text}], bom=False))
    (_head, row) = csv.reader(io.StringIO(lines, newline=""))
    assert row[0].removeprefix("'") == text.removeprefix("'")


def test_xlsx_read_back() -> None:
    sheet = load_workbook(io.BytesIO(read("xlsx"))).active
    assert sheet is not None
    assert sheet.title == "Énoncés"
    assert sheet.freeze_panes == "A2"
    assert sheet.auto_filter.ref == "A1:D1"
    assert sheet["A1"].font.bold
    assert (sheet["A2"].value, sheet["A2"].data_type) == ("=HYPERLINK(1)", "s")
    assert (sheet["B2"].value, sheet["B2"].number_format) == (0.25, "0%")
    assert sheet["C2"].value == datetime(2026, 3, 1, 10, 5)  # local time: a workbook knows no time zones
    assert sheet["D2"].value is True
    assert sheet["B3"].value is None


def test_xlsx_takes_what_excel_refuses() -> None:
    file = export.xlsx_file(
        COLUMNS[:1], [{"text": "a\x00b\x0bc" + "x" * 40_000}], "bad [name]: */?\\ " + "y" * 40
    )
    sheet = load_workbook(file).active
    assert sheet is not None
    assert sheet["A2"].value.startswith("abc")
    assert len(sheet["A2"].value) == 32_767
    assert len(sheet.title) <= 31


def test_xlsx_goes_on_in_a_further_sheet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "SHEET_ROWS", 3)
    book = load_workbook(export.xlsx_file(COLUMNS[:1], [{"text": str(i)} for i in range(5)], "T"))
    assert [[cell.value for cell in sheet["A"]] for sheet in book] == [
        ["Texte", "0", "1"],
        ["Texte", "2", "3"],
        ["Texte", "4"],
    ]


def test_json_read_back() -> None:
    rows = json.loads(read("json"))
    assert rows[0] == {"text": "=HYPERLINK(1)", "share": 0.25, "at": "2026-03-01T09:05:00Z", "ok": True}
    assert rows[1]["share"] is None
    assert json.loads("".join(export.json_lines(COLUMNS, []))) == []


def test_plain_values() -> None:
    assert export.plain(np.float64(1.5)) == 1.5
    assert type(export.plain(np.int8(3))) is int
    assert export.plain(np.float32("nan")) is None
    assert export.plain(gettext_lazy("x")) == "x"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Énoncés d’été", "Énoncés d’été.csv"),
        ("../../etc/passwd", "etc passwd.csv"),
        ('a"b\r\nSet-Cookie: x', "a b Set-Cookie x.csv"),
        ("  ", "essaim.csv"),
        ("a" * 300, "a" * 100 + ".csv"),
        ("photo\u202egpj", "photo gpj.csv"),
    ],
)
def test_file_names(name: str, expected: str) -> None:
    assert export.file_name(name, "csv") == expected


def test_the_header_carries_accents_and_no_injection() -> None:
    response = export.respond("csv", COLUMNS, ROWS, 'Énoncés"\r\nX: y')
    header = response["Content-Disposition"]
    assert header.startswith("attachment; filename*=utf-8''%C3%89nonc%C3%A9s")
    assert "\n" not in header
    assert response["Cache-Control"] == "private, no-store"
    with pytest.raises(ValueError, match="csv, xlsx, json"):
        export.respond("pdf", COLUMNS, ROWS, "x")


def test_a_download_holds_the_whole_filtered_list() -> None:
    rows = [{"text": f"{i:03}"} for i in range(120)]
    request = RequestFactory().get("/?format=csv&q=1&bom=0&separator=semicolon&page=2")
    table = build(request, "T", COLUMNS[:1], rows, search=lambda row: row["text"])
    response = export.download(request, table, "T")
    assert response is not None
    text = b"".join(response.streaming_content).decode()  # type: ignore[attr-defined]
    assert text.count("\n") == 1 + sum("1" in row["text"] for row in rows)
    assert export.download(RequestFactory().get("/"), table, "T") is None
    assert export.download(RequestFactory().get("/?format=exe"), table, "T") is None


def test_large_lists_come_in_chunks() -> None:
    chunks = list(export.csv_lines(COLUMNS[:1], ({"text": "x" * 50} for _i in range(5_000))))
    assert len(chunks) >= 10
    assert max(map(len, chunks)) < 60_000
