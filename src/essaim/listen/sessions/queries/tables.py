"""The results as flat tables, for spreadsheets and other tools. Names of columns are stable and in English."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from essaim.listen.sessions.queries.results import Results, Share
from essaim.live.projections import RoomView

Rows = tuple[Sequence[tuple[str, str]], Iterator[dict[str, Any]]]


def _named(*names: str) -> list[tuple[str, str]]:
    return [(name, name) for name in names]


def statement_rows(results: Results) -> Rows:
    """One row a statement: counts, share of agreement with its interval, one share a group (empty under the floor of five)."""
    letters = [group.label for group in results.groups]
    names = _named("statement", "text", "place", "kind", "origin", "seen", "agrees", "disagrees", "passes")
    names += _named(
        "agree_share", "agree_low", "agree_high", *(f"agree_group_{letter}" for letter in letters)
    )

    def rows() -> Iterator[dict[str, Any]]:
        for s in results.statements:
            enough = s.share is not None
            row: dict[str, Any] = {
                "statement": s.number,
                "text": s.text,
                "place": s.place,
                "kind": s.kind,
                "origin": s.origin,
                "seen": s.seen,
                "agrees": s.agrees if enough else None,
                "disagrees": s.disagrees if enough else None,
                "passes": s.passes if enough else None,
                **_share("agree", s.share),
            }
            shares = s.by_group or (None,) * len(letters)
            for letter, share in zip(letters, shares, strict=True):
                row[f"agree_group_{letter}"] = share.value if share else None
            yield row

    return names, rows()


def group_rows(results: Results) -> Rows:
    """One row for each statement that describes a group."""
    names = _named("group", "size", "part", "statement", "text", "agree", "share", "low", "high", "n")

    def rows() -> Iterator[dict[str, Any]]:
        for group in results.groups:
            for said in group.says:
                yield {
                    "group": group.label,
                    "size": group.size,
                    "part": group.part,
                    "statement": said.number,
                    "text": said.text,
                    "agree": said.agree,
                    "share": said.share.value,
                    "low": said.share.low,
                    "high": said.share.high,
                    "n": said.share.n,
                }

    return names, rows()


def grid_rows(results: Results) -> Rows:
    """One row for each item and unit of each scale (unit empty: everybody); hidden cells say so."""
    names = _named("scale", "item", "label", "unit", "mean", "low", "high", "n", "hidden")

    def rows() -> Iterator[dict[str, Any]]:
        for grid in results.grids:
            m = grid.map
            for i, (number, label, _depth) in enumerate(grid.items):
                cells = [
                    ("", m.item_mean[i], m.item_low[i], m.item_high[i], m.item_n[i], m.item_suppressed[i])
                ]
                cells += [
                    (name, m.mean[i, u], m.low[i, u], m.high[i, u], m.n[i, u], m.suppressed[i, u])
                    for u, (_number, name) in enumerate(grid.units)
                ]
                for unit, mean, low, high, n, hidden in cells:
                    known = not hidden and n > 0
                    yield {
                        "scale": grid.scale,
                        "item": number,
                        "label": label,
                        "unit": unit,
                        "mean": float(mean) if known else None,
                        "low": float(low) if known else None,
                        "high": float(high) if known else None,
                        "n": None if hidden else int(n),
                        "hidden": bool(hidden),
                    }

    return names, rows()


def ballot_rows(view: RoomView) -> Rows:
    """One row a vote. Participants get numbers that are not those of the room, so that no ballot leads to a contribution's author."""
    matrix = view.vote_matrix
    names = _named("participant", "statement", "vote")
    seed = int.from_bytes(hashlib.sha256(f"{view.room}{view.vote_digest}".encode()).digest()[:8])
    order = np.random.default_rng(seed).permutation(len(matrix.participants))

    def rows() -> Iterator[dict[str, Any]]:
        who, what = order[matrix.rows()], matrix.statements[matrix.indices]
        for at in np.lexsort((what, who)).tolist():
            yield {"participant": int(who[at]), "statement": int(what[at]), "vote": int(matrix.values[at])}

    return names, rows()


def _share(prefix: str, share: Share | None) -> dict[str, Any]:
    return {
        f"{prefix}_share": share.value if share else None,
        f"{prefix}_low": share.low if share else None,
        f"{prefix}_high": share.high if share else None,
    }
