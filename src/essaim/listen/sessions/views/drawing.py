"""Pictures of a session: the opinion map, the rhythm of a console, the heat map of the grid, the bars of statements."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext as _

from essaim.listen.sessions.queries.console import Console
from essaim.listen.sessions.queries.results import GridResult, Results, StatementResult
from essaim.ui import charts


@dataclass(frozen=True)
class Rhythm:
    """What came in minute by minute over the last half hour, and in the last full minute."""

    votes: charts.Chart
    contributions: charts.Chart
    votes_now: int
    contributions_now: int


def rhythm(console: Console) -> Rhythm:
    votes, contributions = console.votes_per_minute[-30:], console.contributions_per_minute[-30:]
    return Rhythm(
        votes=charts.sparkline(_("Votes per minute"), votes),
        contributions=charts.sparkline(_("Contributions per minute"), contributions),
        votes_now=votes[-2] if len(votes) > 1 else 0,
        contributions_now=contributions[-2] if len(contributions) > 1 else 0,
    )


def opinion_map(results: Results) -> charts.Chart | None:
    """The map of the groups, or None while there is none."""
    if results.opinion is None or not results.groups:
        return None
    opinion = results.opinion
    place = {group.label: i for i, group in enumerate(results.groups)}
    of_group = [place.get(group.label, -1) for group in opinion.groups]
    belongs = [of_group[g] if g >= 0 else -1 for g in opinion.group.tolist()]
    return charts.opinion_map(
        _("Opinion map"),
        [charts.Blob(group.label, group.size, group.x, group.y) for group in results.groups],
        x=opinion.coordinates[:, 0],
        y=opinion.coordinates[:, 1],
        group=belongs,
        summary=_("People who voted alike stand close to each other."),
    )


def statement_bars(title: str, statements: tuple[StatementResult, ...]) -> charts.Chart:
    """Agree, pass and disagree of each statement that enough people have seen."""
    return charts.opinion_bars(
        title,
        [charts.Votes(s.text, s.agrees, s.disagrees, s.passes) for s in statements if s.share is not None],
    )


def grid_map(grid: GridResult) -> charts.Chart:
    """The heat map of one scale: everybody first, then unit by unit."""
    columns = [_("Everybody"), *(name for _number, name in grid.units)]
    rows = []
    for i in range(len(grid.items)):
        cells = [_cell(grid.map.item_mean[i], grid.map.item_n[i], bool(grid.map.item_suppressed[i]))]
        cells += [
            _cell(grid.map.mean[i, u], grid.map.n[i, u], bool(grid.map.suppressed[i, u]))
            for u in range(len(grid.units))
        ]
        rows.append(cells)
    return charts.heat_map(
        grid.label,
        [label for _number, label, _depth in grid.items],
        columns,
        rows,
        top=float(grid.top),
        summary=_(
            "From 1 (%(low)s) to %(top)d (%(high)s). Hidden: fewer than five answers, or deducible from the others."
        )
        % {"low": grid.low, "top": grid.top, "high": grid.high},
    )


def _cell(mean: float, n: int, suppressed: bool) -> charts.Cell:
    if suppressed:
        return charts.Cell(None, 0, suppressed=True)
    return charts.Cell(float(mean) if n else None, int(n))
