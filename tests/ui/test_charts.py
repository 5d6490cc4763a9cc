"""Charts: well-formed, escaped, with a table that says the same, and the difficult cases of each."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from django.utils import translation

from essaim.ui import charts, samples
from essaim.ui.charts.canvas import WIDE, text_width, ticks, wrap
from essaim.ui.charts.heat import heat_class

SVG = "{http://www.w3.org/2000/svg}"
NASTY = '<script>alert("x")</script> & d’été'


@pytest.fixture(autouse=True)
def english():
    with translation.override("en"):
        yield


def root(svg: str) -> ET.Element:
    found = re.search(r"<svg.*</svg>", svg, re.DOTALL)
    assert found
    return ET.fromstring(found.group())


def marks(svg: str, name: str, css: str) -> list[ET.Element]:
    return [one for one in root(svg).iter(SVG + name) if css in one.get("class", "").split()]


@pytest.mark.parametrize("index", range(7))
@pytest.mark.parametrize("language", ["fr", "en"])
def test_every_chart_is_named_well_formed_inside_its_box_and_free_of_styles(
    index: int, language: str
) -> None:
    with translation.override(language):
        chart = samples.all_charts()[index]
    for svg in (chart.svg, chart.narrow):
        tree = root(svg)
        assert tree.get("role") == "img"
        assert chart.title in tree.get("aria-label", "")
        assert tree[0].tag == SVG + "title"
        assert "style=" not in svg
        assert " id=" not in svg
        width, height = map(float, tree.get("viewBox", "").split()[2:])
        for one in tree.iter(SVG + "text"):
            if one.get("transform"):
                continue
            x, y = float(one.get("x") or one[-1].get("x", 0)), float(one.get("y") or one[-1].get("y", 0))
            shown = "".join(t.text or "" for t in one.iter(SVG + "tspan")) or "".join(one.itertext())
            anchor = one.get("class", "")
            wide = 0.0 if list(one.iter(SVG + "tspan")) else text_width(shown, 11.5)
            left = x - wide if "t-end" in anchor else x - wide / 2 if "t-mid" in anchor else x
            assert left >= -9, shown
            assert left + wide <= width + 9, shown
            assert 0 <= y <= height, shown
    assert "<table" in chart.table


def test_texts_are_escaped_everywhere() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    made = [
        charts.line(
            NASTY, [charts.Series(NASTY, (charts.Point(1, 1), charts.Point(2, 3)))] * 2, reference=(NASTY, 2)
        ),
        charts.opinion_bars(NASTY, [charts.Votes(NASTY, 3, 2, 1)]),
        charts.forest(NASTY, [charts.Effect(NASTY, 1, 0, 2)], reference=(NASTY, 0)),
        charts.heat_map(NASTY, [NASTY], [NASTY] * 30, [[charts.Cell(2, 9)] * 30]),
        charts.opinion_map(NASTY, [charts.Blob("A", 10, 0, 0)], summary=NASTY),
        charts.phases(NASTY, [charts.Phase(NASTY, now, None, "current")], now=now),
        charts.sparkline(NASTY, [1, 2]),
    ]
    for chart in made:
        for html in (chart.svg, chart.narrow, chart.table):
            assert "<script" not in html
        assert "&lt;script&gt;" in chart.svg
        assert root(chart.svg).findtext(SVG + "title") == NASTY


def test_line_draws_a_hole_a_band_and_a_reference() -> None:
    points = tuple(
        charts.Point(date(2026, 1, i + 1), None if i == 2 else float(i), i - 1.0, i + 1.0, n=7)
        for i in range(5)
    )
    chart = charts.line("t", [charts.Series("s", points)], reference=("goal", 3))
    (path,) = marks(chart.svg, "path", "line")
    assert path.get("d", "").count("M") == 2
    assert len(marks(chart.svg, "circle", "point")) == 4
    assert len(marks(chart.svg, "path", "band")) == 1
    assert len(marks(chart.svg, "path", "reference")) == 1
    assert chart.twin.rows[3] == ("Jan. 4, 2026", "3 (2 – 4), n = 7")
    assert chart.twin.rows[2][1].startswith("–")


def test_line_of_one_point_of_equal_values_and_of_nothing() -> None:
    one = charts.line("t", [charts.Series("s", (charts.Point(1, 5.0),))])
    flat = charts.line("t", [charts.Series("s", (charts.Point(1, 5.0), charts.Point(2, 5.0)))])
    none = charts.line("t", [charts.Series("s", (charts.Point(1, None),))])
    assert len(marks(one.svg, "circle", "point")) == 1
    assert len(marks(flat.svg, "circle", "point")) == 2
    assert "No data yet" in none.svg
    with pytest.raises(ValueError, match="four"):
        charts.line("t", [charts.Series(str(i), ()) for i in range(5)])


def test_bars_are_as_wide_as_the_shares_and_say_them() -> None:
    chart = charts.opinion_bars("t", [charts.Votes("s", 60, 30, 10), charts.Votes("nobody", 0, 0)])
    agree, disagree, passed = (
        float(marks(chart.svg, "rect", css)[0].get("width", 0)) for css in ("b-agree", "b-disagree", "b-pass")
    )
    assert agree == pytest.approx(2 * disagree, abs=0.2)
    assert agree == pytest.approx(6 * passed, abs=0.4)
    assert "✓ 60%" in chart.svg
    assert "n = 100" in chart.svg
    assert chart.twin.rows == (("s", "60%", "30%", "10%", "100"), ("nobody", "–", "–", "–", "0"))


def test_forest_says_which_side_of_the_reference() -> None:
    rows = [
        charts.Effect("up", 2, 1, 3),
        charts.Effect("none", 0, -1, 1),
        charts.Effect("down", -2, -3, -1, 12),
    ]
    chart = charts.forest(
        "t", [*rows, charts.Effect("?", None, None, None, 2)], reference=("no difference", 0)
    )
    assert [row[-1] for row in chart.twin.rows] == ["above", "undecided", "below", "–"]
    assert len(marks(chart.svg, "circle", "estimate")) == 3
    assert "Not enough data" in chart.svg


def test_heat_map_keeps_suppressed_cells_silent() -> None:
    cells = [
        [charts.Cell(1.0, 12), charts.Cell(4.3, 3, suppressed=True)],
        [charts.Cell(5.0, 7), charts.Cell(None)],
    ]
    chart = charts.heat_map("t", ["a", "b"], ["u", "v"], cells)
    for html in (chart.svg, chart.narrow, chart.table):
        assert "4.3" not in html
        assert "n 3" not in html
    assert "not shown" in chart.table
    assert len(marks(chart.svg, "path", "heat-hatch")) == 2  # the cell and its legend
    assert "fewer than 5 answers" in chart.table
    with pytest.raises(ValueError, match="2 rows of 1"):
        charts.heat_map("t", ["a", "b"], ["u"], cells)
    with pytest.raises(ValueError, match="under top"):
        charts.heat_map("t", ["a"], ["u"], [[charts.Cell(1.0)]], low=5, top=5)


def test_heat_classes_cover_the_scale() -> None:
    assert [heat_class(v, 1, 5) for v in (1, 1.79, 1.8, 3, 4.19, 4.2, 5)] == [1, 1, 2, 3, 4, 5, 5]


def test_a_wide_heat_map_scrolls_in_its_own_region() -> None:
    chart = charts.heat_map("t", ["a"], [f"Unit {i}" for i in range(40)], [[charts.Cell(3.0, 9)] * 40])
    assert chart.svg.startswith('<div class="scroll-x" role="group" tabindex="0" aria-label="t">')
    assert float(root(chart.svg).get("width", 0)) > WIDE


def test_opinion_map_shows_nothing_of_fewer_than_five_people() -> None:
    x, y = np.zeros(12), np.zeros(12)
    x[8:] = 50.0  # four people far away from the others
    group = np.array([0] * 8 + [1] * 4)
    blobs = [charts.Blob("A", 8, 0, 0), charts.Blob("B", 4, 50, 0)]
    chart = charts.opinion_map("t", blobs, x=x, y=y, group=group)
    assert len(marks(chart.svg, "path", "hex")) == 1
    assert not marks(chart.svg, "circle", "g-B")
    assert [row[0] for row in chart.twin.rows] == ["A"]
    assert "fewer than 5" in chart.twin.note
    nobody = charts.opinion_map("t", blobs[1:])
    assert "Not enough votes" in nobody.svg


def test_opinion_map_hexagons_hold_their_people_and_their_colour() -> None:
    x, y, group = samples.people(4000)
    blobs = [
        charts.Blob("ABC"[i], int((group == i).sum()), x[group == i].mean(), y[group == i].mean())
        for i in range(3)
    ]
    chart = charts.opinion_map("t", blobs, x=x, y=y, group=group, you=(0.0, 0.0))
    drawn = marks(chart.svg, "path", "hex")
    assert len(drawn) > 60
    colours = {one.get("class", "").split()[1] for one in drawn}
    assert colours == {"g-A", "g-B", "g-C"}
    assert {one.get("class", "").split()[2] for one in drawn} == {"d1", "d2", "d3", "d4"}
    assert len(marks(chart.svg, "path", "you")) == 1
    with pytest.raises(ValueError, match="same length"):
        charts.opinion_map("t", blobs, x=[1.0], y=[1.0], group=[])


def test_phases_say_their_state_and_keep_their_order_in_time() -> None:
    now = datetime(2026, 1, 1, 12, tzinfo=UTC)
    hour = timedelta(hours=1)
    chart = charts.phases(
        "t", [charts.Phase("a", now - hour, now, "done"), charts.Phase("b", now, None, "current")], now=now
    )
    first, second = (marks(chart.svg, "rect", css)[0] for css in ("phase-done", "phase-current"))
    assert float(first.get("x", 0)) + float(first.get("width", 0)) <= float(second.get("x", 0)) + 0.2
    assert [row[1] for row in chart.twin.rows] == ["done", "current"]
    assert chart.twin.rows[1][3] == "open"


def test_sparkline_names_its_ends() -> None:
    chart = charts.sparkline("Votes", [3, None, 9])
    assert root(chart.svg).get("aria-label") == "Votes. from 3 to 9"
    assert "No data yet" in charts.sparkline("Votes", []).svg


def test_ticks_are_round_and_cover() -> None:
    assert ticks(0, 1) == [0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert ticks(3, 97)[0] <= 3
    assert ticks(3, 97)[-1] >= 97
    assert ticks(5, 5)[0] < 5 < ticks(5, 5)[-1]
    assert ticks(float("nan"), 1) == [0.0, 1.0]


def test_wrapping_fits_and_loses_nothing_but_the_end() -> None:
    text = "La dématérialisation anticonstitutionnellementinterdépartementale des bons"
    lines = wrap(text, 150, 9)
    assert all(text_width(line) <= 150 for line in lines)
    assert "".join(lines).replace("-", "").replace(" ", "") == text.replace(" ", "")
    short = wrap(text, 150, 2)
    assert len(short) == 2
    assert short[-1].endswith("…")
    assert wrap("", 100, 2) == [""]
