"""The plan of phases: what each act does to the windows, and properties that hold for all of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from essaim.live import plan as plans
from essaim.live.plan import PhaseWindow, Plan, PlanError, phase_at, takes

T = 1_800_000_000_000
MINUTE = 60_000
TWO = Plan(3, (PhaseWindow("draft", 10), PhaseWindow("compare", 20)))
offsets = st.integers(0, 40 * MINUTE)


def refused(call: object, *args: object, **kwargs: object) -> str:
    with pytest.raises(PlanError) as caught:
        call(*args, **kwargs)  # type: ignore[operator]
    assert caught.value.detail
    return caught.value.code


def test_waits_until_started_then_lays_all_phases_ahead() -> None:
    assert phase_at(TWO, T).name == "waiting"
    begun = plans.start(TWO, T)
    assert begun.rev == 4
    assert [(w.starts_at, w.ends_at) for w in begun.phases] == [
        (T, T + 10 * MINUTE),
        (T + 10 * MINUTE, T + 30 * MINUTE),
    ]
    assert refused(plans.start, begun, T + 1) == "already-started"
    assert refused(plans.start, Plan(0, ()), T) == "no-phases"
    assert refused(plans.next_phase, TWO, T) == "not-started"


def test_phases_switch_at_the_instant() -> None:
    begun = plans.start(TWO, T)
    end = T + 10 * MINUTE
    assert phase_at(begun, end - 1).name == "draft"
    assert phase_at(begun, end - 1).ends_at == end
    assert (phase_at(begun, end).name, phase_at(begun, end).index) == ("compare", 1)
    assert phase_at(begun, T + 30 * MINUTE).name == "closed"


def test_open_end_lays_nothing_behind_and_next_goes_on() -> None:
    open_end = plans.start(Plan(0, (PhaseWindow("draft"), PhaseWindow("compare", 5))), T)
    assert open_end.phases[1].starts_at is None
    assert phase_at(open_end, T + 10**9).name == "draft"
    assert refused(plans.extend, open_end, T, seconds=60) == "open-end"
    after = plans.next_phase(open_end, T + 7)
    assert (after.phases[0].ends_at, after.phases[1].starts_at) == (T + 7, T + 7)
    assert refused(plans.next_phase, after, T + 8) == "last-phase"


def test_between_two_phases() -> None:
    gap = Plan(0, (PhaseWindow("draft", 1, T, T + 10), PhaseWindow("compare", 5)))
    assert phase_at(gap, T + 10).name == "between"
    assert refused(plans.pause, gap, T + 11) == "no-phase"
    assert phase_at(plans.next_phase(gap, T + 99), T + 99).name == "compare"


@given(offset=st.integers(0, 10 * MINUTE - 1), seconds=st.integers(1, 3600))
def test_extend_moves_the_end_and_what_follows(offset: int, seconds: int) -> None:
    begun = plans.start(TWO, T)
    longer = plans.extend(begun, T + offset, seconds=seconds)
    shift = seconds * 1000
    assert longer.phases[0].ends_at == T + 10 * MINUTE + shift
    assert longer.phases[1] == PhaseWindow("compare", 20, T + 10 * MINUTE + shift, T + 30 * MINUTE + shift)


def test_extend_backwards_only_while_time_is_left() -> None:
    begun = plans.start(TWO, T)
    assert plans.extend(begun, T, seconds=-60).phases[0].ends_at == T + 9 * MINUTE
    assert refused(plans.extend, begun, T + 9 * MINUTE, seconds=-60) == "too-short"
    assert refused(plans.extend, begun, T + 30 * MINUTE, seconds=60) == "no-phase"


@given(at=st.integers(0, 30 * MINUTE - 1), length=st.integers(0, 10**9), later=offsets)
def test_a_pause_moves_everything_by_its_length(at: int, length: int, later: int) -> None:
    begun = plans.start(TWO, T)
    paused = plans.pause(begun, T + at)
    before = phase_at(begun, T + at)
    # Time stands still while paused, however long.
    still = phase_at(paused, T + at + length)
    assert (still.name, still.index, still.paused) == (before.name, before.index, True)
    again = plans.resume(paused, T + at + length)
    moved = phase_at(again, T + at + length + later)
    straight = phase_at(begun, T + at + later)
    assert (moved.name, moved.index, moved.paused) == (straight.name, straight.index, False)
    if straight.ends_at is not None:
        assert moved.ends_at == straight.ends_at + length


def test_pause_refusals() -> None:
    begun = plans.start(TWO, T)
    paused = plans.pause(begun, T + 1)
    assert refused(plans.pause, paused, T + 2) == "already-paused"
    assert refused(plans.resume, begun, T + 2) == "not-paused"
    assert refused(plans.pause, TWO, T) == "no-phase"


def test_next_during_a_pause_ends_the_pause() -> None:
    paused = plans.pause(plans.start(TWO, T), T + 5)
    after = plans.next_phase(paused, T + 50)
    assert phase_at(after, T + 50) == plans.PhaseNow("compare", 1, T + 50 + 20 * MINUTE, False, False)


def test_close_cuts_the_running_phase_and_forgets_the_others() -> None:
    closed = plans.close(plans.start(TWO, T), T + 5)
    assert closed.phases == (PhaseWindow("draft", 10, T, T + 5), PhaseWindow("compare", 20))
    assert phase_at(closed, T + 5).name == "closed"
    assert phase_at(closed, T + 4).name == "draft"
    assert refused(plans.close, closed, T + 6) == "already-closed"
    assert refused(plans.start, closed, T + 6) == "closed"
    assert refused(plans.next_phase, closed, T + 6) == "closed"


@given(minutes=st.integers(1, 600), later=offsets)
def test_reopen_takes_the_last_phase_up_again(minutes: int, later: int) -> None:
    closed = plans.close(plans.start(TWO, T), T + 5)
    again = plans.reopen(closed, T + 5 + later, minutes=minutes)
    here = phase_at(again, T + 5 + later)
    assert (here.name, here.ends_at) == ("draft", T + 5 + later + minutes * MINUTE)
    assert again.phases[1].starts_at == here.ends_at
    assert refused(plans.reopen, again, T + 5 + later, minutes=1) == "not-closed"


def test_reopen_after_the_end_came_by_itself_and_with_an_open_end() -> None:
    begun = plans.start(TWO, T)
    again = plans.reopen(begun, T + 31 * MINUTE, minutes=0)
    assert phase_at(again, T + 10**9) == plans.PhaseNow("compare", 1, None, False, False)
    assert refused(plans.reopen, begun, T + 31 * MINUTE, minutes=-1) == "bad-minutes"


def test_reopen_a_room_closed_before_it_began_waits_again() -> None:
    assert phase_at(plans.reopen(plans.close(TWO, T), T + 1, minutes=5), T + 2).name == "waiting"


def test_freeze_and_unfreeze() -> None:
    begun = plans.start(TWO, T)
    frozen = plans.freeze(begun, T + 5)
    assert phase_at(frozen, T + 5).frozen
    assert not takes(frozen, "draft", T + 5, grace=15_000)
    assert refused(plans.freeze, frozen, T + 6) == "already-frozen"
    assert refused(plans.unfreeze, begun, T + 6) == "not-frozen"
    assert refused(plans.reopen, plans.close(frozen, T + 6), T + 7, minutes=1) == "frozen"
    thawed = plans.unfreeze(frozen, T + 7)
    assert takes(thawed, "draft", T + 7, grace=0)
    assert thawed.rev == frozen.rev + 1


def test_the_end_for_good_comes_after_the_freeze_and_is_the_end() -> None:
    closed = plans.close(plans.start(TWO, T), T + 5)
    assert refused(plans.end, plans.start(TWO, T), T + 6) == "not-closed"
    assert refused(plans.end, closed, T + 6) == "not-frozen"
    ended = plans.end(plans.freeze(closed, T + 6), T + 7)
    assert ended.ended_at == T + 7
    for change in (plans.end, plans.unfreeze):
        assert refused(change, ended, T + 8) == "ended"
    assert refused(plans.reopen, ended, T + 8, minutes=5) == "frozen"


def test_a_session_can_be_reopened_as_long_as_its_tickets_are_good() -> None:
    closed = plans.close(plans.start(TWO, T), T)
    assert plans.reopen(closed, T + plans.REOPENABLE_MS, minutes=5).closed_at is None
    assert refused(plans.reopen, closed, T + plans.REOPENABLE_MS + 1, minutes=5) == "too-late"


@given(now=st.integers(T - 5 * MINUTE, T + 60 * MINUTE), paused=st.booleans(), frozen=st.booleans())
def test_nothing_changes_between_two_moments(now: int, paused: bool, frozen: bool) -> None:
    plan = plans.start(TWO, T)
    plan = plans.pause(plan, T + 3 * MINUTE) if paused else plan
    plan = plans.freeze(plan, T + 25 * MINUTE) if frozen else plan
    changes = plans.moments(plan, 15_000)
    since = max((one for one in changes if one <= now), default=now - 1)
    said = [
        (plans.phase_at(plan, at), [takes(plan, name, at, grace=15_000) for name in plans.PHASE_NAMES])
        for at in (since, now)
    ]
    assert since == now - 1 or said[0] == said[1]


@pytest.mark.parametrize(
    ("name", "offset", "taken"),
    [
        ("draft", -1, False),
        ("draft", 0, True),
        ("draft", 10 * MINUTE + 14_999, True),
        ("draft", 10 * MINUTE + 15_000, False),
        ("compare", 10 * MINUTE - 1, False),
        ("compare", 10 * MINUTE, True),
        ("compare", 30 * MINUTE + 14_999, True),
        ("compare", 30 * MINUTE + 15_000, False),
    ],
)
def test_grace_after_a_phase(name: plans.PhaseName, offset: int, taken: bool) -> None:
    assert takes(plans.start(TWO, T), name, T + offset, grace=15_000) is taken


def test_grace_after_close_and_pause() -> None:
    begun = plans.start(TWO, T)
    for ended in (plans.close(begun, T + 5), plans.pause(begun, T + 5)):
        assert takes(ended, "draft", T + 5 + 14_999, grace=15_000)
        assert not takes(ended, "draft", T + 5 + 15_000, grace=15_000)
