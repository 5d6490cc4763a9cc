"""Tickets and passes: only the genuine, in its own room, in its own time."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from essaim.live.tickets import Checked, TicketError, check, check_pass, issue, sign_pass

KEY, OTHER = bytes(range(32)), bytes(32)
NOW = 1_800_000_000_000
SOON = NOW // 1000 + 60


def fault(call: object, *args: object) -> str:
    with pytest.raises(TicketError) as caught:
        call(*args)  # type: ignore[operator]
    return caught.value.code


@given(number=st.integers(0, 2**32 - 1), participant=st.integers(0, 2**32 - 1))
def test_round_trip_in_32_characters(number: int, participant: int) -> None:
    ticket = issue(KEY, number, participant, SOON)
    assert len(ticket) == 32
    assert check(KEY, number, ticket, NOW) == participant


def test_expires_at_its_second() -> None:
    ticket = issue(KEY, 1, 5, SOON)
    assert check(KEY, 1, ticket, SOON * 1000 - 1) == 5
    assert fault(check, KEY, 1, ticket, SOON * 1000) == "expired-ticket"


def test_other_rooms_and_other_keys() -> None:
    ticket = issue(KEY, 1, 5, SOON)
    assert fault(check, KEY, 2, ticket, NOW) == "wrong-room"
    assert fault(check, OTHER, 1, ticket, NOW) == "bad-ticket"


@given(bit=st.integers(32, 24 * 8 - 1))
def test_every_flipped_bit_is_noticed(bit: int) -> None:
    raw = bytearray(base64.urlsafe_b64decode(issue(KEY, 1, 5, SOON)))
    raw[bit // 8] ^= 1 << (bit % 8)
    assert fault(check, KEY, 1, base64.urlsafe_b64encode(raw).decode(), NOW) == "bad-ticket"


@pytest.mark.parametrize(
    "ticket", ["", "a", "é" * 32, "!" * 32, "A" * 33, "A" * 64, issue(KEY, 1, 5, SOON)[:-1]]
)
def test_truncated_and_foreign_strings(ticket: str) -> None:
    assert fault(check, KEY, 1, ticket, NOW) in ("bad-ticket", "wrong-room")


def test_pass_round_trip() -> None:
    token = sign_pass(KEY, "room-1", "member:7", "Zoë Ünal", SOON)
    assert "=" not in token
    found = check_pass(KEY, "room-1", token, NOW)
    assert (found.subject, found.name) == ("member:7", "Zoë Ünal")


def test_pass_refusals() -> None:
    token = sign_pass(KEY, "room-1", "member:7", "Zoë", SOON)
    assert fault(check_pass, KEY, "room-2", token, NOW) == "wrong-room"
    assert fault(check_pass, KEY, "room-1", token, SOON * 1000) == "expired-pass"
    assert fault(check_pass, OTHER, "room-1", token, NOW) == "bad-pass"
    for wrong in ("", "x", token[:-2], token + "AAAA", "é", "A" * 5000):
        assert fault(check_pass, KEY, "room-1", wrong, NOW) == "bad-pass"


def test_a_ticket_is_not_a_pass() -> None:
    assert fault(check_pass, KEY, "room-1", issue(KEY, 1, 5, SOON), NOW) == "bad-pass"


def test_a_ticket_remembered_as_good_is_good_until_it_expires() -> None:
    known, ticket = Checked(), issue(KEY, 7, 5, 2_000)
    assert known.participant(ticket, 1_000) is None, "nothing is known before it was checked"
    assert known.check(KEY, 7, ticket, 1_000) == 5
    assert known.participant(ticket, 1_999_999) == 5
    assert known.participant(ticket, 2_000_000) is None
    with pytest.raises(TicketError):
        known.check(KEY, 7, ticket, 2_000_000)
    for forged in (ticket[:-1] + ("A" if ticket[-1] != "A" else "B"), ticket + "A", ticket.lower()):
        assert known.participant(forged, 1_000) is None
