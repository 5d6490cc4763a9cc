"""What a session came to, on one page, and everything of it as CSV, XLSX or JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils.translation import gettext as _

from essaim.base.actor import Role
from essaim.listen.sessions.queries.results import Results, Share, StatementResult, results
from essaim.listen.sessions.queries.room import room_view
from essaim.listen.sessions.queries.sessions import find, line_of
from essaim.listen.sessions.queries.tables import ballot_rows, grid_rows, group_rows, statement_rows
from essaim.listen.sessions.views.drawing import grid_map, opinion_map, statement_bars
from essaim.listen.sessions.views.parsing import actor, language, now
from essaim.people.access import member_page
from essaim.ui.components import GroupCard, Says
from essaim.ui.export import respond
from essaim.ui.numbers import interval
from essaim.ui.tables import Column, Table, build

DRAWN = 12  # statements drawn as bars; the table has all of them


@member_page
def results_page(request: HttpRequest, session_id: str) -> HttpResponse:
    by = actor(request)
    session = find(session_id=session_id, by=by)
    found = results(session, language=language())
    return render(
        request,
        "sessions/results.html",
        {
            "session": session,
            "line": line_of(session, now=now()),
            "results": found,
            "cards": _cards(found),
            "map": opinion_map(found),
            "bars": statement_bars(_("The most answered statements"), found.statements[:DRAWN]),
            "table": _table(request, found),
            "grids": [grid_map(grid) for grid in found.grids if grid.map.item_n.sum()],
            "records": session.results.all(),
            "may_export_ballots": by.may(Role.FACILITATOR),
        },
    )


def _table(request: HttpRequest, found: Results) -> Table:
    """Every statement with its counts, its share of agreement with the interval, and the share in each group."""
    columns = [
        Column("text", _("Statement"), "text", heading=True, wide=True),
        Column("place", _("Place"), "place"),
        Column("seen", _("Answers"), "seen", kind="number"),
        Column("agrees", _("Agree"), lambda s: s.agrees if s.share else None, kind="number"),
        Column("disagrees", _("Disagree"), lambda s: s.disagrees if s.share else None, kind="number"),
        Column("passes", _("Pass"), lambda s: s.passes if s.share else None, kind="number"),
        _share_column("share", _("Share of agreement (95 %)"), lambda s: s.share),
    ]
    for at, group in enumerate(found.groups):
        columns.append(_share_column(f"group_{group.label}", _("Group %s") % group.label, _in_group(at)))
    return build(
        request,
        _("Every statement"),
        columns,
        found.statements,
        sort="-seen",
        search=lambda s: f"{s.text} {s.place} {s.kind}",
        searchable=True,
        per_page=25,
        formats=(),
    )


def _share_column(name: str, label: str, share_of: Callable[[StatementResult], Share | None]) -> Column:
    """A column that sorts by a share and shows it with its interval (a dash under the floor of five)."""

    def value(statement: StatementResult) -> float | None:
        share = share_of(statement)
        return share.value if share else None

    def show(statement: StatementResult) -> str:
        share = share_of(statement)
        return interval(share.value, share.low, share.high) if share else "–"

    return Column(name, label, value, kind="percent", show=show)


def _in_group(at: int) -> Callable[[StatementResult], Share | None]:
    return lambda statement: statement.by_group[at] if statement.by_group else None


def _cards(found: Results) -> list[GroupCard]:
    return [
        GroupCard(
            label=group.label,
            size=group.size,
            says=[
                Says(
                    said.text,
                    said.agree,
                    interval(said.share.value, said.share.low, said.share.high, said.share.n),
                )
                for said in group.says
            ],
        )
        for group in found.groups
    ]


@member_page
def export(request: HttpRequest, session_id: str, what: str, form: str) -> HttpResponseBase:
    """One table of the results as a file. Ballots (one row a vote, numbers instead of people) are for facilitators."""
    by = actor(request)
    session = find(session_id=session_id, by=by)
    if form not in ("csv", "xlsx", "json") or what not in ("statements", "groups", "grid", "ballots"):
        raise Http404
    rows: Iterable[Any]
    names: Sequence[tuple[str, str]]
    if what == "ballots":
        if not by.may(Role.FACILITATOR):
            raise Http404
        names, rows = ballot_rows(room_view(session))
    else:
        found = results(session, language=language())
        names, rows = {"statements": statement_rows, "groups": group_rows, "grid": grid_rows}[what](found)
    columns = [Column(name, label, itemgetter(name)) for name, label in names]
    separator = ";" if request.GET.get("separator") == "semicolon" else ","
    return respond(form, columns, rows, f"{session.title} - {what}", separator=separator)
