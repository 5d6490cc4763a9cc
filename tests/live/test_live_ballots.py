"""Ballots: what a batch may hold, how each bad entry is refused alone, and what the phase allows."""

from __future__ import annotations

import json
from typing import Any

import pytest

from essaim.live import plan as plans
from essaim.live.limits import Limits
from essaim.live.plan import PhaseWindow, Plan
from essaim.live.problems import RefusalError
from essaim.live.records import JoinRecord
from essaim.live.room import Room
from essaim.live.tickets import sign_pass
from tests.live.rooms import KEY, MINUTE, NOW, codes, enter, idea, make_room, make_spec, running, send


def refusal(call: Any, *args: Any, **kwargs: Any) -> RefusalError:
    with pytest.raises(RefusalError) as caught:
        call(*args, **kwargs)
    return caught.value


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b'{"votes":[]}',
        b'{"seq":"1"}',
        b'{"seq":1.5}',
        b'{"seq":-1}',
        b'{"seq":9007199254740992}',
        b'{"seq":1e400}',
        b'{"seq":1,"votes":{}}',
        b'{"seq":1,"votes":' + b"[" * 5000 + b"]" * 5000 + b"}",
        b'{"seq":1,"ideas":[{"id":"abcdefgh","text":"\\ud800"}]}',
        b'\xff{"seq":1}',
        json.dumps({"seq": 1, "votes": [[0, 1]] * 51}).encode(),
        json.dumps({"seq": 1, "ratings": [[2, "maturity", 1]] * 51}).encode(),
        json.dumps({"seq": 1, "ideas": [idea("abcdefgh")] * 6}).encode(),
    ],
)
def test_malformed_as_a_whole(body: bytes) -> None:
    room = make_room()
    ticket = enter(room)
    version = room.version
    assert refusal(room.submit, ticket, body, NOW).code == "malformed"
    assert room.version == version


def test_each_bad_vote_is_refused_alone() -> None:
    room = make_room()
    votes = [
        [0, 1],
        [1, 2],
        [2, True],
        [3, "1"],
        [4],
        5,
        None,
        [99, 1],
        [10**30, 1],
        [True, 1],
        [6, 1.0],
        [7, 0],
    ]
    outcome = send(room, enter(room), 1, votes=votes)
    assert codes(outcome) == [
        ("votes", 1, "bad-value"),
        ("votes", 2, "bad-value"),
        ("votes", 3, "bad-value"),
        ("votes", 4, "malformed"),
        ("votes", 5, "malformed"),
        ("votes", 6, "malformed"),
        ("votes", 7, "unknown-statement"),
        ("votes", 8, "unknown-statement"),
        ("votes", 9, "malformed"),
        ("votes", 10, "bad-value"),
    ]
    assert room.votes_of(0) == {0: 1, 7: 0}


def test_each_bad_rating_is_refused_alone() -> None:
    room = make_room(running("draft"))
    ratings = [
        [2, "maturity", 5],
        [2, "importance", 5],
        [1, "maturity", 3],
        [9, "maturity", 3],
        [2, "other", 3],
        [2, "maturity", 0],
        [3, "maturity", "4"],
        [3, "maturity", True],
        [3, "importance", 4],
    ]
    outcome = send(room, enter(room), 1, ratings=ratings)
    assert codes(outcome) == [
        ("ratings", 1, "bad-value"),
        ("ratings", 2, "not-rated"),
        ("ratings", 3, "unknown-item"),
        ("ratings", 4, "unknown-scale"),
        ("ratings", 5, "bad-value"),
        ("ratings", 6, "malformed"),
        ("ratings", 7, "malformed"),
    ]
    # The last well-formed rating of a pair in one batch is the one that counts, and it was refused.
    assert room.ratings_of(0) == {(3, "importance"): 4}


def test_each_bad_idea_is_refused_alone() -> None:
    room = make_room(running("draft"))
    ticket = enter(room)
    first = send(room, ticket, 1, ideas=[idea("good-one"), idea("short"), idea("bad id!!"), 5, {"id": "x"}])
    assert codes(first) == [
        ("ideas", 1, "bad-id"),
        ("ideas", 2, "bad-id"),
        ("ideas", 3, "malformed"),
        ("ideas", 4, "malformed"),
    ]
    second = send(
        room,
        ticket,
        2,
        ideas=[
            idea("idea-one", item=77),
            idea("idea-two", kind="none"),
            idea("idea-3333", text=" \u202e "),
            idea("idea-4444", text="x" * 281),
            idea("idea-5555", re=4242),
        ],
    )
    assert [code for _, _, code in codes(second)] == [
        "unknown-item",
        "unknown-kind",
        "text-empty",
        "text-too-long",
        "unknown-statement",
    ]
    assert [row.text for row in room.mine(0)] == ["Une idée"]


def test_a_counter_argument_and_a_reason() -> None:
    room = make_room(running("draft", "compare", minutes=10))
    writer, reader = enter(room), enter(room)
    send(room, writer, 1, ideas=[idea("reason-1", kind="reason"), idea("counter1", re=3)])
    reason, counter = room.mine(0)
    assert (reason.kind, counter.re) == ("reason", 3)
    later = NOW + 10 * MINUTE
    outcome = send(room, reader, 1, later, votes=[[reason.id, 1], [counter.id, -1]])
    assert codes(outcome) == [("votes", 0, "unknown-statement")]
    assert reason.id not in {row.id for row in room.next_for(1, 50)}


def test_the_limit_of_contributions_each() -> None:
    room = make_room(running("draft"), limits=Limits(contributions_each=3))
    ticket = enter(room)
    send(room, ticket, 1, ideas=[idea("idea-0001"), idea("idea-0002")])
    outcome = send(room, ticket, 2, ideas=[idea("idea-0003"), idea("idea-0004")])
    assert codes(outcome) == [("ideas", 1, "too-many-ideas")]


def test_phases_decide_what_is_taken() -> None:
    room = make_room(running("draft", "compare", minutes=10), compare_ideas=False)
    ticket = enter(room)
    draft = send(room, ticket, 1, votes=[[0, 1]], ratings=[[2, "maturity", 3]], ideas=[idea("idea-0001")])
    assert codes(draft) == [("votes", 0, "out-of-phase")]
    grace = NOW + 10 * MINUTE + 14_000
    both = send(
        room, ticket, 2, grace, votes=[[0, 1]], ratings=[[2, "maturity", 4]], ideas=[idea("idea-0002")]
    )
    assert codes(both) == []
    late = NOW + 10 * MINUTE + 15_000
    third = send(
        room, ticket, 3, late, votes=[[0, -1]], ratings=[[2, "maturity", 1]], ideas=[idea("idea-0003")]
    )
    assert codes(third) == [("ideas", 0, "out-of-phase"), ("ratings", 0, "out-of-phase")]
    assert (room.votes_of(0), room.ratings_of(0)) == ({0: -1}, {(2, "maturity"): 4})


def test_ideas_may_go_on_while_comparing() -> None:
    room = make_room(running("compare"))
    assert codes(send(room, enter(room), 1, ideas=[idea("idea-0001")])) == []


@pytest.mark.parametrize(
    ("plan", "at", "code"),
    [
        (Plan(0, (PhaseWindow("compare", 5),)), NOW, "not-started"),
        (plans.pause(running(), NOW + 1), NOW + MINUTE, "paused"),
        (plans.close(running(), NOW + 1), NOW + MINUTE, "closed"),
        (running(minutes=1), NOW + 2 * MINUTE, "closed"),
        (plans.freeze(running(), NOW + 1), NOW + 2, "frozen"),
        (Plan(0, (PhaseWindow("draft", 1, NOW, NOW + 1), PhaseWindow("compare", 1))), NOW + MINUTE, "paused"),
    ],
)
def test_whole_refusals_carry_the_state(plan: Plan, at: int, code: str) -> None:
    room = make_room()
    ticket = enter(room)
    kept = send(room, ticket, 1, votes=[[0, 1]])
    room.use(make_spec(plan, rev=2))
    refused = refusal(send, room, ticket, 2, at, votes=[[1, 1]])
    assert (refused.code, refused.status, refused.state) == (code, 409, True)
    assert room.votes_of(0) == {0: 1}
    # What was stored before is acknowledged again at any time: the phone may only have missed the answer.
    again = send(room, ticket, 1, at, votes=[[0, 1]])
    assert kept.record is not None
    assert (again.record, again.refused) == (None, [])


def test_a_replay_changes_nothing() -> None:
    room = make_room()
    ticket = enter(room)
    entries = {"votes": [[0, 1], [1, 0]], "ideas": [idea("idea-0001")]}
    assert send(room, ticket, 5, **entries).record is not None
    version = room.version
    for now in (NOW + 2, NOW + 10**8):
        assert send(room, ticket, 5, now, **entries).record is None
    assert room.version == version
    assert len(room.statements.contributions) == 1


def test_an_old_seq_is_not_skipped() -> None:
    room = make_room()
    ticket = enter(room)
    send(room, ticket, 9, votes=[[0, 1]])
    late = send(room, ticket, 2, votes=[[0, -1], [1, -1]], ideas=[idea("offline-1")])
    assert late.record is not None
    assert room.votes_of(0) == {0: 1, 1: -1}
    assert len(room.mine(0)) == 1


def test_retract_in_order_and_out_of_order() -> None:
    room = make_room()
    ticket = enter(room)
    send(room, ticket, 1, votes=[[0, 1]])
    send(room, ticket, 2, votes=[[0, None]])
    assert (room.votes_of(0), room.statement(0).seen, room.votes.live) == ({}, 0, 0)
    assert 0 in {row.id for row in room.next_for(0, 50)}
    send(room, ticket, 9, votes=[[1, None]])
    send(room, ticket, 8, votes=[[1, 1]])
    assert room.votes_of(0) == {}
    send(room, ticket, 10, votes=[[0, -1]])
    assert room.votes_of(0) == {0: -1}


@pytest.mark.parametrize("order", [(1, -1), (-1, 1), (0, 1), (1, 0), (-1, None), (None, -1)])
def test_two_tabs_with_equal_seq_agree_whatever_comes_first(order: tuple[int | None, int | None]) -> None:
    room = make_room()
    ticket = enter(room)
    for value in order:
        send(room, ticket, 4, votes=[[0, value]])
    given = [value for value in order if value is not None]
    assert room.votes_of(0) == {0: max(given)}


def test_the_last_vote_of_a_pair_in_one_batch_counts() -> None:
    room = make_room()
    send(room, enter(room), 1, votes=[[0, 1], [0, -1]])
    assert room.votes_of(0) == {0: -1}


def test_votes_on_hidden_statements_are_kept() -> None:
    room = make_room(hidden=(3,))
    assert codes(send(room, enter(room), 1, votes=[[3, 1]])) == []
    assert (room.statement(3).status, room.statement(3).agrees) == ("hidden", 1)


def test_joins() -> None:
    room = make_room()
    record = room.join(b'{"lang":"en","unit":2,"name":"Somebody"}', NOW).record
    assert record is not None
    assert (record.lang, record.unit, record.name, record.subject) == ("en", 2, None, None)
    assert refusal(room.join, b'{"unit":9}', NOW).code == "unknown-unit"
    for body in (b"", b"[]", b'{"unit":"2"}', b'{"lang":"de"}', b"[" * 9999):
        assert refusal(room.join, body, NOW).code == "malformed"
    closed = Room(make_spec(plans.close(running(), NOW)), KEY)
    assert refusal(closed.join, b"{}", NOW).code == "closed"
    full = make_room(limits=Limits(participants=1))
    enter(full)
    assert refusal(full.join, b"{}", NOW).code == "unavailable"


def test_pseudonyms_are_cleaned_and_signed() -> None:
    room = make_room(privacy="pseudonymous")
    ticket = enter(room, name="  Zoë\u202e  Ü ")
    send(room, ticket, 1, ideas=[idea("idea-0001")])
    assert room.mine(0)[0].author == "Zoë Ü"
    assert refusal(enter, room).code == "name-required"
    assert refusal(enter, room, name=" \u200b").code == "name-required"
    assert refusal(enter, room, name="x" * 41).code == "name-too-long"


def test_one_member_is_one_participant() -> None:
    room = make_room(privacy="identified")
    token = sign_pass(KEY, "room-1", "member:7", "Ada", NOW // 1000 + 60)
    other = sign_pass(KEY, "room-1", "member:8", "Bo", NOW // 1000 + 60)

    def join(**body: Any) -> Any:
        return room.join(json.dumps(body).encode(), NOW)

    first, again, second = (
        join(**{"pass": token, "name": "Eve"}),
        join(**{"pass": token}),
        join(**{"pass": other}),
    )
    assert (first.participant, again.participant, second.participant) == (0, 0, 1)
    assert (again.record, first.record.name, first.record.subject) == (None, "Ada", "member:7")
    assert refusal(join).code == "pass-required"
    assert refusal(join, **{"pass": "x"}).code == "bad-pass"
    expired = sign_pass(KEY, "room-1", "member:9", "C", NOW // 1000)
    assert refusal(join, **{"pass": expired}).code == "expired-pass"
    elsewhere = sign_pass(KEY, "room-2", "member:9", "C", NOW // 1000 + 60)
    assert refusal(join, **{"pass": elsewhere}).code == "wrong-room"


def test_a_ticket_is_enough_where_another_worker_let_its_holder_in() -> None:
    room = make_room()
    send(room, room.ticket(5, NOW), 1, votes=[[0, 1]])
    assert (room.votes_of(5), room.people.count) == ({0: 1}, 0)
    room.apply(JoinRecord(5, NOW, "fr"))
    assert (room.votes_of(5), room.people.count) == ({0: 1}, 1)
