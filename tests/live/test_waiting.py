"""The waiting room in front of a join: order, one entry a number, no forging, several workers, a clock that steps."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from essaim.live.waiting import VALID_MS, Place, WaitingRoom

NOW = 1_800_000_000_000
KEY = bytes(range(32))


def waits(place: Place | None) -> Place:
    assert place is not None
    return place


def full(burst: float = 1, per_s: float = 10) -> WaitingRoom:
    """A room whose bucket has just been emptied."""
    room = WaitingRoom(burst, per_s)
    for _ in range(int(burst)):
        assert room.come(KEY, None, NOW) is None
    return room


def test_a_burst_comes_in_and_the_rest_wait_in_order() -> None:
    room = WaitingRoom(3, 10)
    assert [room.come(KEY, None, NOW) for _ in range(3)] == [None] * 3
    places = [waits(room.come(KEY, None, NOW)) for _ in range(5)]
    assert [place.ahead for place in places] == [0, 1, 2, 3, 4]
    assert [round(place.wait_s, 3) for place in places] == [0.1, 0.2, 0.3, 0.4, 0.5]
    assert len({place.number for place in places}) == 5
    assert len(room) == 5


def test_numbers_come_in_by_their_turn_whoever_asks_first() -> None:
    room = full()
    places = [waits(room.come(KEY, None, NOW)) for _ in range(4)]
    later = NOW + 200  # two turns
    assert waits(room.come(KEY, places[3].number, later)).ahead == 1
    assert waits(room.come(KEY, places[2].number, later)).ahead == 0
    assert waits(room.come(KEY, None, later)).ahead == 2, "a new one is behind all of them"
    assert room.come(KEY, places[1].number, later) is None
    assert room.come(KEY, places[0].number, later) is None


def test_coming_late_loses_nothing_and_coming_back_keeps_the_place() -> None:
    room = full()
    first, second = (waits(room.come(KEY, None, NOW)) for _ in range(2))
    for _ in range(5):
        assert waits(room.come(KEY, second.number, NOW)) == second
    for n in range(20):
        room.come(KEY, None, NOW + n)
    assert room.come(KEY, first.number, NOW + 60_000) is None
    assert room.come(KEY, second.number, NOW + 60_000) is None


def test_a_number_lets_in_once() -> None:
    room = full()
    first = waits(room.come(KEY, None, NOW))
    for _ in range(30):
        room.come(KEY, None, NOW)
    assert room.come(KEY, first.number, NOW + 100) is None
    again = waits(room.come(KEY, first.number, NOW + 100))
    assert again.number != first.number
    assert again.ahead == 30


def test_a_number_is_void_after_an_hour() -> None:
    room = full(per_s=0.001)
    first = waits(room.come(KEY, None, NOW))
    later = NOW + VALID_MS + 1
    room.come(KEY, None, later)
    assert waits(room.come(KEY, first.number, later)).number != first.number


@given(st.text(max_size=60))
def test_a_made_up_number_is_as_none(text: str) -> None:
    room = full()
    for _ in range(3):
        waits(room.come(KEY, None, NOW))
    assert waits(room.come(KEY, text, NOW)).ahead == 3


def test_forging_does_not_help() -> None:
    room = full()
    places = [waits(room.come(KEY, None, NOW)) for _ in range(3)]
    moment, _, mac = places[2].number.partition("-")
    other = WaitingRoom(0.5, 1)
    foreign = waits(other.come(bytes(32), None, NOW))
    for forged in (
        f"{int(moment) - 2}-{mac}",
        f"{moment}-{mac[:-1]}0{mac[-1]}",
        f"{moment}-",
        f"0{moment}-{mac}x",
        f"-{mac}",
        foreign.number,
    ):
        assert waits(room.come(KEY, forged, NOW)).number not in {place.number for place in places}


def test_another_worker_honours_the_number() -> None:
    here, there = full(), full()
    early = waits(here.come(KEY, None, NOW))
    for n in range(10):
        waits(there.come(KEY, None, NOW + n + 1))
    assert waits(there.come(KEY, early.number, NOW + 20)).ahead == 0, "it came before those who wait there"
    assert there.come(KEY, early.number, NOW + 200) is None
    # A worker that was started again knows nobody who waits: it lets in as it can.
    assert WaitingRoom(5, 10).come(KEY, early.number, NOW + 200) is None


def test_nobody_waits_any_more_when_all_had_their_turn() -> None:
    room = full(burst=2, per_s=10)
    for _ in range(5):
        waits(room.come(KEY, None, NOW))
    assert room.come(KEY, None, NOW + 10_000) is None
    assert len(room) == 0


def test_a_clock_that_goes_back_stops_nothing() -> None:
    room = full()
    first = waits(room.come(KEY, None, NOW))
    assert waits(room.come(KEY, None, NOW - 5_000)).ahead == 1
    assert room.come(KEY, first.number, NOW + 100) is None


def test_as_many_wait_as_the_room_could_take() -> None:
    room = WaitingRoom(1, 10, most=3)
    assert room.come(KEY, None, NOW) is None
    for _ in range(3):
        waits(room.come(KEY, None, NOW))
    with pytest.raises(OverflowError):
        room.come(KEY, None, NOW)


@given(st.lists(st.tuples(st.integers(0, 300), st.booleans()), max_size=200), st.integers(1, 5))
def test_never_more_than_the_flow_and_always_in_order(visits: list[tuple[int, bool]], burst: int) -> None:
    """Whoever comes, new or with a number: what gets in is bounded, and turns follow the numbers."""
    room, now, inside, waiting = WaitingRoom(burst, 20), NOW, 0, list[str]()
    for step, returns in visits:
        now += step
        number = waiting[0] if returns and waiting else None
        place = room.come(KEY, number, now)
        if place is None:
            inside += 1
            if number is not None:
                waiting.remove(number)
            else:
                assert len(room) == 0, "nobody passes those who wait"
        elif number is None:
            waiting.append(place.number)
        else:
            assert place.number == number
    assert inside <= burst + (now - NOW) * 20 / 1000 + 1
