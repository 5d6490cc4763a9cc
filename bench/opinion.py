"""The opinion map: speed beside red-dwarf 0.4.0 in the same run, and the proofs that speed needs.

For every conversation of a folder (each with votes.csv, comments.csv and participants-votes.csv):
  speed    median time from votes in memory to groups, representative statements, consensus and priorities,
           ours (one thread) and the peer's in turn, the peer with the OpenMP threads that suit it best (one on
           the real ones, where more made it 3 times slower; as many as it likes on the synthetic ones); the
           peer's first step (dictionaries to a matrix) is also given apart;
  axes     |cosine| of each axis with a dense reference (eigenvectors of the filled, centred matrix);
  same     representative and consensus statements and group-aware consensus equal to those that red-dwarf's
           own functions choose, given our groups; then the greatest difference of an extremity with its
           whole run, over the largest extremity (its axes come from a randomised solver on middle sizes,
           whose own |cosine| with the reference is given: the difference is there, not in the formula);
  order    20 random arrival orders give bit-identical results; 20 renumberings of people the same groups;
  groups   agreement (adjusted Rand index) with the groups that Polis stored for the conversation.

Where red-dwarf differs by definition: it has no base clusters (k-means on all people, k by silhouette on all
people), takes at least 7 votes but never adds people up to 15, and describes a group for which no statement
qualifies as "best agree" by nothing, where the published steps list the significant ones.

`--large` adds two synthetic conversations (logistic opinions, ragged participation), one run each.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import dataclasses
import hashlib
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "bench"), str(ROOT / "src")]

import peers  # noqa: E402

from essaim.engines.opinion import Opinion, analyse  # noqa: E402
from essaim.engines.votes import VoteMatrix, from_triples  # noqa: E402

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
ORDERS = 20
SAME = 1e-9  # relative difference under which two scores are the same number


@dataclasses.dataclass(frozen=True)
class Conversation:
    """Votes in the order they were given, rejected statements, stored groups (empty if unknown)."""

    name: str
    participant: Ints
    statement: Ints
    vote: Ints
    rejected: tuple[int, ...] = ()
    stored: dict[int, int] = dataclasses.field(default_factory=dict)


def main() -> int:
    options = _arguments()
    conversations = list(_real(options.folder))
    if not conversations:
        print(f"No conversation in {options.folder}: give the folder of the open data, or use --large.")
        if not options.large:
            return 0
    tables: list[list[list[str]]] = [[], [], []]
    with _peer(options.peer, openmp=1) as peer:
        for conversation in conversations:
            _measure(conversation, peer, options.runs, tables)
    if options.large:
        with _peer(options.peer, openmp=None) as peer:
            for people, cards, share in ((20_000, 500, 0.069), (33_422, 783, 0.0765)):
                _measure(synthetic(people, cards, share), peer, 1, tables)
    _print_tables(tables, options.runs)
    return 0


def _measure(
    conversation: Conversation, peer: peers.Process | None, runs: int, tables: list[list[list[str]]]
) -> None:
    print(f"… {conversation.name}", file=sys.stderr)
    c = conversation
    matrix = from_triples(c.participant, c.statement, c.vote)
    ours, theirs, first_step, answer = _times(c, matrix, peer, runs)
    opinion = analyse(matrix, rejected=c.rejected)
    speed = [c.name, f"{matrix.shape[0]:,} × {matrix.shape[1]:,}", f"{matrix.count:,}", _ms(ours)]
    if answer:
        speed += [_ms(theirs), _ms(first_step), f"{theirs / ours:.0f} ×"]
    tables[0].append(speed)

    reference = _reference(matrix, opinion.rejected)
    cosines = _cosines(reference, opinion.components)
    if peer:
        cosines += _cosines(reference, np.array(answer["components"]))[1:]
    tables[1].append([c.name, *cosines, *(_same(opinion, peer.ask, answer) if peer else [])])

    row = [c.name, *_orders(c, opinion), *_renumbered(c, opinion)]
    if c.stored:
        stored = [_agreement(c.stored, opinion)]
        stored.append(_agreement(c.stored, analyse(matrix, rejected=c.rejected, grouping="polis")))
        if answer:
            theirs_by = dict(zip(answer["participants"], answer["groups"], strict=True))
            stored.append(_ari([(c.stored[p], g) for p, g in theirs_by.items() if p in c.stored]))
        row += [f"{value:.2f}" for value in stored]
    tables[2].append(row)


def _times(
    c: Conversation, matrix: VoteMatrix, peer: peers.Process | None, runs: int
) -> tuple[float, float, float, dict[str, Any]]:
    """Median seconds: ours, the peer's, the peer's first step; and the peer's last answer."""
    analyse(matrix, rejected=c.rejected)  # one run each before the clock: imports and caches
    answer: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        stored = Path(folder) / "votes.npz"
        np.savez(
            stored,
            participant=matrix.participants[matrix.rows()],
            statement=matrix.statements[matrix.indices],
            vote=matrix.values,
        )
        if peer:
            peer.ask("load", path=str(stored), rejected=list(c.rejected))
    if peer and runs > 1:
        peer.ask("run")
    ours: list[float] = []
    theirs: list[float] = []
    first: list[float] = []
    for _ in range(runs):
        start = time.perf_counter()
        analyse(from_triples(c.participant, c.statement, c.vote), rejected=c.rejected)
        ours.append(time.perf_counter() - start)
        if peer:
            answer = peer.ask("run")
            theirs.append(answer["total"])
            first.append(answer["matrix"])
    median = statistics.median
    return median(ours), median(theirs or [0.0]), median(first or [0.0]), answer


def _reference(matrix: VoteMatrix, rejected: npt.NDArray[np.bool_]) -> Floats:
    """The two axes (2, C) by a dense eigendecomposition of the mean-filled, centred matrix."""
    filled = np.full(matrix.shape, np.nan)
    filled[matrix.rows(), matrix.indices] = matrix.values
    filled[:, rejected] = 0.0
    filled = np.where(np.isnan(filled), np.nanmean(filled, axis=0), filled)
    filled -= filled.mean(axis=0)
    _, vectors = np.linalg.eigh(filled.T @ filled)
    return np.asarray(vectors[:, [-1, -2]].T)


def _cosines(reference: Floats, axes: Floats) -> list[str]:
    return [f"{abs(float(reference[axis] @ axes[axis])):.8f}" for axis in (0, 1)]


def _same(opinion: Opinion, ask: Callable[..., dict[str, Any]], answer: dict[str, Any]) -> list[str]:
    """Whether the peer's own functions choose what we chose, given our groups."""
    counted = opinion.counted
    judged = ask(
        "judge", participants=opinion.participants[counted].tolist(), groups=opinion.group[counted].tolist()
    )
    shown = [[[r.statement, r.agree] for r in group.representative] for group in opinion.groups]
    aware = np.array(judged["group_aware"])
    extremity = np.array(answer["extremity"])
    return [
        _equal(shown, judged["representative"]),
        _equal([one.statement for one in opinion.consensus_agree], judged["agree"]),
        _equal([one.statement for one in opinion.consensus_disagree], judged["disagree"]),
        _yes(bool(np.allclose(aware, opinion.group_aware, rtol=SAME, atol=0))),
        f"{float(np.abs(extremity - opinion.extremity).max() / opinion.extremity.max()):.0e}",
    ]


def _equal(ours: list[Any], theirs: list[Any]) -> str:
    if ours == theirs:
        return "yes"
    flat = [sorted(map(str, part)) if isinstance(part, list) else part for part in ours]
    other = [sorted(map(str, part)) if isinstance(part, list) else part for part in theirs]
    same_sets = flat == other if ours and isinstance(ours[0], list) else sorted(ours) == sorted(theirs)
    return "set, other order" if same_sets else f"NO: {ours} / {theirs}"


def _orders(c: Conversation, opinion: Opinion) -> list[str]:
    """How many of 20 random arrival orders give the same bits (each change of mind stays after its vote)."""
    rng = np.random.default_rng(20)
    wanted, same = fingerprint(opinion), 0
    _, pair = np.unique(np.stack([c.participant, c.statement]), axis=1, return_inverse=True)
    for _ in range(ORDERS):
        keys = rng.random(len(pair))
        by_pair, by_key = np.argsort(pair, kind="stable"), np.lexsort((keys, pair))
        keys[by_pair] = keys[by_key]  # within a pair the keys ascend, so its last vote stays the last
        order = np.argsort(keys)
        again = from_triples(c.participant[order], c.statement[order], c.vote[order])
        same += fingerprint(analyse(again, rejected=c.rejected)) == wanted
    return [f"{same}/{ORDERS}"]


def _renumbered(c: Conversation, opinion: Opinion) -> list[str]:
    """How many of 20 random renumberings of the participants give the same groups, for each grouping."""
    rng = np.random.default_rng(21)
    found = []
    numbers = [rng.permutation(len(opinion.participants)) for _ in range(ORDERS)]
    place = np.searchsorted(opinion.participants, c.participant)
    choices: tuple[Literal["grid", "polis"], ...] = ("grid", "polis")
    for grouping in choices:
        matrix = from_triples(c.participant, c.statement, c.vote)
        wanted = analyse(matrix, rejected=c.rejected, grouping=grouping).group
        same = 0
        for number in numbers:
            again = from_triples(number[place], c.statement, c.vote)
            group = analyse(again, rejected=c.rejected, grouping=grouping).group
            same += bool(np.array_equal(group[number], wanted))
        found.append(f"{same}/{ORDERS}")
    return found


def fingerprint(opinion: Opinion) -> str:
    """A digest of every bit of a result."""
    digest = hashlib.sha256()
    for field in dataclasses.fields(opinion):
        value = getattr(opinion, field.name)
        digest.update(value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode())
    return digest.hexdigest()


def _agreement(stored: dict[int, int], opinion: Opinion) -> float:
    pairs = zip(opinion.participants.tolist(), opinion.group.tolist(), strict=True)
    return _ari([(stored[p], g) for p, g in pairs if g >= 0 and p in stored])


def _ari(pairs: list[tuple[int, int]]) -> float:
    """Adjusted Rand index (Hubert and Arabie 1985) of two labellings of the same people."""
    a, b = (np.unique(column, return_inverse=True)[1] for column in np.array(pairs).T)
    table = np.zeros((a.max() + 1, b.max() + 1))
    np.add.at(table, (a, b), 1)

    def both(counts: Floats) -> float:
        return float((counts * (counts - 1) / 2).sum())

    rows, columns, everybody = both(table.sum(1)), both(table.sum(0)), len(a) * (len(a) - 1) / 2
    expected = rows * columns / everybody
    most = (rows + columns) / 2
    return 1.0 if most == expected else (both(table) - expected) / (most - expected)


def _real(folder: Path) -> Iterator[Conversation]:
    for place in sorted(folder.iterdir()) if folder.is_dir() else ():
        if not (place / "votes.csv").is_file():
            continue
        votes = _columns(place / "votes.csv", ("timestamp", "voter-id", "comment-id", "vote"))
        time_, people, cards, vote = votes[:, np.argsort(votes[0], kind="stable")]
        del time_
        with (place / "comments.csv").open(newline="", encoding="utf-8-sig") as file:
            rejected = tuple(
                int(r["comment-id"]) for r in csv.DictReader(file) if r["moderated"].strip() == "-1"
            )
        with (place / "participants-votes.csv").open(newline="", encoding="utf-8-sig") as file:
            rows = [(r["participant"], r["group-id"].strip()) for r in csv.DictReader(file)]
        stored = {int(person): int(float(group)) for person, group in rows if group}
        yield Conversation(
            place.name, people, cards, vote, rejected, {p: g for p, g in stored.items() if g >= 0}
        )


def _columns(path: Path, names: tuple[str, ...]) -> Ints:
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file)
        header = next(reader)
        places = [header.index(name) for name in names]
        return np.array([[int(row[i]) for i in places] for row in reader if row], dtype=np.int64).T


def synthetic(people: int, cards: int, density: float) -> Conversation:
    """Three planted groups, logistic opinions, log-normal participation of `density` on average."""
    rng = np.random.default_rng(people)
    group = rng.choice(3, people, p=[0.45, 0.35, 0.2])
    lean = rng.normal(0, 1.2, (3, cards)) + rng.normal(0.3, 0.8, cards)
    answers = np.minimum(rng.lognormal(np.log(density * cards) - 0.32, 0.8, people).astype(int) + 1, cards)
    who = np.repeat(np.arange(people), answers)
    what = np.concatenate([rng.choice(cards, n, replace=False) for n in answers.tolist()])
    agree = rng.random(len(who)) < 1 / (
        1 + np.exp(-(lean[group[who], what] + rng.normal(0, 0.5, people)[who]))
    )
    vote = np.where(rng.random(len(who)) < 0.12, 0, np.where(agree, 1, -1))
    order = rng.permutation(len(who))
    return Conversation(f"synthetic {people:,}", who[order], what[order], vote[order])


@contextlib.contextmanager
def _peer(wanted: bool, *, openmp: int | None) -> Iterator[peers.Process | None]:
    """The peer, or None when it is not wanted or cannot be installed."""
    try:
        process = peers.Process(ROOT / "bench" / "opinion_peer.py", openmp=openmp) if wanted else None
    except (RuntimeError, OSError) as error:
        print(f"Without the peer: {error}", file=sys.stderr)
        process = None
    with process or contextlib.nullcontext():
        yield process


def _arguments() -> argparse.Namespace:
    data = Path(os.environ.get("ESSAIM_TEST_DATA", ROOT.parent / "shared" / "data"))
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "folder", type=Path, nargs="?", default=data / "polis", help="folder of conversations"
    )
    parser.add_argument(
        "--runs", type=int, default=5, help="runs each, in turn (default 5; medians are shown)"
    )
    parser.add_argument("--large", action="store_true", help="add 20,000 × 500 and 33,422 × 783 (minutes)")
    parser.add_argument("--no-peer", dest="peer", action="store_false", help="only our own figures")
    return parser.parse_args()


def _print_tables(tables: list[list[list[str]]], runs: int) -> None:
    heads = (
        (
            "Speed",
            ["conversation", "people × statements", "votes", "ours", "red-dwarf", "its matrix", "ratio"],
        ),
        (
            "Mathematics",
            [
                "conversation",
                "|cos| axis 1",
                "|cos| axis 2",
                "red-dwarf's",
                "representative",
                "agree",
                "disagree",
                "aware",
                "extremity",
            ],
        ),
        (
            "Stability; agreement with Polis's stored groups (ARI)",
            ["conversation", "orders", "renumbered grid", "polis", "ARI grid", "ARI polis", "ARI red-dwarf"],
        ),
    )
    for (title, head), rows in zip(heads, tables, strict=True):
        print(f"\n{title}" + (f" (median of {runs}, one run for synthetic ones)" if title == "Speed" else ""))
        rows = [row + [""] * (len(head) - len(row)) for row in rows]
        widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
        for row in [head, ["-" * width for width in widths], *rows]:
            print(
                "  ".join(
                    [
                        row[0].ljust(widths[0]),
                        *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True)),
                    ]
                )
            )


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:,.0f} ms"


def _yes(same: bool) -> str:
    return "yes" if same else "NO"


if __name__ == "__main__":
    sys.exit(main())
