"""Hostile bytes, a few seconds of them: parsers, rooms, both ways of serving. `bench/live_fuzz.py` goes on for longer."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from essaim.live import ballots, tickets
from essaim.live.problems import RefusalError
from tests.live import hostile
from tests.live.hostile import KEY, NOW, ODD, SOON_S
from tests.live.hostile_http import fuzz
from tests.live.hostile_story import TARGETS, run


@pytest.mark.parametrize("target", TARGETS, ids=lambda one: one.__name__)
def test_drawn_bytes(target: Callable[[bytes], None]) -> None:
    dice = random.Random(target.__name__)
    for _ in range(200 if target.__name__ == "story" else 400):
        target(dice.randbytes(int(dice.expovariate(1 / 500))))


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=400))
def test_any_bytes(data: bytes) -> None:
    run(data)


@pytest.mark.parametrize("odd", ODD)
def test_odd_values_anywhere(odd: bytes) -> None:
    bodies = (
        b'{"seq":%s}', b'{"seq":1,"votes":%s}', b'{"seq":1,"votes":[%s]}', b'{"seq":1,"votes":[[%s,1],[1,1]]}',
        b'{"seq":1,"votes":[[0,%s],[1,null]]}', b'{"seq":1,"ratings":[[2,"maturity",%s]]}', b'{"seq":1,"ratings":[[%s,%s,1]]}',
        b'{"seq":1,"ideas":[{"id":"mark-0001","text":%s}]}', b'{"seq":1,"ideas":[{"id":%s,"text":"a","re":%s}]}',
        b'{"seq":1,"x":%s}', b"%s", b'{"seq":1}%s', b'{"seq":1,%s:1}',
    )  # fmt: skip
    for body in bodies:
        whole = body.replace(b"%s", odd)
        hostile.batch(b"\x00\x01" + whole)
        hostile.batch(b"\x01\x01" + whole)
    for name in (b"lang", b"unit", b"name", b"pass", b"waiting"):
        for privacy in range(3):
            hostile.join(bytes([privacy, 1]) + b'{"%s":%s}' % (name, odd))


@pytest.mark.parametrize("fast", [True, False], ids=["lane", "adapter"])
def test_hostile_connections(tmp_path: Path, fast: bool) -> None:
    count = fuzz(tmp_path, fast=fast, dice=random.Random(3), connections=400)
    assert count.findings == []
    assert count.answers > 100 and count.statuses[200] > 20 and count.good > 0


# What the fuzzers found


@pytest.mark.parametrize(
    "other",
    [lambda one: one + "=", lambda one: one + "====", lambda one: one.replace("-", "+").replace("_", "/")],
)
def test_a_ticket_has_one_spelling(other: Callable[[str], str]) -> None:
    sure = 0
    for who in range(40):
        ticket = tickets.issue(KEY, 7, who, SOON_S)
        token = tickets.sign_pass(KEY, "room-1", f"m:{who}", "Ana", SOON_S)
        for one, check, place in ((ticket, tickets.check, 7), (token, tickets.check_pass, "room-1")):
            assert check(KEY, place, one, NOW) is not None  # type: ignore[operator]
            if other(one) != one:
                sure += 1
                with pytest.raises(tickets.TicketError):
                    check(KEY, place, other(one), NOW)  # type: ignore[operator]
    assert sure > 20


def test_the_spare_bits_of_a_pass_are_zero() -> None:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for name in ("A", "An", "Ana"):
        token = tickets.sign_pass(KEY, "room-1", "m:1", name, SOON_S)
        for last in set(alphabet) - {token[-1]}:
            with pytest.raises(tickets.TicketError):
                tickets.check_pass(KEY, "room-1", token[:-1] + last, NOW)


def test_the_plain_reading_and_the_close_one_agree() -> None:
    """A batch that is read in one go is read the same when another entry needs a second look."""
    for vote in (
        b"[0,1]",
        b"[0,1.0]",
        b"[0,true]",
        b"[0,-0]",
        b"[18446744073709551616,1]",
        b"[-1,0]",
        b"[0,1,2]",
    ):
        found = []
        for more in (b"", b",[1,null]"):
            ballot = ballots.read_batch(b'{"seq":1,"votes":[%s%s]}' % (vote, more))
            found.append(([pair for pair in ballot.votes if pair[0] != 1], ballot.refused))
        assert found[0] == found[1], vote


@pytest.mark.parametrize("body", [b'{"seq":1,"votes":' + b"[" * 8_000, b"[" * 16_000, b'{"a":' * 3_000])
def test_depth_is_a_refusal(body: bytes) -> None:
    with pytest.raises(RefusalError) as refused:
        ballots.read_batch(body)
    assert refused.value.code == "malformed"
