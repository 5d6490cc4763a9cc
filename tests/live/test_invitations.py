"""Invitation codes: only the genuine, however they are typed; and the seals that keep who came in unreadable."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from essaim.live import invitations
from essaim.live.invitations import MOST, is_mark, read, seal, unseal, write

KEY, OTHER = bytes(range(32)), bytes(32)
INDEXES = st.integers(0, MOST - 1)
MARKS = st.from_regex(r"[A-Za-z0-9_-]{16,64}", fullmatch=True)


@given(index=INDEXES)
def test_a_code_is_read_however_it_is_typed(index: int) -> None:
    code = write(KEY, index)
    assert len(code) == 11
    loose = code.replace("0", "o").replace("1", "l").lower()
    for typed in (
        code,
        code.lower(),
        code.replace("-", ""),
        f" {code} ",
        " ".join(code),
        loose,
        loose.upper(),
    ):
        assert read(KEY, MOST, typed) == index


@given(index=INDEXES, codes=st.integers(0, MOST))
def test_only_as_many_as_were_made(index: int, codes: int) -> None:
    assert read(KEY, codes, write(KEY, index)) == (index if index < codes else None)


@given(index=INDEXES, place=st.integers(0, 10), other=st.sampled_from(invitations._ALPHABET))
def test_an_altered_or_shortened_code_is_none(index: int, place: int, other: str) -> None:
    code = write(KEY, index)
    altered = code[:place] + other + code[place + 1 :]
    if altered != code and place != 4:
        assert read(KEY, MOST, altered) is None
    assert read(KEY, MOST, code[:place]) is None
    assert read(KEY, MOST, code + other) is None


@given(index=INDEXES)
def test_a_code_of_another_room_is_none(index: int) -> None:
    assert read(OTHER, MOST, write(KEY, index)) is None


@given(typed=st.text(max_size=60))
def test_whatever_is_typed_is_answered(typed: str) -> None:
    assert read(KEY, 0, typed) is None


def test_codes_are_stable_and_within_bounds() -> None:
    """Printed codes must stay good with the next version of the program."""
    assert [write(KEY, index) for index in (0, 99_999)] == ["0000-Z9DTTW", "31MZ-ZPTD1S"]
    for index in (-1, MOST):
        with pytest.raises(ValueError, match="not between"):
            write(KEY, index)
    codes = {write(KEY, index) for index in range(5_000)}
    assert len(codes) == 5_000


@given(index=INDEXES, mark=MARKS, participant=st.integers(0, 2**32 - 1))
def test_a_seal_opens_for_its_mark_alone(index: int, mark: str, participant: int) -> None:
    kept = seal(KEY, index, mark, participant)
    assert len(kept) == invitations.SEAL_BYTES
    assert unseal(KEY, index, mark, kept) == participant
    assert unseal(KEY, index, mark + "x", kept) is None
    assert unseal(KEY, (index + 1) % MOST, mark, kept) is None
    assert unseal(OTHER, index, mark, kept) is None


def test_marks() -> None:
    assert is_mark("a" * 16)
    assert is_mark("Az09_-" * 10)
    for bad in ("", "a" * 15, "a" * 65, "a" * 15 + "é", "a" * 16 + "\n", "a b" * 8):
        assert not is_mark(bad)
