"""A room: the same state whatever the order, the deck, the state document, the view."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from essaim.engines.votes import from_triples
from essaim.live import projections, records
from essaim.live.deck import Deck
from essaim.live.records import BatchRecord, IdeaRecord, JoinRecord, Record
from essaim.live.room import Room
from tests.live.rooms import (
    KEY,
    MINUTE,
    NOW,
    enter,
    everything,
    idea,
    make_room,
    make_spec,
    number_of,
    running,
    send,
)

votes = st.lists(st.tuples(st.integers(0, 5), st.sampled_from([1, 0, -1, records.RETRACTED])), max_size=4)
ratings = st.lists(st.tuples(st.sampled_from([2, 3]), st.just("maturity"), st.integers(1, 5)), max_size=2)


@st.composite
def histories(draw: st.DrawFn) -> list[Record]:
    """Joins and batches as a room would have written them, contribution ids included."""
    people = draw(st.integers(1, 4))
    history: list[Record] = [JoinRecord(p, NOW + p, "fr", None, f"name {p}") for p in range(people)]
    number = 100_000
    for step in range(draw(st.integers(0, 10))):
        ideas = []
        for _ in range(draw(st.integers(0, 1))):
            ideas.append(IdeaRecord(number, f"mark-{number}", 2, "idea", f"text {number}"))
            number += 1
        history.append(
            BatchRecord(
                draw(st.integers(0, people - 1)),
                draw(st.integers(0, 4)),
                NOW + 100 + draw(st.integers(0, 3)) * MINUTE + step,
                tuple(dict(draw(votes)).items()),
                tuple({r[:2]: r for r in draw(ratings)}.values()),
                tuple(ideas),
            )
        )
    return history


def rebuilt(history: list[Record]) -> Room:
    room = Room(make_spec(privacy="pseudonymous"), KEY)
    for record in history:
        room.apply(record)
    room.settle(history)
    return room


@settings(max_examples=60, deadline=None)
@given(history=histories(), data=st.data())
def test_any_order_and_any_repetition_give_the_same_room(history: list[Record], data: st.DataObject) -> None:
    twice = history + data.draw(st.lists(st.sampled_from(history), max_size=6))
    shuffled = data.draw(st.permutations(twice))
    assert everything(rebuilt(shuffled)) == everything(rebuilt(history))


@settings(max_examples=30, deadline=None)
@given(history=histories())
def test_records_survive_their_encoding(history: list[Record]) -> None:
    read = list(records.decode(records.encode(history)))
    assert sorted(read, key=repr) == sorted(history, key=repr)
    assert everything(rebuilt(read)) == everything(rebuilt(history))


@settings(max_examples=60, deadline=None)
@given(history=histories(), data=st.data())
def test_a_journal_read_at_once_gives_the_room_that_was_live(
    history: list[Record], data: st.DataObject
) -> None:
    twice = data.draw(st.permutations(history + data.draw(st.lists(st.sampled_from(history), max_size=6))))
    cut = data.draw(st.integers(0, len(twice)))
    blocks = [records.decode(records.encode(part)) for part in (twice[:cut], twice[cut:])]
    room = Room(make_spec(privacy="pseudonymous"), KEY)
    room.load(blocks)
    assert everything(room) == everything(rebuilt(history))
    more = BatchRecord(0, 9, NOW + 7, ((0, -1), (5, 1)))  # and it goes on as the live one would
    live = rebuilt(history)
    for one in (room, live):
        one.apply(more)
        one.deal()
    assert everything(room) == everything(live)


def test_the_view_counts_what_stands() -> None:
    room = make_room(running("draft", "compare", minutes=10), moderation="before")
    writer, voter, idle = enter(room, unit=1), enter(room, unit=2), enter(room)
    assert idle
    send(room, writer, 1, ratings=[[2, "maturity", 3], [3, "importance", 4]], ideas=[idea("idea-0001")])
    later = NOW + 10 * MINUTE + 1
    send(room, voter, 1, later, votes=[[0, 1], [1, -1], [2, 0]])
    send(room, voter, 2, later, votes=[[2, None]])
    view = projections.build(projections.snapshot(room, later + 5), None)
    assert (view.participants, view.contributors, view.voters, view.raters) == (3, 1, 1, 1)
    assert (view.votes, view.ratings, view.contributions, view.waiting) == (2, 2, 1, 1)
    assert (view.phase.name, view.present, view.unit_of.tolist()) == ("compare", 1, [1, 2, -1])
    assert [view.rating_item.tolist(), view.rating_scale.tolist(), view.rating_value.tolist()] == [
        [2, 3],
        [0, 1],
        [3, 4],
    ]
    counts = {minute.minute: minute for minute in view.per_minute}
    assert len(counts) == 60
    first, last = NOW // MINUTE * MINUTE, later // MINUTE * MINUTE
    assert (counts[first].contributions, counts[first].ratings, counts[last].votes) == (1, 2, 2)
    voice = view.statements[-1]
    assert (voice.id, voice.origin, voice.status, voice.participant, voice.author) == (
        number_of(room, 0, "idea-0001"),
        "voice",
        "waiting",
        0,
        "",
    )
    expected = from_triples([1, 1], [0, 1], [1, -1], statements=[row.id for row in view.statements])
    assert np.array_equal(view.vote_matrix.statements, expected.statements)
    assert np.array_equal(view.vote_matrix.values, expected.values)


def test_the_digest_is_of_the_sorted_triples() -> None:
    room = make_room()
    tickets = [enter(room) for _ in range(3)]
    for number, ticket in reversed(list(enumerate(tickets))):
        send(room, ticket, 1, votes=[[5, 1], [2, -number % 2]])
    digest = projections.build(projections.snapshot(room, NOW), None).vote_digest
    other = make_room()
    tickets = [enter(other) for _ in range(3)]
    for number, ticket in enumerate(tickets):
        send(other, ticket, 7, votes=[[2, -number % 2]])
        send(other, ticket, 3, votes=[[5, 1]])
    assert projections.build(projections.snapshot(other, NOW + 9), None).vote_digest == digest
    send(other, tickets[0], 9, votes=[[5, 0]])
    assert projections.build(projections.snapshot(other, NOW + 9), None).vote_digest != digest


def test_moderation_decides_who_sees_what() -> None:
    room = make_room(running("draft", "compare", minutes=10))
    writer, reader = enter(room), enter(room)
    send(room, writer, 1, ideas=[idea("idea-0001"), idea("idea-0002")])

    first, second = number_of(room, 0, "idea-0001"), number_of(room, 0, "idea-0002")

    def offered() -> set[int]:
        return {row.id for row in room.next_for(1, 50) if row.id >= 100_000}

    assert reader
    assert offered() == {first, second}
    room.use(make_spec(running("draft"), rev=2, hidden=(first,)))
    assert offered() == {second}
    room.use(make_spec(running("draft"), rev=3, moderation="before", shown=(first,)))
    assert offered() == {first}
    assert {row.id: row.status for row in room.mine(0)} == {first: "shown", second: "waiting"}
    room.use(make_spec(running("draft"), rev=2, hidden=(first,)))
    assert offered() == {first}, "an older revision never replaces a newer"


def test_a_contribution_is_offered_only_once_it_is_on_the_disk() -> None:
    room = make_room()
    writer = enter(room)
    enter(room)
    outcome = room.submit(writer, json.dumps({"seq": 1, "ideas": [idea("idea-0001")]}).encode(), NOW)
    number = number_of(room, 0, "idea-0001")
    assert number not in {row.id for row in room.next_for(1, 50)}
    assert outcome.record is not None
    room.settle([outcome.record])
    assert number in {row.id for row in room.next_for(1, 50)}


def test_next_never_gives_what_was_answered_or_written() -> None:
    room = make_room()
    ticket = enter(room)
    send(room, ticket, 1, ideas=[idea("idea-0001")])
    seen: list[int] = []
    while row := next(iter(room.next_for(0, 1)), None):
        assert row.id == room.next_for(0, 1)[0].id, "a reload shows the same statement"
        seen.append(row.id)
        send(room, ticket, len(seen) + 1, votes=[[row.id, 1]])
    assert sorted(seen) == list(range(12))


def test_the_deck_is_repeatable_and_spreads() -> None:
    def draws(seed: int) -> list[list[int]]:
        deck = Deck(seed)
        deck.deal(range(30), [0] * 30)
        return [deck.draw(person, 5, {}, frozenset()) for person in range(50)]

    assert draws(1) == draws(1)
    assert draws(1) != draws(2)
    assert all(len(set(hand)) == 5 for hand in draws(1))


def test_the_deck_prefers_the_least_seen_but_keeps_a_uniform_share() -> None:
    deck = Deck(3)
    deck.deal(range(10), [0] + [100] * 9)
    drawn = Counter(deck.draw(person, 1, {}, frozenset())[0] for person in range(4000))
    # Nine draws in ten go to the new one (its weight is 10 000 against 9), one in ten to any.
    assert 0.88 < drawn[0] / 4000 < 0.94
    assert min(drawn[one] for one in range(1, 10)) >= 15


def test_the_deck_follows_priorities_and_favours_what_the_map_does_not_know() -> None:
    deck = Deck(3)
    deck.deal([1, 2, 3], [5, 5, 0], [1.0, 9.0, float("nan")])
    drawn = Counter(deck.draw(person, 1, {}, frozenset())[0] for person in range(4000))
    for one, share in ((1, 1 / 19), (2, 9 / 19), (3, 9 / 19)):
        assert abs(drawn[one] / 4000 - (0.9 * share + 0.1 / 3)) < 0.03


def test_the_deck_finds_the_few_that_are_left() -> None:
    deck = Deck(3)
    deck.deal(range(1000), [0] * 1000)
    left = {17, 400, 999}
    hand = {one: 128 * 7 + 3 for one in range(1000) if one not in left}
    assert set(deck.draw(1, 5, hand, frozenset())) == left
    assert deck.draw(1, 5, hand, frozenset(left)) == []
    taken_back = dict.fromkeys(range(1000), 128 * 7)
    assert len(deck.draw(1, 5, taken_back, frozenset())) == 5, "a vote taken back may be given again"


def test_state_is_the_same_for_all_and_its_etag_forgets_the_clock() -> None:
    room = make_room(running("draft", "compare", minutes=10))
    (tag, body), (later_tag, later) = room.state_bytes(NOW), room.state_bytes(NOW + 500)
    assert tag == later_tag
    state = json.loads(body)
    assert state.pop("now") == NOW
    assert state | {"now": NOW + 500} == json.loads(later)
    assert state == {
        "rev": 1,
        "phase": "draft",
        "ends_at": NOW + 10 * MINUTE,
        "paused": False,
        "paused_at": None,
        "frozen": False,
        "plan": [
            {"name": "draft", "starts_at": NOW, "ends_at": NOW + 10 * MINUTE},
            {"name": "compare", "starts_at": NOW + 10 * MINUTE, "ends_at": NOW + 20 * MINUTE},
        ],
        "participants": 0,
        "contributions": 0,
        "votes": 0,
    }
    assert room.state_bytes(NOW + 10 * MINUTE)[0] != tag
    enter(room)
    assert room.state_bytes(NOW)[0] != tag


def test_presence_fades_after_a_minute() -> None:
    room = make_room()
    first, second = enter(room), enter(room)
    room.admit(first, NOW)
    room.admit(second, NOW + 30_000)
    assert [room.present(NOW + t) for t in (30_000, 60_000, 90_000)] == [2, 1, 0]


def test_wrong_clocks_duplicates_and_reorderings_give_exact_counts() -> None:
    """Ten phones, clocks hours apart, queues shuffled and sent twice: only the server's time counts."""
    rng = np.random.default_rng(5)
    room = make_room()
    tickets = [enter(room) for _ in range(10)]
    expected: dict[tuple[int, int], int] = {}
    queue = []
    for person in range(10):
        for seq in range(1, 21):
            statement, value = int(rng.integers(12)), int(rng.integers(-1, 2))
            expected[person, statement] = value
            queue.append((person, seq, statement, value))
    order = [*rng.permutation(len(queue)), *rng.permutation(len(queue))]
    for now, place in enumerate(order, NOW):
        person, seq, statement, value = queue[place]
        wrong_clock = {"sent_at": NOW + (person - 5) * 3_600_000}
        send(room, tickets[person], seq, now, votes=[[statement, value]], **wrong_clock)
    assert {(p, s): v for p in range(10) for s, v in room.votes_of(p).items()} == expected
    view = projections.build(projections.snapshot(room, NOW + 1000), None)
    assert view.votes == len(expected) == sum(row.seen for row in view.statements)
    for row in view.statements:
        standing = Counter(value for (_, statement), value in expected.items() if statement == row.id)
        assert (row.agrees, row.disagrees, row.passes) == (standing[1], standing[-1], standing[0])
