"""Where one participant stands: position on the map, groups that may be shown, fate of contributions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np

from essaim.engines import opinion as opinions
from essaim.engines.opinion import Opinion
from essaim.live.statements import StatementRow, Statements

FLOOR: Final = 5
"""Nothing computed from fewer people is shown."""
SAYS: Final = 3


def me(
    participant: int,
    votes: dict[int, int],
    mine: Iterable[StatementRow],
    opinion: Opinion | None,
    statements: Statements,
) -> dict[str, object]:
    """Give the document of `GET me`."""
    place, why = _position(participant, votes, opinion)
    return {
        "votes": len(votes),
        "position": place,
        "why": why,
        "groups": _groups(opinion, statements),
        "mine": [
            {
                "id": row.id,
                "text": row.text,
                "kind": row.kind,
                "item": row.item,
                "status": row.status,
                "seen": row.seen,
                "agrees": row.agrees,
                "disagrees": row.disagrees,
            }
            for row in mine
        ],
    }


def _position(
    participant: int, votes: dict[int, int], opinion: Opinion | None
) -> tuple[dict[str, float | int | None] | None, str | None]:
    if not votes:
        return None, "not-enough-votes"
    if opinion is None or not any(group.size >= FLOOR for group in opinion.groups):
        return None, "too-few-people"
    row = int(np.searchsorted(opinion.participants, participant))
    counted = (
        row < len(opinion.participants) and opinion.participants[row] == participant and opinion.counted[row]
    )
    if counted:
        (x, y), group = opinion.coordinates[row], int(opinion.group[row])
    else:
        x, y, group = opinions.position(opinion, list(votes), list(votes.values()))
        if group < 0:  # none of these statements was on the map when it was made
            return None, "not-enough-votes"
    large = any(one.id == group and one.size >= FLOOR for one in opinion.groups)
    return {"x": round(float(x), 4), "y": round(float(y), 4), "group": int(group) if large else None}, None


def _groups(opinion: Opinion | None, statements: Statements) -> list[dict[str, object]]:
    if opinion is None:
        return []
    return [
        {
            "id": int(group.id),
            "label": group.label,
            "size": int(group.size),
            "x": round(float(group.centre[0]), 4),
            "y": round(float(group.centre[1]), 4),
            "says": [
                {"text": statements.row(int(one.statement)).text, "agree": bool(one.agree)}
                for one in group.representative
                if _shown(statements, int(one.statement))
            ][:SAYS],
        }
        for group in opinion.groups
        if group.size >= FLOOR
    ]


def _shown(statements: Statements, number: int) -> bool:
    return number in statements and statements.status(number) == "shown"
