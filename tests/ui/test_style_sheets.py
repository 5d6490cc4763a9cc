"""The style sheets: readable in both themes, light, nothing that the content security policy would stop."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

import essaim.ui

UI = Path(essaim.ui.__file__).parent
STATIC = UI / "static/ui"
CSS = (STATIC / "essaim.css").read_text()
INKS = ("text", "muted", "accent", "agree", "disagree", "bad", "warn", "pass")
PAIRS = [
    *((ink, back) for ink in INKS for back in ("bg", "surface")),
    *((ink, f"{ink}-soft") for ink in ("accent", "agree", "disagree", "bad", "warn", "pass")),
    *(("text", back) for back in ("sunken", "accent-soft", "honey-soft")),
    *(("on-accent", back) for back in ("accent", "accent-strong")),
    ("muted", "sunken"),
    ("bg", "text"),
]
EDGES = [("edge", "bg"), ("edge", "surface"), ("accent", "bg"), ("agree", "surface"), ("disagree", "surface")]


def tokens(block: str) -> dict[str, str]:
    return dict(re.findall(r"--([a-z0-9-]+):\s*([^;]+);", block))


def block(opening: str) -> dict[str, str]:
    start = CSS.index(opening)
    return tokens(CSS[start : CSS.index("}", start)])


LIGHT = block(":root {")
BY_SYSTEM = block(':root:not([data-theme="light"]) {')
BY_CHOICE = block(':root[data-theme="dark"] {')
THEMES = {"light": LIGHT, "dark": {**LIGHT, **BY_CHOICE}}


def luminance(colour: str) -> float:
    assert re.fullmatch(r"#[0-9a-f]{6}", colour), colour
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_that_of_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)  # the usual near miss of WCAG


def test_both_ways_to_the_dark_theme_give_the_same_colours() -> None:
    assert BY_SYSTEM == BY_CHOICE
    assert len(BY_SYSTEM) > 20


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(("text", "back"), PAIRS)
def test_text_reaches_aa(theme: str, text: str, back: str) -> None:
    assert contrast(THEMES[theme][text], THEMES[theme][back]) >= 4.5


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(("edge", "back"), EDGES)
def test_edges_of_controls_and_marks_reach_3_to_1(theme: str, edge: str, back: str) -> None:
    assert contrast(THEMES[theme][edge], THEMES[theme][back]) >= 3


def test_text_on_the_heat_map_reaches_aa_on_every_class() -> None:
    charts = (STATIC / "charts.css").read_text()
    fills = dict(re.findall(r"\.heat-(\d) \{ fill: (#[0-9a-f]{6})", charts))
    assert sorted(fills) == ["1", "2", "3", "4", "5"]
    for level, fill in fills.items():
        assert contrast(fill, "#1d1b26" if int(level) <= 3 else "#ffffff") >= 4.5, level


def test_every_token_used_exists() -> None:
    used = {
        name for path in STATIC.glob("*.css") for name in re.findall(r"var\(--([a-z0-9-]+)", path.read_text())
    }
    assert used <= set(LIGHT), used - set(LIGHT)


def test_weights() -> None:
    def zipped(*names: str) -> int:
        return len(gzip.compress("".join((STATIC / name).read_text() for name in names).encode(), 9))

    assert zipped("essaim.css", "charts.css", "screen.css") <= 10_240
    assert zipped("essaim.js") <= 3_072
    assert zipped("map.js") <= 3_072


def test_people_who_need_it_are_heard() -> None:
    for query in (
        "prefers-reduced-motion",
        "forced-colors: active",
        "prefers-color-scheme: dark",
        "@media print",
    ):
        assert query in CSS


@pytest.mark.parametrize("path", sorted((UI / "templates").rglob("*.html")), ids=lambda path: path.name)
def test_templates_need_no_hole_in_the_security_policy(path: Path) -> None:
    html = path.read_text()
    assert not re.search(r"\sstyle\s*=", html)
    assert not re.search(r"<style\b", html)
    assert not re.search(r"\son[a-z]+\s*=", html)
    assert not re.search(r"<script(?![^>]*\bsrc=)", html)
