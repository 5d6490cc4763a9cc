"""Hygiene of what people write: one form for one text, and nothing that attacks the reader's screen."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

LONGEST: Final = 280
LONGEST_NAME: Final = 40
_MARKS: Final = 4
_BLANKS = re.compile(r"[^\S\u00a0\u202f]+")  # French keeps its non-breaking spaces
# Bidirectional overrides, embeddings and isolates can turn a neighbour's text around; the rest is invisible.
_UNWANTED = re.compile(
    "[\u0000-\u0008\u000e-\u001f\u007f-\u0084\u0086-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f"
    "\u202a-\u202e\u2060-\u206f\ufdd0-\ufdef\ufeff\ufff9-\ufffc\ufffe\uffff\U000e0000-\U000e007f]"
)


class TextError(ValueError):
    """A text that cannot be kept; `code`: text-empty or text-too-long."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def clean(raw: str, *, longest: int = LONGEST) -> str:
    """Give the text to keep: tidy, 1 to `longest` characters, with something in it that can be read."""
    if len(raw) > 16 * longest:
        raise TextError("text-too-long")
    text = tidy(raw)
    if not any(unicodedata.category(character)[0] in "LNPS" for character in text):
        raise TextError("text-empty")
    if len(text) > longest:
        raise TextError("text-too-long")
    return text


def tidy(raw: str) -> str:
    """Give a text without what attacks the reader's screen: NFC, no control or bidi character, blanks collapsed."""
    if raw.isascii() and raw.isprintable():
        return " ".join(raw.split())
    text = unicodedata.normalize("NFC", _UNWANTED.sub("", raw))
    return _BLANKS.sub(" ", _few_marks(text)).strip()


def _few_marks(text: str) -> str:
    """Keep at most four combining marks in a row: more only paint over the neighbouring lines."""
    kept: list[str] = []
    run = 0
    for character in text:
        run = run + 1 if unicodedata.category(character) in ("Mn", "Me") else 0
        if run <= _MARKS:
            kept.append(character)
    return "".join(kept)
