"""`essaim export session ID --votes | --statements`: what a session holds, as CSV on standard output."""

from __future__ import annotations

import argparse
import csv
import sys
from typing import Any

from essaim.cli.setup import prepare


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser("export", help="what the product holds, for other tools")
    kinds = parser.add_subparsers(title="objects", required=True, metavar="OBJECT")
    session = kinds.add_parser("session", help="a live session, as CSV")
    session.add_argument("id", help="the session's id or code")
    what = session.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--votes", action="store_true", help="participant, statement, vote (+1, -1, 0; the last one)"
    )
    what.add_argument("--statements", action="store_true", help="statement, text, status and counts")
    session.set_defaults(func=run)


def run(options: argparse.Namespace) -> int:
    prepare()
    from django.conf import settings
    from django.db.models import Q

    from essaim.listen.sessions.models import Session
    from essaim.live import hub

    session = Session.objects.filter(Q(id=options.id) | Q(code=options.id.upper())).first()
    if session is None:
        print(f"essaim: there is no session {options.id!r}.", file=sys.stderr)
        return 1
    view = hub.view(settings.LIVE_STORE, session.id)
    out = csv.writer(sys.stdout, lineterminator="\n")
    if options.statements:
        out.writerow(["statement", "text", "origin", "status", "agrees", "disagrees", "passes", "seen"])
        for row in view.statements:
            out.writerow(
                [row.id, row.text, row.origin, row.status, row.agrees, row.disagrees, row.passes, row.seen]
            )
        return 0
    matrix = view.vote_matrix
    out.writerow(["participant", "statement", "vote"])
    out.writerows(
        zip(
            matrix.participants[matrix.rows()].tolist(),
            matrix.statements[matrix.indices].tolist(),
            matrix.values.tolist(),
            strict=True,
        )
    )
    return 0
