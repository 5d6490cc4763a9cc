"""The canonical matrix: last vote wins, any order of arrival, exact counts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from essaim.engines.votes import VoteMatrix, from_triples
from tests.engines.conftest import Conversation

streams = st.lists(
    st.tuples(st.integers(-3, 12), st.integers(0, 9), st.sampled_from((-1, 0, 1))), min_size=0, max_size=60
)


def columns(stream: list[tuple[int, int, int]]) -> tuple[list[int], list[int], list[int]]:
    return [s[0] for s in stream], [s[1] for s in stream], [s[2] for s in stream]


def pairs(matrix: VoteMatrix) -> dict[tuple[int, int], int]:
    people = matrix.participants[matrix.rows()].tolist()
    cards = matrix.statements[matrix.indices].tolist()
    return dict(zip(zip(people, cards, strict=True), matrix.values.tolist(), strict=True))


def bits(matrix: VoteMatrix) -> tuple[bytes, ...]:
    return tuple(getattr(matrix, name).tobytes() for name in matrix.__dataclass_fields__)


@given(streams)
def test_the_last_vote_of_a_pair_stands(stream: list[tuple[int, int, int]]) -> None:
    expected = {(p, s): v for p, s, v in stream}
    matrix = from_triples(*columns(stream))
    assert pairs(matrix) == expected
    assert matrix.participants.tolist() == sorted({p for p, _, _ in stream})
    assert matrix.statements.tolist() == sorted({s for _, s, _ in stream})
    for row in range(matrix.shape[0]):
        held = matrix.indices[matrix.indptr[row] : matrix.indptr[row + 1]]
        assert (np.diff(held) > 0).all()


@given(streams, st.randoms(use_true_random=False))
def test_order_of_arrival_leaves_no_trace(stream: list[tuple[int, int, int]], random: object) -> None:
    last = [(p, s, v) for (p, s), v in {(p, s): v for p, s, v in stream}.items()]
    shuffled = last[:]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert bits(from_triples(*columns(shuffled))) == bits(from_triples(*columns(stream)))


@given(streams)
@settings(max_examples=40)
def test_ids_far_apart_give_the_same_as_ids_close_together(stream: list[tuple[int, int, int]]) -> None:
    """The two ways of coding ids (a table, or sorting) and of finding duplicates agree."""
    far = [(p * 10**15, s * 10**12, v) for p, s, v in stream]
    near = pairs(from_triples(*columns(stream)))
    assert {(p // 10**15, s // 10**12): v for (p, s), v in pairs(from_triples(*columns(far))).items()} == near


def test_packing_and_stable_sorting_find_the_same_last_votes(monkeypatch: pytest.MonkeyPatch) -> None:
    from essaim.engines import votes

    random = np.random.default_rng(3)
    key = random.integers(0, 500, 3000)
    quick = votes._last_of_each(key)
    spread = votes._last_of_each(key * 2**50)  # too large to pack
    assert quick.tolist() == spread.tolist()
    assert key[quick].tolist() == sorted(set(key.tolist()))


def test_statements_and_people_without_votes_can_be_added() -> None:
    matrix = from_triples([5], [7], [1], statements=[9, 7, 1], participants=[2])
    assert matrix.statements.tolist() == [1, 7, 9]
    assert matrix.participants.tolist() == [2, 5]
    assert matrix.votes_of_participant.tolist() == [0, 1]
    assert matrix.count == 1


def test_no_votes_at_all() -> None:
    assert from_triples([], [], []).shape == (0, 0)
    assert from_triples([], [], [], statements=[3]).shape == (0, 1)


@pytest.mark.parametrize(
    ("people", "cards", "values", "says"),
    [
        ([1, 2], [1], [1], "unequal lengths"),
        ([1], [1], [2], "got 2 at position 0"),
        ([1.5], [1], [1], "integers"),
        ([[1]], [1], [1], "one-dimensional"),
    ],
)
def test_what_is_not_votes_is_refused(people: list, cards: list, values: list, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        from_triples(people, cards, values)


def test_the_matrix_cannot_be_changed() -> None:
    matrix = from_triples([1], [1], [1])
    with pytest.raises(ValueError, match="read-only"):
        matrix.values[0] = -1


def test_replaying_a_real_stream_gives_the_published_table(conversation: Conversation) -> None:
    replayed = from_triples(*conversation.stream.T, statements=conversation.final.statements.tolist())
    assert pairs(replayed) == pairs(conversation.final)
