"""What a session came to: groups and what they hold, what unites, what divides, every statement, the heat map of the grid.

A share always comes with its interval and its n; a group or a count of fewer than five people is not shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from essaim.engines.assessment import HeatMap, heat_map
from essaim.engines.intervals import proportion
from essaim.engines.opinion import Opinion
from essaim.listen.sessions.models import Session
from essaim.listen.sessions.queries.room import FLOOR, Words, room_view, words
from essaim.live.plan import PhaseNow
from essaim.live.projections import RoomView

TOP = 5  # statements shown under each heading
DIVIDED = 0.3  # a statement divides when two groups' shares of agreement are at least this far apart


@dataclass(frozen=True)
class Share:
    """A share of agreement among those who saw the statement, with its 95 % interval and its n."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Saying:
    """A statement as evidence of something: what it says and how it was received."""

    number: int
    text: str
    place: str
    agree: bool
    share: Share


@dataclass(frozen=True)
class GroupResult:
    """An opinion group, described by the statements that set it apart."""

    label: str
    size: int
    part: float
    x: float
    y: float
    says: tuple[Saying, ...]


@dataclass(frozen=True)
class StatementResult:
    """A statement and its votes. `share` is None under the floor; `by_group` holds one share a group (None under the floor)."""

    number: int
    text: str
    place: str
    kind: str
    origin: str
    seen: int
    agrees: int
    disagrees: int
    passes: int
    share: Share | None
    by_group: tuple[Share | None, ...]
    gap: float


@dataclass(frozen=True)
class GridResult:
    """The assessment grid of one scale: its map by item and by unit, with the labels of both."""

    scale: str
    label: str
    low: str
    high: str
    top: int
    items: tuple[tuple[int, str, int], ...]  # number, label, depth
    units: tuple[tuple[int, str], ...]
    map: HeatMap


@dataclass(frozen=True)
class Results:
    """Everything that the results page, the exports and the big screen show."""

    phase: PhaseNow
    participants: int
    contributors: int
    voters: int
    raters: int
    votes: int
    contributions: int
    ratings: int
    votes_digest: str
    mapped: int
    groups: tuple[GroupResult, ...]
    unites: tuple[Saying, ...]
    divides: tuple[StatementResult, ...]
    statements: tuple[StatementResult, ...]
    grids: tuple[GridResult, ...]
    opinion: Opinion | None


def results(session: Session, *, language: str, view: RoomView | None = None) -> Results:
    """Compute the results of a session as they stand."""
    view = view or room_view(session)
    labels = words(session, language)
    opinion = view.opinion
    statements = _statements(view, labels)
    return Results(
        phase=view.phase,
        participants=view.participants,
        contributors=view.contributors,
        voters=view.voters,
        raters=view.raters,
        votes=view.votes,
        contributions=view.contributions,
        ratings=view.ratings,
        votes_digest=view.vote_digest,
        mapped=sum(group.size for group in opinion.groups if group.size >= FLOOR) if opinion else 0,
        groups=_groups(opinion, view, labels, statements) if opinion else (),
        unites=_unites(opinion, statements) if opinion else (),
        divides=tuple(
            sorted((s for s in statements if s.gap >= DIVIDED), key=lambda s: (-s.gap, s.number))[:TOP]
        ),
        statements=statements,
        grids=grids(session, view, language=language),
        opinion=opinion,
    )


def _share(agrees: int, n: int) -> Share | None:
    if n < FLOOR:
        return None
    low, high = proportion(agrees, n)
    return Share(agrees / n, float(low), float(high), n)


def _without_differences(shares: tuple[Share | None, ...], seen: int) -> tuple[Share | None, ...]:
    """Hide so much that nothing about one to four people is left by taking the groups shown from everybody.

    Those who answered a statement and are in no group shown (too small, or not placed) must be five at least, or nobody:
    while they are fewer, the smallest group still shown is hidden too (as in `engines.assessment`).
    """
    kept = list(shares)
    while 0 < seen - sum(share.n for share in kept if share is not None) < FLOOR:
        shown = [share for share in kept if share is not None]
        if not shown:
            break
        kept[kept.index(min(shown, key=lambda share: share.n))] = None
    return tuple(kept)


def _statements(view: RoomView, labels: Words) -> tuple[StatementResult, ...]:
    opinion = view.opinion
    column = {int(number): i for i, number in enumerate(opinion.statements)} if opinion else {}
    visible = [g.id for g in opinion.groups if g.size >= FLOOR] if opinion else []
    found = []
    for row in view.statements:
        if row.status != "shown" or row.kind == "reason":
            continue
        by_group: tuple[Share | None, ...] = ()
        at = column.get(row.id)
        if opinion is not None and at is not None:
            by_group = _without_differences(
                tuple(
                    _share(int(opinion.group_agrees[g, at]), int(opinion.group_seen[g, at])) for g in visible
                ),
                row.seen,
            )
        known = [share.value for share in by_group if share is not None]
        found.append(
            StatementResult(
                number=row.id,
                text=row.text,
                place=labels.place(row.item),
                kind=labels.kind(row.kind),
                origin=row.origin,
                seen=row.seen,
                agrees=row.agrees,
                disagrees=row.disagrees,
                passes=row.passes,
                share=_share(row.agrees, row.seen),
                by_group=by_group,
                gap=max(known) - min(known) if len(known) > 1 else 0.0,
            )
        )
    return tuple(sorted(found, key=lambda s: (-s.seen, s.number)))


def _groups(
    opinion: Opinion, view: RoomView, labels: Words, statements: Sequence[StatementResult]
) -> tuple[GroupResult, ...]:
    rows = {row.id: row for row in view.statements}
    shown = {statement.number: statement.by_group for statement in statements}
    large = [group for group in opinion.groups if group.size >= FLOOR]
    total = max(1, sum(group.size for group in large))
    described = []
    for at, group in enumerate(large):
        says = []
        for said in group.representative:
            row = rows.get(said.statement)
            if row is None or not shown.get(said.statement) or shown[said.statement][at] is None:
                continue
            share = Share(said.share, said.low, said.high, said.n_seen)
            says.append(Saying(row.id, row.text, labels.place(row.item), said.agree, share))
        described.append(
            GroupResult(
                label=group.label,
                size=group.size,
                part=group.size / total,
                x=group.centre[0],
                y=group.centre[1],
                says=tuple(says),
            )
        )
    return tuple(described)


def _unites(opinion: Opinion, statements: Sequence[StatementResult]) -> tuple[Saying, ...]:
    """Statements on which every group leans the same way, the strongest first (group-aware consensus).

    The strength is the weakest group's share on that side: no group is outvoted by a larger one.
    """
    found: list[tuple[float, Saying]] = []
    for statement in statements:
        known = [share for share in statement.by_group if share is not None]
        if statement.share is None or not known or len(known) < len(statement.by_group):
            continue
        weakest = min(known, key=lambda share: share.value)
        if weakest.low > 0.5:
            found.append(
                (
                    weakest.value,
                    Saying(statement.number, statement.text, statement.place, True, statement.share),
                )
            )
            continue
        # Disagreement that every group shares: the same question asked of the other side.
        against = _shares_against(opinion, statement.number)
        if against and min(share.low for share in against) > 0.5:
            overall = _share(statement.disagrees, statement.seen)
            if overall is not None:
                strength = min(share.value for share in against)
                found.append(
                    (strength, Saying(statement.number, statement.text, statement.place, False, overall))
                )
    found.sort(key=lambda pair: (-pair[0], pair[1].number))
    return tuple(saying for _strength, saying in found[:TOP])


def _shares_against(opinion: Opinion, number: int) -> list[Share]:
    at = int(np.searchsorted(opinion.statements, number))
    shares = [
        _share(int(opinion.group_disagrees[g.id, at]), int(opinion.group_seen[g.id, at]))
        for g in opinion.groups
        if g.size >= FLOOR
    ]
    return [share for share in shares if share is not None] if all(shares) else []


def grids(session: Session, view: RoomView, *, language: str) -> tuple[GridResult, ...]:
    """The assessment grid, one map a scale, by item and by unit (cells of fewer than five raters hidden, and their complements)."""
    depths: dict[int, int] = {}
    items = []
    for item in session.frame.all():
        depths[item.number] = 0 if item.parent is None else depths[item.parent] + 1
        if item.rated:
            items.append((item.number, item.label, depths[item.number]))
    if not items or not session.scales:
        return ()
    from essaim.people.queries import unit_names

    units = tuple(unit_names(session.organisation_id)) if session.ask_unit else ()
    unit_of = np.asarray(view.unit_of)
    found = []
    for position, scale in enumerate(session.scales):
        chosen = np.asarray(view.rating_scale) == position
        who = np.asarray(view.rating_participant)[chosen]
        found.append(
            GridResult(
                scale=scale["id"],
                label=_in(scale["label"], language),
                low=_in(scale["low"], language),
                high=_in(scale["high"], language),
                top=scale["top"],
                items=tuple(items),
                units=units,
                map=heat_map(
                    np.asarray(view.rating_item)[chosen],
                    unit_of[who] if len(who) else np.empty(0, dtype=np.int64),
                    np.asarray(view.rating_value)[chosen],
                    items=[number for number, _label, _depth in items],
                    units=[number for number, _label in units],
                    top=scale["top"],
                    floor=FLOOR,
                ),
            )
        )
    return tuple(found)


def _in(label: dict[str, str], language: str) -> str:
    return label.get(language) or next(iter(label.values()))


def summary_of(view: RoomView) -> dict[str, Any]:
    """What a frozen result keeps on record: enough to recompute it from the journal and see that it is the same."""
    opinion = view.opinion
    return {
        "voters": view.voters,
        "contributors": view.contributors,
        "groups": [
            {
                "label": group.label,
                "size": group.size,
                "says": [{"statement": said.statement, "agree": said.agree} for said in group.representative],
            }
            for group in (opinion.groups if opinion else ())
            if group.size >= FLOOR
        ],
        "consensus": {
            "agree": [c.statement for c in opinion.consensus_agree] if opinion else [],
            "disagree": [c.statement for c in opinion.consensus_disagree] if opinion else [],
        },
    }


def evidence_statements(view: RoomView) -> list[int]:
    """The statements that a result rests on: what the groups hold and what everybody agrees or disagrees with."""
    if view.opinion is None:
        return []
    numbers = {said.statement for group in view.opinion.groups for said in group.representative}
    numbers |= {c.statement for c in (*view.opinion.consensus_agree, *view.opinion.consensus_disagree)}
    return sorted(int(number) for number in numbers)
