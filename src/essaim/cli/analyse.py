"""`essaim analyse opinion VOTES.csv`: the opinion map of a file of votes, with nothing else running."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import essaim
from essaim.cli.votes_csv import BadVotesError, VotesFile, natural, read

if TYPE_CHECKING:
    from essaim.engines.opinion import Opinion
    from essaim.engines.representative import Consensus, Representative
    from essaim.engines.votes import VoteMatrix

EPILOG = """\
VOTES.csv has a header and one line a vote: participant, statement, vote (1 agree, -1 disagree, 0 pass). The
openly published form (voter-id, comment-id, vote) is read too. Labels are any text. The last vote of a
participant on a statement counts: the last by the timestamp column, when there is one with a whole number on
every line, else the last line. Other columns are ignored.
"-" reads standard input. Encoding (UTF-8, UTF-16, Windows-1252) and separator (, ; tab) are found out.

--json prints one object with these keys, always in this order:
  software               name and version
  method                 grouping, min_votes, rejected (labels), interval (level, method, source)
  votes                  digest, participants, statements, count (one a pair), lines (votes read)
  map                    variance_explained (2), silhouette, groups, counted (participants in groups)
  participants           [{participant, x, y, group (letter or null), votes}], in natural order of labels
  groups                 [{group, size, x, y, members, representative}], the largest first;
                         representative: [{statement, agree, share, low, high, n_agree, n_disagree, n_seen,
                         probability, repness, repness_test, probability_test, score, best_agree}]
  consensus              {agree, disagree}: [{statement, share, low, high, n, n_seen, probability,
                         probability_test, score}]
  group_aware_consensus  [{statement, value}], the highest first (rejected statements left out)
  statements             [{statement, rejected, agrees, disagrees, passes, seen, agree_share, low, high, mean,
                         x, y, extremity, group_aware_consensus, priority,
                         groups: [{group, agrees, disagrees, seen}]}], in natural order of labels
A share is the observed one among those who saw the statement (null when nobody did), low and high its 95 %
interval; probability is the smoothed share (n + 1) / (n_seen + 2). Means are of votes, from -1 to 1.
The digest is SHA-256 of the votes that count, sorted: whatever the order of the lines, the same votes give
the same digest and the same result to the last bit. When all labels are whole numbers it is the digest that
a live session shows for the same votes.

Exit codes: 0 done; 2 the file cannot be read (what to do is said on standard error).
"""


def add_parser(subparsers: Any) -> None:
    """Add `analyse` and its objects to the command line."""
    parser = subparsers.add_parser("analyse", help="analyse a file, without a database")
    kinds = parser.add_subparsers(title="analyses", required=True, metavar="ANALYSIS")
    opinion = kinds.add_parser(
        "opinion",
        help="opinion groups, what unites and what divides",
        description="Compute the opinion map of a file of votes.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    opinion.add_argument("votes", metavar="VOTES.csv", help='the file, or "-" for standard input')
    opinion.add_argument(
        "--json", action="store_true", help="everything, as JSON (default: a summary to read)"
    )
    opinion.add_argument(
        "--grouping",
        choices=["grid", "polis"],
        default="grid",
        help="grid (default): stable groups, however participants are numbered; polis: the published steps",
    )
    opinion.add_argument(
        "--rejected",
        action="append",
        default=[],
        metavar="LABELS",
        help="statements moderated out, separated by commas; can be given several times",
    )
    opinion.add_argument(
        "--min-votes",
        type=_at_least_one,
        default=7,
        metavar="N",
        help="votes needed to be counted in a group (default 7; if fewer than 15 people have them, "
        "the most active join)",
    )
    opinion.set_defaults(func=run_opinion)


def run_opinion(options: argparse.Namespace) -> int:
    """Print the opinion map of a file; return 0, or 2 when the file cannot be read."""
    try:
        votes = read(_content(options.votes))
    except (BadVotesError, OSError) as error:
        why = f"{error.strerror}." if isinstance(error, OSError) and error.strerror else str(error)
        name = "standard input" if options.votes == "-" else options.votes
        print(f"essaim: {name}: {why}", file=sys.stderr)
        return 2
    from essaim.engines.opinion import analyse
    from essaim.engines.votes import from_triples

    known = set(votes.statements)
    rejected = {label.strip() for given in options.rejected for label in given.split(",") if label.strip()}
    for label in sorted(rejected - known, key=natural):
        print(f"essaim: no vote on the rejected statement {label!r}; it changes nothing.", file=sys.stderr)
    matrix = from_triples(votes.participant, votes.statement, votes.vote)
    out = [place for place, label in enumerate(votes.statements) if label in rejected]
    opinion = analyse(matrix, rejected=out, grouping=options.grouping, min_votes=options.min_votes)
    if options.json:
        found = document(votes, matrix, opinion, grouping=options.grouping, min_votes=options.min_votes)
        _print(json.dumps(found, ensure_ascii=False, allow_nan=False, separators=(",", ":")))
    else:
        _print(summary(votes, matrix, opinion))
    return 0


def document(
    votes: VotesFile, matrix: VoteMatrix, opinion: Opinion, *, grouping: str, min_votes: int
) -> dict[str, Any]:
    """Everything that `--json` prints, in its order of keys."""
    from essaim.engines import intervals

    cards = votes.statements
    letters = [group.label for group in opinion.groups]
    members: list[list[str]] = [[] for _ in letters]
    for label, group in zip(votes.participants, opinion.group.tolist(), strict=True):
        if group >= 0:
            members[group].append(label)
    aware = opinion.group_aware.tolist()
    shown = [j for j in range(len(cards)) if not opinion.rejected[j]]
    return {
        "software": {"name": "essaim", "version": essaim.__version__},
        "method": {
            "grouping": grouping,
            "min_votes": min_votes,
            "rejected": [label for label, out in zip(cards, opinion.rejected.tolist(), strict=True) if out],
            "interval": {"level": 0.95, "method": intervals.METHOD, "source": intervals.SOURCE},
        },
        "votes": {
            "digest": digest(votes, matrix),
            "participants": len(votes.participants),
            "statements": len(cards),
            "count": matrix.count,
            "lines": len(votes.vote),
        },
        "map": {
            "variance_explained": opinion.variance.tolist(),
            "silhouette": opinion.silhouette,
            "groups": opinion.k,
            "counted": int(opinion.counted.sum()),
        },
        "participants": [
            {"participant": label, "x": x, "y": y, "group": letters[g] if g >= 0 else None, "votes": n}
            for label, (x, y), g, n in zip(
                votes.participants,
                opinion.coordinates.tolist(),
                opinion.group.tolist(),
                matrix.votes_of_participant.tolist(),
                strict=True,
            )
        ],
        "groups": [
            {
                "group": group.label,
                "size": group.size,
                "x": group.centre[0],
                "y": group.centre[1],
                "members": members[group.id],
                "representative": [_representative(one, cards) for one in group.representative],
            }
            for group in opinion.groups
        ],
        "consensus": {
            "agree": [_consensus(one, cards) for one in opinion.consensus_agree],
            "disagree": [_consensus(one, cards) for one in opinion.consensus_disagree],
        },
        "group_aware_consensus": [
            {"statement": cards[j], "value": aware[j]} for j in sorted(shown, key=lambda j: (-aware[j], j))
        ],
        "statements": _statements(votes, opinion, letters),
    }


def summary(votes: VotesFile, matrix: VoteMatrix, opinion: Opinion) -> str:
    """The result in words and figures, for a terminal."""
    people, cards = len(votes.participants), votes.statements
    first, second = (f"{100 * share:.0f} %" for share in opinion.variance)
    lines = [
        f"{people} participants, {len(cards)} statements, {matrix.count} votes "
        f"({digest(votes, matrix)[:23]}…)",
        f"Map: {first} and {second} of the variance; {int(opinion.counted.sum())} participants counted in "
        f"{opinion.k} group{'' if opinion.k == 1 else 's'} (silhouette {opinion.silhouette:.2f}).",
    ]
    for group in opinion.groups:
        lines += ["", f"Group {group.label}: {group.size} people. What sets it apart:"]
        lines += [
            f"  {'agrees' if one.agree else 'disagrees':9} {_share(one)}  {cards[one.statement]}"
            for one in group.representative
        ]
    for title, consensus in (
        ("Most people agree:", opinion.consensus_agree),
        ("Most people disagree:", opinion.consensus_disagree),
    ):
        lines += ["", title]
        lines += [f"  {_share(one)}  {cards[one.statement]}" for one in consensus]
        lines += [] if consensus else ["  nothing beyond doubt"]
    best = sorted(
        (j for j in range(len(cards)) if not opinion.rejected[j]), key=lambda j: (-opinion.group_aware[j], j)
    )
    lines += ["", "Agreed with across the groups (1 = everybody in each of them):"]
    lines += [f"  {opinion.group_aware[j]:.2f}  {cards[j]}" for j in best[:5]]
    return "\n".join(lines)


def digest(votes: VotesFile, matrix: VoteMatrix) -> str:
    """`sha256:` and the digest of the (participant, statement, vote) triples that count, sorted.

    Whole-number labels: little-endian records of two 8-byte numbers and one byte, in numerical order, as the
    live room does. Other labels: lines of JSON `["participant","statement",vote]` in natural order, UTF-8.
    """
    import numpy as np

    row, column, value = matrix.rows(), matrix.indices, matrix.values
    person, card = _numbers(votes.participants), _numbers(votes.statements)
    if person is not None and card is not None:
        record = np.dtype([("participant", "<i8"), ("statement", "<i8"), ("value", "i1")])
        triples = np.empty(matrix.count, dtype=record)
        triples["participant"], triples["statement"] = np.array(person)[row], np.array(card)[column]
        triples["value"] = value
        order = np.lexsort((triples["statement"], triples["participant"]))
        return "sha256:" + hashlib.sha256(triples[order].tobytes()).hexdigest()
    written = [f"[{json.dumps(label, ensure_ascii=False)}," for label in votes.participants]
    cards = [json.dumps(label, ensure_ascii=False) for label in votes.statements]
    text = "".join(
        f"{written[i]}{cards[j]},{v}]\n"
        for i, j, v in zip(row.tolist(), column.tolist(), value.tolist(), strict=True)
    )
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _numbers(labels: Sequence[str]) -> list[int] | None:
    """The labels as 8-byte numbers, if that is how they are written ("7", not "07" or "+7")."""
    try:
        numbers = [int(label) for label in labels]
    except ValueError:
        return None
    same = all(str(n) == label and -(2**63) <= n < 2**63 for n, label in zip(numbers, labels, strict=True))
    return numbers if same else None


def _statements(votes: VotesFile, opinion: Opinion, letters: list[str]) -> list[dict[str, Any]]:
    from essaim.engines import intervals

    low, high = (end.tolist() for end in intervals.proportion(opinion.agrees, opinion.seen))
    agrees, seen = opinion.agrees.tolist(), opinion.seen.tolist()
    columns = zip(
        votes.statements,
        opinion.rejected.tolist(),
        opinion.disagrees.tolist(),
        opinion.passes.tolist(),
        opinion.means.tolist(),
        opinion.statement_coordinates.tolist(),
        opinion.extremity.tolist(),
        opinion.group_aware.tolist(),
        opinion.priorities.tolist(),
        strict=True,
    )
    by_group = [
        counts.T.tolist() for counts in (opinion.group_agrees, opinion.group_disagrees, opinion.group_seen)
    ]
    return [
        {
            "statement": label,
            "rejected": rejected,
            "agrees": agrees[j],
            "disagrees": disagrees,
            "passes": passes,
            "seen": seen[j],
            "agree_share": agrees[j] / seen[j] if seen[j] else None,
            "low": low[j],
            "high": high[j],
            "mean": mean,
            "x": place[0],
            "y": place[1],
            "extremity": extremity,
            "group_aware_consensus": aware,
            "priority": priority,
            "groups": [
                {"group": letter, "agrees": a, "disagrees": d, "seen": s}
                for letter, a, d, s in zip(letters, *(counts[j] for counts in by_group), strict=True)
            ],
        }
        for j, (label, rejected, disagrees, passes, mean, place, extremity, aware, priority) in enumerate(
            columns
        )
    ]


def _representative(one: Representative, cards: Sequence[str]) -> dict[str, Any]:
    return {
        "statement": cards[one.statement],
        "agree": one.agree,
        "share": one.share if one.n_seen else None,
        "low": one.low,
        "high": one.high,
        "n_agree": one.n_agree,
        "n_disagree": one.n_disagree,
        "n_seen": one.n_seen,
        "probability": one.p,
        "repness": one.r,
        "repness_test": one.r_test,
        "probability_test": one.p_test,
        "score": one.score,
        "best_agree": one.best_agree,
    }


def _consensus(one: Consensus, cards: Sequence[str]) -> dict[str, Any]:
    return {
        "statement": cards[one.statement],
        "share": one.share,
        "low": one.low,
        "high": one.high,
        "n": one.n,
        "n_seen": one.n_seen,
        "probability": one.p,
        "probability_test": one.p_test,
        "score": one.score,
    }


def _share(one: Representative | Consensus) -> str:
    return f"{100 * one.share:3.0f} % ({100 * one.low:.0f}–{100 * one.high:.0f} %, n = {one.n_seen})"


def _print(text: str) -> None:
    if hasattr(sys.stdout, "reconfigure"):  # labels may be in any script, whatever the terminal's encoding
        sys.stdout.reconfigure(encoding="utf-8")
    print(text)


def _content(name: str) -> bytes:
    return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()


def _at_least_one(given: str) -> int:
    number = int(given)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `python -m essaim.cli.analyse opinion …`; also without the leading word `analyse`."""
    parser = argparse.ArgumentParser(prog="python -m essaim.cli.analyse")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    add_parser(subparsers)
    given = list(sys.argv[1:] if arguments is None else arguments)
    options = parser.parse_args(given if given[:1] == ["analyse"] else ["analyse", *given])
    try:
        return int(options.func(options))
    except BrokenPipeError:  # whoever reads (head, less) has seen enough
        sys.stderr.close()
        return 0


if __name__ == "__main__":
    sys.exit(main())
