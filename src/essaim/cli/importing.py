"""`essaim import polis DIR`: bring in a conversation in the openly published CSV form; prints the session's id."""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path
from typing import Any

from essaim.cli.organisation import add_organisation_option, chosen_organisation
from essaim.cli.setup import prepare


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser("import", help="bring in what was held elsewhere")
    kinds = parser.add_subparsers(title="sources", required=True, metavar="SOURCE")
    polis = kinds.add_parser("polis", help="a conversation in the openly published CSV form")
    polis.add_argument("folder", type=Path, help="folder with comments.csv, votes.csv and summary.csv")
    polis.add_argument(
        "--language", choices=["fr", "en"], default="en", help="language of the session's page"
    )
    add_organisation_option(polis)
    polis.set_defaults(func=run_polis)


class BadSource(ValueError):
    """The folder does not hold a conversation; the message says what is missing or wrong, and where."""


def run_polis(options: argparse.Namespace) -> int:
    try:
        summary, statements, votes = read_polis(options.folder)
    except BadSource as error:
        print(f"essaim: {error}", file=sys.stderr)
        return 2
    prepare()
    from django.conf import settings
    from django.utils import timezone

    from essaim.base.actor import system
    from essaim.listen.sessions.actions import import_session
    from essaim.listen.sessions.actions.importing import ImportedStatement
    from essaim.live.offline import load_votes

    organisation = chosen_organisation(options.organisation)
    if organisation is None:
        return 1
    session = import_session(
        title=summary.get("topic", "")[:120] or options.folder.name,
        question=summary.get("conversation-description", "") or summary.get("url", ""),
        language=options.language,
        origin="polis",
        statements=[ImportedStatement(number, text, shown) for number, text, shown in statements],
        by=system(organisation),
        now=timezone.now(),
    )
    load_votes(settings.LIVE_STORE, session.id, votes)
    print(session.id)
    return 0


def read_polis(
    folder: Path,
) -> tuple[dict[str, str], list[tuple[int, str, bool]], list[tuple[int, int, int, int]]]:
    """Read a conversation.

    Returns:
        The summary by key; the statements as (number, text, not rejected); the votes in the order they were given, as
        (participant, statement, +1 agree | -1 disagree | 0 pass, milliseconds since the epoch).

    Raises:
        BadSource: a file or a column is missing, or a line cannot be read.
    """
    if not folder.is_dir():
        raise BadSource(f"{folder} is not a folder.")
    summary = {row[0]: row[1] for row in _rows(folder / "summary.csv", required=False) if len(row) > 1}
    statements: dict[int, tuple[int, str, bool]] = {}
    for line, row in _records(folder / "comments.csv", ("comment-id", "comment-body", "moderated")):
        number = _whole(folder / "comments.csv", line, row["comment-id"], 0, 99_999)
        statements[number] = (number, row["comment-body"] or "…", row["moderated"].strip() != "-1")
    votes = []
    for line, row in _records(folder / "votes.csv", ("comment-id", "voter-id", "vote", "timestamp")):
        where = folder / "votes.csv"
        number = _whole(where, line, row["comment-id"], 0, 99_999)
        if number not in statements:
            # The published files sometimes leave out a deleted comment's text but keep its votes.
            statements[number] = (number, f"[{number}]", False)
        votes.append(
            (
                _whole(where, line, row["voter-id"], 0, 2**31 - 1),
                number,
                _whole(where, line, row["vote"], -1, 1),
                _whole(where, line, row["timestamp"], 0, 2**60),
            )
        )
    votes.sort(key=lambda vote: vote[3])  # stable: the file's order decides between equal times
    return summary, sorted(statements.values()), votes


def _rows(path: Path, *, required: bool = True) -> list[list[str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
            return list(csv.reader(file))
    except FileNotFoundError:
        if required:
            raise BadSource(f"{path} is missing.") from None
        return []
    except csv.Error as error:
        raise BadSource(f"{path}: {error}") from error


def _records(path: Path, columns: tuple[str, ...]) -> list[tuple[int, dict[str, str]]]:
    rows = _rows(path)
    header = rows[0] if rows else []
    missing = [column for column in columns if column not in header]
    if missing:
        raise BadSource(
            f"{path} has no column {', '.join(missing)}; it has {', '.join(header) or 'nothing'}."
        )
    return [(line, dict(zip(header, row, strict=False))) for line, row in enumerate(rows[1:], 2) if row]


def _whole(path: Path, line: int, raw: str | None, low: int, high: int) -> int:
    try:
        number = int(raw or "")
    except ValueError:
        raise BadSource(f"{path}, line {line}: {raw!r} is not a whole number.") from None
    if not low <= number <= high:
        raise BadSource(f"{path}, line {line}: {number} is not between {low} and {high}.")
    return number
