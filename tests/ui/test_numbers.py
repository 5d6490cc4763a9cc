"""Numbers as people read them."""

from __future__ import annotations

import math

import pytest

from essaim.ui.numbers import interval, number, percent, signed


@pytest.mark.parametrize(
    ("value", "digits", "french", "english"),
    [
        (0, None, "0", "0"),
        (12345.6, None, "12\u202f345,6", "12,345.6"),
        (1234567, 0, "1\u202f234\u202f567", "1,234,567"),
        (3.14159, None, "3,14", "3.14"),
        (3.1, 2, "3,10", "3.10"),
        (-0.5, 1, "\u22120,5", "\u22120.5"),
        (-0.001, 1, "0,0", "0.0"),
        (None, None, "–", "–"),
        (math.nan, 1, "–", "–"),
        (math.inf, 0, "–", "–"),
    ],
)
def test_number(value: float | None, digits: int | None, french: str, english: str) -> None:
    assert number(value, digits, language="fr") == french
    assert number(value, digits, language="en") == english


def test_percent_and_interval_of_the_contract() -> None:
    assert percent(0.62, language="fr") == "62\u202f%"
    assert percent(0.0625, 1, language="en") == "6.3%" or percent(0.0625, 1, language="en") == "6.2%"
    french = interval(0.62, 0.55, 0.68, 214, language="fr")
    assert french == "62\u202f% (55–68\u202f%, n\u00a0=\u00a0214)"
    assert interval(0.62, 0.55, 0.68, 1214, language="en") == "62% (55–68%, n\u00a0=\u00a01,214)"
    assert interval(0.62, None, None, language="en") == "62%"
    assert interval(None, None, None, 3, language="fr") == "– (n\u00a0=\u00a03)"


def test_signed() -> None:
    assert signed(4, language="fr") == "+4"
    assert signed(-4, language="fr") == "\u22124"
    assert signed(0, language="fr") == "0"
    assert signed(0.001, 1, language="fr") == "0,0"
