"""The whole map: against formulas written out plainly, by its promises, at its edges, on real data."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from essaim.engines.opinion import Opinion, analyse, position
from essaim.engines.votes import VoteMatrix, from_triples
from tests.engines import reference
from tests.engines.conftest import Conversation, dense, everything, planted, same_partition

streams = st.lists(
    st.tuples(st.integers(0, 25), st.integers(0, 11), st.sampled_from((-1, 0, 1))), min_size=1, max_size=150
)


def matrix_of(stream: list[tuple[int, int, int]], **more: object) -> VoteMatrix:
    return from_triples(*(list(column) for column in zip(*stream, strict=True)), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("rejected", [(), (0, 3, 7)])
@pytest.mark.parametrize("seed", range(3))
def test_every_number_against_the_formulas_written_out_plainly(rejected: tuple[int, ...], seed: int) -> None:
    matrix, _ = planted(60, 14, seed=seed)
    table, out = dense(matrix), np.isin(np.arange(14), rejected)
    opinion = analyse(matrix, rejected=rejected, grouping="polis")

    assert opinion.means == pytest.approx(reference.means(table, out))
    _, power, right = np.linalg.svd(reference.filled_and_centred(table, out), full_matrices=False)
    for i in range(2):
        assert abs(float(opinion.components[i] @ right[i])) > 0.999999
    assert opinion.variance == pytest.approx(power[:2] ** 2 / np.sum(power**2))
    assert opinion.coordinates == pytest.approx(reference.projections(table, out, opinion.components))

    alone = np.full((14, 14), np.nan)
    np.fill_diagonal(alone, 1.0)  # a person a statement, who only agrees with that one
    expected = np.sqrt(14) * np.nan_to_num(alone - opinion.means) @ opinion.components.T
    expected[out] = 0
    assert opinion.statement_coordinates == pytest.approx(expected)
    assert opinion.extremity == pytest.approx(np.linalg.norm(expected, axis=1))

    assert opinion.counted.tolist() == (np.isfinite(table).sum(axis=1) >= 7).tolist()
    assert (
        same_partition(
            opinion.group[opinion.counted], reference.polis_groups(opinion.coordinates[opinion.counted])
        )
        == 1
    )
    assert opinion.agrees.tolist() == (table == 1).sum(axis=0).tolist()
    assert opinion.disagrees.tolist() == (table == -1).sum(axis=0).tolist()
    assert opinion.passes.tolist() == (table == 0).sum(axis=0).tolist()
    aware, everyone = np.ones(14), np.zeros((3, 14))
    for g in range(opinion.k):
        mine = table[opinion.group == g]
        a, d, s = (mine == 1).sum(axis=0), (mine == -1).sum(axis=0), np.isfinite(mine).sum(axis=0)
        assert opinion.group_agrees[g].tolist() == a.tolist()
        assert opinion.group_disagrees[g].tolist() == d.tolist()
        assert opinion.group_seen[g].tolist() == s.tolist()
        aware, everyone = aware * (a + 1) / (s + 2), everyone + np.stack([a, d, s])
        shown = [(r.statement, r.agree) for r in opinion.groups[g].representative]
        assert shown == reference.representative(table, opinion.group, g, out)
    assert opinion.group_aware == pytest.approx(aware)
    a, d, s = everyone
    importance = (1 - (s - a - d + 1) / (s + 2)) * (opinion.extremity + 1) * (a + 1) / (s + 2)
    assert opinion.priorities == pytest.approx(np.where(out, 0, (importance * (1 + 8 * 2 ** (-s / 5))) ** 2))
    assert [c.statement for c in opinion.consensus_agree] == reference.consensus(table, 1, out)
    assert [c.statement for c in opinion.consensus_disagree] == reference.consensus(table, -1, out)


@settings(max_examples=30, deadline=None)
@given(streams, st.randoms(use_true_random=False), st.sampled_from(("grid", "polis")))
def test_arrival_order_and_repetition_leave_no_bit_of_trace(
    stream: list, random: object, grouping: str
) -> None:
    last = list({(p, s): (p, s, v) for p, s, v in stream}.values())
    random.shuffle(last)  # type: ignore[attr-defined]
    again = analyse(matrix_of([*last, *last]), grouping=grouping)  # type: ignore[arg-type]
    assert everything(again) == everything(analyse(matrix_of(stream), grouping=grouping))  # type: ignore[arg-type]


@settings(max_examples=30, deadline=None)
@given(streams)
def test_counts_always_add_up(stream: list) -> None:
    opinion = analyse(matrix_of(stream))
    assert int(opinion.seen.sum()) == len({(p, s) for p, s, _ in stream})
    assert (opinion.group_seen.sum(axis=0) <= opinion.seen).all()
    assert sum(group.size for group in opinion.groups) == int(opinion.counted.sum())
    assert [group.size for group in opinion.groups] == sorted((g.size for g in opinion.groups), reverse=True)
    assert (opinion.group >= 0).tolist() == opinion.counted.tolist()
    assert np.isfinite(opinion.coordinates).all()
    assert ((opinion.group_aware > 0) & (opinion.group_aware < 1)).all()
    assert 0 <= opinion.variance[1] <= opinion.variance[0] <= 1


@settings(max_examples=30, deadline=None)
@given(streams, st.lists(st.integers(0, 11), max_size=3))
def test_a_person_s_own_votes_lead_to_their_own_place(stream: list, rejected: list[int]) -> None:
    matrix = matrix_of(stream)
    opinion = analyse(matrix, rejected=rejected)
    for row in range(matrix.shape[0]):
        held = slice(matrix.indptr[row], matrix.indptr[row + 1])
        cards = matrix.statements[matrix.indices[held]][::-1]  # in any order
        x, y, group = position(opinion, cards, matrix.values[held][::-1])
        assert (x, y) == pytest.approx(opinion.coordinates[row].tolist(), abs=1e-9)
        if opinion.counted[row]:
            assert group == opinion.group[row]


def test_a_participant_without_votes_changes_nothing() -> None:
    matrix, _ = planted(80, 12)
    more = from_triples(
        matrix.participants[matrix.rows()],
        matrix.statements[matrix.indices],
        matrix.values,
        participants=[999, -5],
    )
    one, other = analyse(matrix), analyse(more)
    assert other.coordinates[1:-1].tobytes() == one.coordinates.tobytes()
    assert other.coordinates[[0, -1]].tolist() == [[0, 0], [0, 0]]
    assert other.group.tolist() == [-1, *one.group.tolist(), -1]
    for name in (
        "means",
        "components",
        "group_seen",
        "group_agrees",
        "priorities",
        "consensus_agree",
        "groups",
    ):
        assert repr(getattr(one, name)) == repr(getattr(other, name)), name


def test_participants_numbered_otherwise_are_in_the_same_groups() -> None:
    matrix, _ = planted(300, 20, groups=3, seed=2)
    one = analyse(matrix)
    new = np.random.default_rng(0).permutation(300)
    other = analyse(from_triples(new[matrix.rows()], matrix.statements[matrix.indices], matrix.values))
    assert other.coordinates[new] == pytest.approx(one.coordinates, abs=1e-6)
    assert other.group[new].tolist() == one.group.tolist()


def test_statements_numbered_otherwise_give_the_same_map() -> None:
    matrix, _ = planted(300, 20, groups=3, seed=2)
    one = analyse(matrix, rejected=[4])
    new = np.random.default_rng(1).permutation(20)
    other = analyse(
        from_triples(matrix.participants[matrix.rows()], new[matrix.indices], matrix.values),
        rejected=[new[4]],
    )
    assert other.coordinates == pytest.approx(one.coordinates, abs=1e-6)
    assert other.group.tolist() == one.group.tolist()
    assert other.priorities[new] == pytest.approx(one.priorities)
    for a, b in zip(one.groups, other.groups, strict=True):
        assert [new[r.statement] for r in a.representative] == [r.statement for r in b.representative]


@pytest.mark.parametrize("grouping", ["grid", "polis"])
def test_planted_camps_are_found(grouping: str) -> None:
    matrix, camp = planted(400, 40, seed=7)
    opinion = analyse(matrix, grouping=grouping)  # type: ignore[arg-type]
    assert opinion.k == 2
    assert same_partition(opinion.group[opinion.counted], camp[opinion.counted]) > 0.8


def test_who_is_counted() -> None:
    people = [p for p in range(30) for _ in range(p % 10 + 1)]
    cards = [c for p in range(30) for c in range(p % 10 + 1)]
    opinion = analyse(from_triples(people, cards, [1] * len(people)))
    # Only 12 cast at least 7, so the most active join, lower ids first: 3 of those with 6 votes.
    assert int(opinion.counted.sum()) == 15
    assert [int(p) for p in opinion.participants[opinion.counted] if p % 10 == 5] == [5, 15, 25]
    few = analyse(from_triples([1, 2], [1, 1], [1, -1]))
    assert few.counted.tolist() == [True, True]
    assert int(analyse(from_triples(people, cards, [1] * len(people)), min_votes=1).counted.sum()) == 30


def test_votes_on_rejected_statements_count_for_being_counted_and_shape_nothing() -> None:
    matrix, _ = planted(60, 14, seed=1)
    everybody_else = matrix.values.copy()
    flipped = np.where(matrix.indices == 3, -everybody_else, everybody_else)
    one, other = (
        analyse(from_triples(matrix.rows(), matrix.indices, v), rejected=[3])
        for v in (everybody_else, flipped)
    )
    assert one.coordinates.tobytes() == other.coordinates.tobytes()
    assert one.counted.tolist() == analyse(matrix).counted.tolist()
    assert one.agrees[3] == other.disagrees[3]
    assert one.priorities[3] == 0
    assert one.rejected.tolist() == [j == 3 for j in range(14)]


class TestEdges:
    def test_no_votes(self) -> None:
        for matrix in (
            from_triples([], [], []),
            from_triples([], [], [], statements=[1, 2], participants=[9]),
        ):
            opinion = analyse(matrix)
            assert (opinion.k, opinion.groups, opinion.consensus_agree) == (0, (), ())
            assert opinion.coordinates.shape == (matrix.shape[0], 2)
            assert not opinion.counted.any()

    @pytest.mark.parametrize("grouping", ["grid", "polis"])
    def test_one_participant(self, grouping: str) -> None:
        opinion = analyse(from_triples([4] * 3, [1, 2, 3], [1, -1, 0]), grouping=grouping)  # type: ignore[arg-type]
        assert opinion.coordinates.tolist() == [[0, 0]]
        assert [(g.label, g.size, g.centre) for g in opinion.groups] == [("A", 1, (0.0, 0.0))]

    @pytest.mark.parametrize("grouping", ["grid", "polis"])
    @pytest.mark.parametrize("vote", [1, 0, -1])
    def test_everybody_votes_the_same(self, grouping: str, vote: int) -> None:
        people, cards = np.divmod(np.arange(200), 10)
        opinion = analyse(from_triples(people, cards, np.full(200, vote)), grouping=grouping)  # type: ignore[arg-type]
        assert opinion.k == 1
        assert not opinion.coordinates.any()
        assert opinion.variance.tolist() == [0, 0]
        assert len(opinion.consensus_agree) == (5 if vote == 1 else 0)

    def test_a_constant_column_carries_no_weight(self) -> None:
        matrix, _ = planted(60, 10, seed=3)
        people = np.concatenate([matrix.rows(), np.arange(60)])
        cards = np.concatenate([matrix.indices, np.full(60, 10)])
        opinion = analyse(
            from_triples(people, cards, np.concatenate([matrix.values, np.ones(60, dtype=np.int8)]))
        )
        assert opinion.components[:, 10] == pytest.approx([0, 0], abs=1e-12)
        assert opinion.extremity[10] == pytest.approx(0)

    def test_every_statement_rejected(self) -> None:
        matrix, _ = planted(30, 8)
        opinion = analyse(matrix, rejected=range(8))
        assert opinion.k == 1
        assert opinion.groups[0].representative == ()
        assert not opinion.priorities.any()

    def test_one_statement(self) -> None:
        opinion = analyse(from_triples(range(40), [7] * 40, [1, -1] * 20))
        assert opinion.k == 2
        assert opinion.group[opinion.counted].tolist() in ([0, 1] * 20, [1, 0] * 20)

    def test_a_statement_nobody_voted_on(self) -> None:
        matrix, _ = planted(40, 9)
        more = from_triples(matrix.rows(), matrix.indices, matrix.values, statements=[99])
        opinion = analyse(more)
        assert opinion.means[-1] == 0
        assert opinion.priorities[-1] == pytest.approx((0.5 * 0.5 * 9) ** 2)

    def test_wrong_requests_are_refused(self) -> None:
        matrix, _ = planted(20, 8)
        with pytest.raises(ValueError, match="grouping"):
            analyse(matrix, grouping="kmeans")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="min_votes"):
            analyse(matrix, min_votes=0)
        with pytest.raises(ValueError, match="level"):
            analyse(matrix, level=95)


class TestPosition:
    @pytest.fixture
    def opinion(self) -> Opinion:
        return analyse(planted(60, 10)[0])

    def test_nothing_known_says_nothing(self, opinion: Opinion) -> None:
        assert position(opinion, [], []) == (0.0, 0.0, -1)
        assert position(opinion, [12345], [1]) == (0.0, 0.0, -1)

    def test_statements_newer_than_the_map_are_left_out(self, opinion: Opinion) -> None:
        assert position(opinion, [12345, 2, 5], [1, 1, -1]) == position(opinion, [5, 2], [-1, 1])

    def test_on_an_empty_map(self) -> None:
        assert position(analyse(from_triples([], [], [])), [1], [1]) == (0.0, 0.0, -1)

    @pytest.mark.parametrize(
        ("cards", "votes", "says"),
        [([1], [1, 1], "unequal"), ([1, 1], [1, 0], "repeated"), ([1], [3], "a vote is")],
    )
    def test_what_is_not_votes_is_refused(
        self, opinion: Opinion, cards: list, votes: list, says: str
    ) -> None:
        with pytest.raises(ValueError, match=says):
            position(opinion, cards, votes)


class TestRealConversations:
    def test_twenty_arrival_orders_are_bit_identical(self, conversation: Conversation) -> None:
        final = conversation.final
        people, cards = final.participants[final.rows()], final.statements[final.indices]
        results = set()
        for seed in range(20):
            order = np.random.default_rng(seed).permutation(final.count)
            matrix = from_triples(people[order], cards[order], final.values[order])
            results.add(everything(analyse(matrix, rejected=conversation.rejected)))
        assert len(results) == 1

    def test_groups_agree_with_those_polis_stored(self, conversation: Conversation) -> None:
        opinion = analyse(conversation.final, rejected=conversation.rejected)
        stored = np.array([conversation.groups.get(int(p), -1) for p in opinion.participants])
        both = (stored >= 0) & opinion.counted
        assert same_partition(stored[both], opinion.group[both]) > 0.8

    def test_groups_stay_when_a_tenth_of_the_people_are_missing(self, conversation: Conversation) -> None:
        final = conversation.final
        people, cards = final.participants[final.rows()], final.statements[final.indices]
        whole = analyse(final, rejected=conversation.rejected)
        alike = []
        for seed in range(5):
            kept = np.random.default_rng(seed).random(final.shape[0]) < 0.9
            mine = kept[final.rows()]
            part = analyse(
                from_triples(people[mine], cards[mine], final.values[mine]), rejected=conversation.rejected
            )
            before = whole.group[kept]
            both = (before >= 0) & part.counted
            alike.append(same_partition(before[both], part.group[both]))
        assert np.median(alike) > 0.85


def test_the_number_of_threads_leaves_no_trace(tmp_path: Path) -> None:
    matrix, _ = planted(1500, 300, share=0.1, seed=5)
    np.savez(tmp_path / "votes.npz", p=matrix.rows(), s=matrix.indices, v=matrix.values)
    program = (
        "import sys, hashlib, numpy as np\n"
        "from essaim.engines.opinion import analyse\n"
        "from essaim.engines.votes import from_triples\n"
        "z = np.load(sys.argv[1])\n"
        "o = analyse(from_triples(z['p'], z['s'], z['v']))\n"
        "print(hashlib.sha256(o.coordinates.tobytes() + o.group.tobytes()).hexdigest())\n"
    )
    source = str(Path(__file__).resolve().parents[2] / "src")
    answers = set()
    for threads in ("1", "4"):
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": threads, "PYTHONPATH": source}
        command = [sys.executable, "-c", program, str(tmp_path / "votes.npz")]
        answers.add(subprocess.run(command, env=environment, check=True, capture_output=True).stdout)
    assert len(answers) == 1
