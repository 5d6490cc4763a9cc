"""Hygiene of texts."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from essaim.live.text import TextError, clean


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        ("  deux   mots ", "deux mots"),
        ("a\tb\r\nc", "a b c"),
        ("e\u0301te\u0301", "été"),
        ("non\u00a0sécable", "non\u00a0sécable"),
        ("\u202egnirts\u202c \u2066x\u2069", "gnirts x"),
        ("a\x00b\x1bc\x7f", "abc"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("family 👨‍👩‍👧 ok", "family 👨‍👩‍👧 ok"),
        ("Z" + "\u0335" * 30 + "!", "Z" + "\u0335" * 4 + "!"),
        ("?", "?"),
        ("日本語のテキスト", "日本語のテキスト"),
    ],
)
def test_kept_form(raw: str, kept: str) -> None:
    assert clean(raw) == kept


@pytest.mark.parametrize("raw", ["", " ", "\n\t", "\u200b\u202e", "\u200d", "\u0301", "\x00"])
def test_empty(raw: str) -> None:
    with pytest.raises(TextError) as caught:
        clean(raw)
    assert caught.value.code == "text-empty"


def test_length_is_counted_after_cleaning() -> None:
    assert len(clean("e\u0301" * 280)) == 280
    assert len(clean("é" * 280 + " " * 500)) == 280
    for long in ("x" * 281, "x" * 10**6):
        with pytest.raises(TextError) as caught:
            clean(long)
        assert caught.value.code == "text-too-long"


@given(st.text(max_size=400))
def test_what_is_kept_is_clean_and_stays_so(raw: str) -> None:
    try:
        kept = clean(raw)
    except TextError:
        return
    assert 1 <= len(kept) <= 280
    assert kept == kept.strip()
    assert set(re.findall(r"\s+", kept.replace("\u00a0", "x").replace("\u202f", "x"))) <= {" "}
    assert not any(unicodedata.category(c) == "Cc" or c in "\u202a\u202e\u2066\u2069" for c in kept)
    assert clean(kept) == kept
