"""The opinion map: who votes alike stands close; groups as circles with a letter, crowds as hexagons."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from numpy.typing import ArrayLike, NDArray

from essaim.ui import numbers
from essaim.ui.charts.canvas import (
    NARROW,
    WIDE,
    Chart,
    Twin,
    drawing,
    el,
    finish,
    label,
    num,
    text_width,
    words,
)

FLOOR = 5  # fewer people than this are never placed: neither a hexagon nor a group


@dataclass(frozen=True, slots=True)
class Blob:
    """An opinion group: its letter, its size and its centre in the coordinates of the people."""

    label: str
    size: int
    x: float
    y: float


def opinion_map(
    title: str,
    groups: Sequence[Blob],
    *,
    x: ArrayLike = (),
    y: ArrayLike = (),
    group: ArrayLike = (),
    you: tuple[float, float] | None = None,
    summary: str = "",
) -> Chart:
    """Groups of at least five people. `x`, `y` (floats) and `group` (index into `groups`, -1 for none), one
    entry a person, add the crowd as hexagons of at least five people each.

    Raises:
        ValueError: x, y and group do not have the same length.
    """
    people = np.column_stack([np.asarray(x, dtype=float).ravel(), np.asarray(y, dtype=float).ravel()])
    belongs = np.asarray(group, dtype=int).ravel()
    if len(people) != len(belongs):
        raise ValueError("x, y and group must have the same length")
    keep = (belongs >= 0) & (belongs < len(groups)) & np.isfinite(people).all(axis=1)
    people, belongs = people[keep], belongs[keep]
    shown = [one for one in groups if one.size >= FLOOR]
    drawn = [_draw(title, summary, groups, shown, people, belongs, you, width) for width in (WIDE, NARROW)]
    total = sum(one.size for one in groups)
    rows = tuple((one.label, numbers.number(one.size, 0), numbers.percent(one.size / total)) for one in shown)
    note = _("Close means: voted alike. The axes have no name of their own.")
    if len(shown) < len(groups):
        note += " " + _("Groups of fewer than %(floor)s people are not shown.") % {"floor": FLOOR}
    return finish(
        title, summary, Twin((_("Group"), _("People"), _("Share of people")), rows, note), drawn[0], drawn[1]
    )


def _draw(
    title: str,
    summary: str,
    groups: Sequence[Blob],
    shown: Sequence[Blob],
    people: NDArray[np.float64],
    belongs: NDArray[np.int64],
    you: tuple[float, float] | None,
    width: int,
) -> SafeString:
    height = 420.0 if width == WIDE else 340.0
    if not shown:
        text = _("Not enough votes for a map yet")
        return drawing(width, 120, title, summary, [label(width / 2, 64.0, text, "t-muted t-mid")])
    centres = np.array([(one.x, one.y) for one in shown])
    reaches = [_reach(one, people[belongs == groups.index(one)]) for one in shown]
    edges = [centres - np.array(reaches)[:, None], centres + np.array(reaches)[:, None]]
    everything = np.vstack([*edges, [you]] if you else edges)
    low, high = everything.min(axis=0), everything.max(axis=0)
    span = np.maximum(high - low, 1e-9)
    room = 64.0 if all(reaches) else 0.6 * height
    scale = float(min((width - room) / span[0], (height - room) / span[1]))
    middle = (low + high) / 2

    def place(points: NDArray[np.float64]) -> NDArray[np.float64]:
        flat = (points - middle) * scale
        return np.column_stack([width / 2 + flat[:, 0], height / 2 - flat[:, 1]])

    body = [el("rect", x=0.5, y=0.5, width=width - 1.0, height=height - 1, rx=8.0, class_="frame")]
    body.extend(_hexagons(place(people), belongs, groups, 13.0 if width == WIDE else 11.0))
    spots = place(centres)
    total = sum(one.size for one in shown)
    radii = [
        max(20.0, reach * scale) if reach else 0.26 * height * math.sqrt(one.size / total)
        for one, reach in zip(shown, reaches, strict=True)
    ]
    for one, spot, radius in zip(shown, spots, radii, strict=True):
        tip = _("Group %(letter)s: %(size)s people") % {
            "letter": one.label,
            "size": numbers.number(one.size, 0),
        }
        circle = el("circle", cx=float(spot[0]), cy=float(spot[1]), r=radius, class_=f"circle g-{one.label}")
        body.append(el("g", el("title", words(tip)), circle))
    for one, spot in zip(shown, _apart(spots, width, height), strict=True):
        body.extend(_chip(one, float(spot[0]), float(spot[1])))
    if you:
        body.extend(_you(place(np.array([you], dtype=float))[0], width))
    return drawing(width, height, title, summary, body)


def _reach(one: Blob, members: NDArray[np.float64]) -> float:
    """The distance from the centre within which nine members out of ten stand (0 when they are not given)."""
    if len(members) < FLOOR:
        return 0.0
    return float(np.quantile(np.hypot(members[:, 0] - one.x, members[:, 1] - one.y), 0.9))


def _chip(one: Blob, x: float, y: float) -> list[str]:
    text = f"{one.label} · {numbers.number(one.size, 0)}"
    wide = text_width(text, 15) + 18
    return [
        el("rect", x=x - wide / 2, y=y - 14, width=wide, height=28.0, rx=14.0, class_="chip"),
        label(x, y + 5.5, text, "t-mid letter t-num"),
    ]


def _apart(spots: NDArray[np.float64], width: float, height: float) -> NDArray[np.float64]:
    """Push labels apart (and inside the frame) until none covers another."""
    moved = spots.copy()
    for _round in range(40):
        for i in range(len(moved)):
            for j in range(i):
                gap = moved[i] - moved[j]
                if abs(gap[0]) < 84 and abs(gap[1]) < 32:
                    push = (32 - abs(gap[1])) / 2 + 0.5
                    sign = 1.0 if gap[1] >= 0 else -1.0
                    moved[i, 1] += sign * push
                    moved[j, 1] -= sign * push
        moved[:, 0] = np.clip(moved[:, 0], 45, width - 45)
        moved[:, 1] = np.clip(moved[:, 1], 20, height - 20)
    return moved


def _you(spot: NDArray[np.float64], width: float) -> list[str]:
    x, y = float(spot[0]), float(spot[1])
    text = _("You")
    right = x + 16 + text_width(text) < width
    star = f"M{num(x)} {num(y - 10)}l10 10l-10 10l-10 -10z"
    words_at = label(
        x + 14 if right else x - 14, y + 5, text, "t-strong t-halo" if right else "t-strong t-halo t-end"
    )
    return [el("g", el("title", words(text)), el("path", d=star, class_="you")), words_at]


def _hexagons(
    spots: NDArray[np.float64], belongs: NDArray[np.int64], groups: Sequence[Blob], radius: float
) -> list[str]:
    """Pointy-top hexagons of at least FLOOR people, coloured by their largest group, darker where denser."""
    if len(spots) == 0:
        return []
    cells = _axial(spots, radius)
    places, index, counts = np.unique(cells, axis=0, return_inverse=True, return_counts=True)
    index = index.ravel()
    by_group = np.zeros((len(places), len(groups)), dtype=int)
    np.add.at(by_group, (index, belongs), 1)
    kept = np.flatnonzero(counts >= FLOOR)
    if len(kept) == 0:
        return []
    levels = np.ones(len(places), dtype=int)
    levels[kept] = 1 + np.searchsorted(
        np.quantile(counts[kept], [0.25, 0.5, 0.75]), counts[kept], side="left"
    )
    corners = [
        (radius * math.sin(math.radians(60 * i)), radius * math.cos(math.radians(60 * i))) for i in range(6)
    ]
    steps = "l".join(
        f"{num(corners[(i + 1) % 6][0] - corners[i][0])} {num(corners[(i + 1) % 6][1] - corners[i][1])}"
        for i in range(5)
    )
    out = []
    for cell in kept:
        q, r = places[cell]
        cx, cy = radius * math.sqrt(3) * (q + r / 2), radius * 1.5 * r
        letter = groups[int(by_group[cell].argmax())].label
        start = f"M{num(cx + corners[0][0])} {num(cy + corners[0][1])}l{steps}z"
        out.append(el("path", d=start, class_=f"hex g-{letter} d{levels[cell]}"))
    return out


def _axial(spots: NDArray[np.float64], radius: float) -> NDArray[np.int64]:
    """The axial coordinates of the hexagon of each spot (cube rounding, redblobgames.com/grids/hexagons)."""
    q = (math.sqrt(3) / 3 * spots[:, 0] - spots[:, 1] / 3) / radius
    r = (2 / 3 * spots[:, 1]) / radius
    cube = np.column_stack([q, r, -q - r])
    near = np.round(cube)
    off = np.abs(near - cube)
    worst = off.argmax(axis=1)
    lines = np.arange(len(spots))
    near[lines, worst] -= near.sum(axis=1)
    return near[:, :2].astype(np.int64)
