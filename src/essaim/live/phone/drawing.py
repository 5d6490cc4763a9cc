"""The map of groups as a small SVG, and what each group says in words."""

from __future__ import annotations

import math
from html import escape as e
from typing import Any, Final

from essaim.live.phone.texts import say

WIDTH: Final = 320
HEIGHT: Final = 220
_MARGIN: Final = 56


def group_map(lang: str, me: dict[str, Any], room_lang: str) -> str:
    """Give where one stands (`me`: the document of GET me) as a sentence, a map and a list of the groups."""
    groups, place = me.get("groups", []), me.get("position")
    mine = place["group"] if place else None
    cards = "".join(_card(lang, group, group["id"] == mine, room_lang) for group in groups)
    drawing = _svg(lang, groups, place) if groups else ""
    return f'{sentence(lang, me)}{drawing}<ul class="groups">{cards}</ul>'


def sentence(lang: str, me: dict[str, Any]) -> str:
    """Say in one sentence where one stands, or why one cannot know yet."""
    place = me.get("position")
    if place is None:
        return f'<p class="lead">{e(say(lang, me.get("why") or "too-few-people"))}</p>'
    label = next((group["label"] for group in me["groups"] if group["id"] == place["group"]), None)
    return f'<p class="lead">{e(say(lang, "in_group", label) if label else say(lang, "no_group"))}</p>'


def _svg(lang: str, groups: list[dict[str, Any]], place: dict[str, Any] | None) -> str:
    points = [(one["x"], one["y"]) for one in (*groups, *([place] if place else []))]
    left, right = min(x for x, _ in points), max(x for x, _ in points)
    low, high = min(y for _, y in points), max(y for _, y in points)
    # One scale for both directions: distances on the map are the distances between opinions.
    scale = min(
        (WIDTH - 2 * _MARGIN) / ((right - left) or 1e-9), (HEIGHT - 2 * _MARGIN) / ((high - low) or 1e-9), 1e6
    )
    most = max(group["size"] for group in groups)

    def at(one: dict[str, Any]) -> tuple[int, int]:
        x = WIDTH / 2 + (one["x"] - (left + right) / 2) * scale
        y = HEIGHT / 2 - (one["y"] - (low + high) / 2) * scale
        return round(x), round(y)

    # Colours and weights are attributes here: the style sheet of a page that has no map yet stays small.
    parts = []
    for group in groups:
        (x, y), r = at(group), round(14 + 24 * math.sqrt(group["size"] / most))
        own = place is not None and place["group"] == group["id"]
        edge = 'stroke="var(--accent)" stroke-width="3"' if own else 'stroke="var(--edge)"'
        parts.append(
            f'<circle cx="{x}" cy="{y}" r="{r}" fill="var(--tint)" {edge}/>{_word(x, y - r - 11, group["label"])}'
        )
    if place:
        x, y = at(place)
        parts.append(
            f'<circle cx="{x}" cy="{y}" r="7" fill="var(--honey)" stroke="#1d1b26" stroke-width="2"/>'
        )
        halo = ' font-size="13" stroke="var(--card)" stroke-width="4" paint-order="stroke"'
        parts.append(_word(x, y + 19, say(lang, "you"), halo))
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{e(say(lang, "map"))}">{"".join(parts)}</svg>'


def _word(x: int, y: int, text: str, more: str = "") -> str:
    return (
        f'<text x="{x}" y="{y}" fill="currentColor" font-weight="700" text-anchor="middle" '
        f'dominant-baseline="central"{more}>{e(text)}</text>'
    )


def _card(lang: str, group: dict[str, Any], own: bool, room_lang: str) -> str:
    facts = say(lang, "people", group["size"]) + (" · " + say(lang, "yours") if own else "")
    says = "".join(
        f'<li class="{"yes" if one["agree"] else "no"}"><b>'
        f"{e(say(lang, 'says_agree' if one['agree'] else 'says_disagree'))}</b> "
        f'<q{room_lang} dir="auto">{e(one["text"])}</q>'
        for one in group["says"]
    )
    title = e(say(lang, "group", group["label"]))
    return f"<li{' class=own' if own else ''}><h3>{title} <small>{e(facts)}</small></h3><ul>{says}</ul>"
