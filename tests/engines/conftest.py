"""Real conversations (kept outside of the repository) and made-up ones."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from essaim.engines.votes import VoteMatrix, from_triples

DATA = Path(os.environ.get("ESSAIM_TEST_DATA", Path(__file__).resolve().parents[3] / "shared/data")) / "polis"
CONVERSATIONS = (
    "15-per-hour-seattle",
    "austria-climate.5twd2jsnkf.2022-08-08",
    "scoop-hivemind.biodiversity",
    "vtaiwan.uberx",
)


@dataclass(frozen=True)
class Conversation:
    """A published conversation: its stream of votes, its final table and the groups Polis stored."""

    stream: npt.NDArray[np.int64]  # (N, 3) participant, statement, vote in the order of the file
    final: VoteMatrix
    groups: dict[int, int]
    rejected: tuple[int, ...]


@pytest.fixture(scope="session", params=CONVERSATIONS)
def conversation(request: pytest.FixtureRequest) -> Conversation:
    folder = DATA / request.param
    if not folder.is_dir():
        pytest.skip(f"real conversation not found in {folder} (set ESSAIM_TEST_DATA)")
    with (folder / "votes.csv").open(newline="", encoding="utf-8") as file:
        stream = [(int(r["voter-id"]), int(r["comment-id"]), int(r["vote"])) for r in csv.DictReader(file)]
    with (folder / "participants-votes.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    with (folder / "comments.csv").open(newline="", encoding="utf-8") as file:
        rejected = tuple(int(r["comment-id"]) for r in csv.DictReader(file) if r["moderated"] == "-1")
    header, group = rows[0], rows[0].index("group-id")
    columns = [(i, int(name)) for i, name in enumerate(header) if name.isdigit()]
    table = [
        (int(row[0]), card, int(float(row[i]))) for row in rows[1:] for i, card in columns if row[i] != ""
    ]
    groups = {int(row[0]): int(row[group]) for row in rows[1:] if row[group] != ""}
    return Conversation(np.array(stream), from_triples(*np.array(table).T), groups, rejected)


def planted(
    people: int, cards: int, *, groups: int = 2, share: float = 0.5, seed: int = 0
) -> tuple[VoteMatrix, npt.NDArray[np.int64]]:
    """A crowd of camps that answer with opposite leanings, each person on a random part of the statements."""
    random = np.random.default_rng(seed)
    camp = random.integers(0, groups, people)
    lean = random.uniform(0.05, 0.95, (groups, cards))
    row, column = np.nonzero(random.random((people, cards)) < share)
    vote = np.where(random.random(len(row)) < lean[camp[row], column], 1, -1)
    vote[random.random(len(row)) < 0.1] = 0
    return from_triples(row, column, vote, statements=range(cards), participants=range(people)), camp


def dense(matrix: VoteMatrix) -> npt.NDArray[np.float64]:
    """(P, C) votes with NaN where there is none."""
    table = np.full(matrix.shape, np.nan)
    table[matrix.rows(), matrix.indices] = matrix.values
    return table


def same_partition(a: npt.ArrayLike, b: npt.ArrayLike) -> float:
    """Adjusted Rand index of two labellings (Hubert and Arabie 1985); 1 = the same groups."""
    x = np.unique(np.asarray(a), return_inverse=True)[1]
    y = np.unique(np.asarray(b), return_inverse=True)[1]
    table = np.zeros((x.max() + 1, y.max() + 1))
    np.add.at(table, (x, y), 1)

    def pairs(counts: npt.NDArray[np.float64]) -> float:
        return float((counts * (counts - 1) / 2).sum())

    together, of_x, of_y = pairs(table), pairs(table.sum(axis=1)), pairs(table.sum(axis=0))
    expected, most = of_x * of_y / pairs(np.array([len(x)])), (of_x + of_y) / 2
    return 1.0 if most == expected else (together - expected) / (most - expected)


def everything(opinion: object) -> bytes:
    """Every bit of a result, for comparing two of them."""
    parts = []
    for name, value in vars(opinion).items():
        raw = value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode()
        parts.append(name.encode() + b"=" + raw)
    return b"\n".join(parts)
