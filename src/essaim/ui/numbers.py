"""Numbers as people read them in the active language: 12 345,6 in French, 12,345.6 in English.

In Python:     interval(0.62, 0.55, 0.68, n=214)  ->  "62 % (55–68 %, n = 214)", or "62% (55–68%, n = 214)"
In templates:  {{ value|number }}  {{ x|number:1 }}  {{ share|percent }}  {% interval 0.62 0.55 0.68 214 %}

Shares are given between 0 and 1. None and NaN are shown as an en dash. Spaces inside a number never break.
"""

import math

from django.utils import formats
from django.utils.translation import get_language

NARROW = "\u202f"
FIXED = "\u00a0"
MISSING = "\u2013"
Number = float | int | None


def _language(language: str | None) -> str:
    return (language or get_language() or "en").split("-")[0]


def _missing(value: Number) -> bool:
    return value is None or not math.isfinite(value)


def number(value: Number, digits: int | None = None, *, language: str | None = None) -> str:
    """Return `value` with its thousands grouped; `digits` decimals (default: at most 2, no trailing zero)."""
    if value is None or _missing(value):
        return MISSING
    code = _language(language)
    point = str(formats.get_format("DECIMAL_SEPARATOR", code, use_l10n=True))
    group = str(formats.get_format("THOUSAND_SEPARATOR", code, use_l10n=True)).replace(FIXED, NARROW)
    text = f"{abs(value):,.{2 if digits is None else digits}f}"
    if digits is None and "." in text:
        text = text.rstrip("0").rstrip(".")
    sign = "\u2212" if value < 0 and any(digit not in "0.," for digit in text) else ""
    return sign + text.replace(",", "\0").replace(".", point).replace("\0", group)


def percent(share: Number, digits: int = 0, *, language: str | None = None) -> str:
    """Return a share (0 to 1) as a percentage: "62 %" in French, "62%" in English."""
    if share is None or _missing(share):
        return MISSING
    return number(share * 100, digits, language=language) + _percent_sign(language)


def _percent_sign(language: str | None) -> str:
    return NARROW + "%" if _language(language) == "fr" else "%"


def interval(
    share: Number,
    low: Number,
    high: Number,
    n: int | None = None,
    *,
    digits: int = 0,
    language: str | None = None,
) -> str:
    """Return a share with its interval and its n: "62 % (55–68 %, n = 214)"."""
    if _missing(share):
        return (
            MISSING
            if n is None
            else f"{MISSING} (n = {number(n, 0, language=language)})".replace(" = ", f"{FIXED}={FIXED}")
        )
    inside = []
    if not (_missing(low) or _missing(high)):
        bounds = [number((bound or 0) * 100, digits, language=language) for bound in (low, high)]
        inside.append(f"{bounds[0]}\u2013{bounds[1]}{_percent_sign(language)}")
    if n is not None:
        inside.append(f"n{FIXED}={FIXED}{number(n, 0, language=language)}")
    text = percent(share, digits, language=language)
    return f"{text} ({', '.join(inside)})" if inside else text


def signed(value: Number, digits: int | None = None, *, language: str | None = None) -> str:
    """Return `value` with its sign written out (+ or −); zero bears none."""
    if value is None or _missing(value):
        return MISSING
    text = number(value, digits, language=language)
    return f"+{text}" if value > 0 and any(digit in "123456789" for digit in text) else text
