"""The plan of phases: absolute times, sent ahead, so that every phone switches by itself at the same instant.

Everything is pure: a plan and a `now` (integer milliseconds since the epoch) give a new plan or an answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

import msgspec

MINUTE: Final = 60_000
REOPENABLE_MS: Final = 7 * 24 * 60 * MINUTE
"""How long after its close a session can be taken up again: as long as its tickets are good."""
PHASE_NAMES: Final = ("draft", "compare")

PhaseName = Literal["draft", "compare"]
NowName = Literal["waiting", "draft", "compare", "between", "closed"]


class PlanError(ValueError):
    """The plan cannot change this way at this moment; `code` is for programs, `detail` for people."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class PhaseWindow(msgspec.Struct, frozen=True):
    """One phase. `minutes` as planned (0: no planned end); `ends_at` None on a begun phase: open end."""

    name: PhaseName
    minutes: int = 0
    starts_at: int | None = None
    ends_at: int | None = None


class Plan(msgspec.Struct, frozen=True):
    """The phases in order and what the facilitator did to them; `rev` grows by one with each change."""

    rev: int
    phases: tuple[PhaseWindow, ...]
    paused_at: int | None = None
    closed_at: int | None = None
    frozen_at: int | None = None
    ended_at: int | None = None


class PhaseNow(msgspec.Struct, frozen=True):
    """Where a plan stands at one instant; `index` counts the phases from 0, None outside of a phase."""

    name: NowName
    index: int | None
    ends_at: int | None
    paused: bool
    frozen: bool


def phase_at(plan: Plan, now: int) -> PhaseNow:
    """Say where `plan` stands at `now`. While paused, time stands still at the instant of the pause."""
    paused = plan.paused_at is not None and now >= plan.paused_at
    frozen = plan.frozen_at is not None and now >= plan.frozen_at
    instant = plan.paused_at if paused and plan.paused_at is not None else now
    if plan.closed_at is not None and now >= plan.closed_at:
        return PhaseNow("closed", None, None, False, frozen)
    begun = None
    for index, window in enumerate(plan.phases):
        if window.starts_at is None or window.starts_at > instant:
            continue
        begun = index
        if window.ends_at is None or instant < window.ends_at:
            return PhaseNow(window.name, index, window.ends_at, paused, frozen)
    if begun is None:
        return PhaseNow("waiting", None, None, paused, frozen)
    name: NowName = "between" if begun + 1 < len(plan.phases) else "closed"
    return PhaseNow(name, None, None, paused, frozen)


def takes(plan: Plan, name: PhaseName, now: int, *, grace: int) -> bool:
    """Say whether entries of phase `name` are taken at `now`, or up to `grace` ms after its end."""
    if plan.frozen_at is not None and now >= plan.frozen_at:
        return False
    if plan.paused_at is not None and now >= plan.paused_at + grace:
        return False
    instant = now if plan.paused_at is None else min(now, plan.paused_at)
    return any(
        window.name == name
        and window.starts_at is not None
        and window.starts_at <= instant
        and (window.ends_at is None or instant < window.ends_at + grace)
        for window in plan.phases
    )


def moments(plan: Plan, grace: int) -> list[int]:
    """List the instants at which what `phase_at` or `takes` say may change: between two of them, neither does."""
    found = {plan.paused_at, plan.closed_at, plan.frozen_at}
    if plan.paused_at is not None:
        found.add(plan.paused_at + grace)
    for window in plan.phases:
        found |= {window.starts_at, window.ends_at}
        if window.ends_at is not None:
            found.add(window.ends_at + grace)
    return sorted(one for one in found if one is not None)


def start(plan: Plan, now: int) -> Plan:
    """Begin the first phase now; the following ones are laid behind it."""
    if not plan.phases:
        raise PlanError("no-phases", "This plan has no phase to start.")
    if plan.closed_at is not None:
        raise PlanError("closed", "The room is closed: reopen it instead.")
    if phase_at(plan, now).name != "waiting":
        raise PlanError("already-started", "The session has already started.")
    return _with(plan, phases=_laid(plan.phases, 0, now))


def next_phase(plan: Plan, now: int) -> Plan:
    """End the current phase now and begin the next one at the same instant (a pause ends with it)."""
    here = phase_at(plan, now)
    if here.name == "waiting":
        raise PlanError("not-started", "The session has not started yet.")
    if here.name == "closed":
        raise PlanError("closed", "The room is closed.")
    index = here.index if here.index is not None else _last_begun(plan, now)
    if index + 1 >= len(plan.phases):
        raise PlanError("last-phase", "This is the last phase: close the room instead.")
    phases = list(plan.phases)
    if here.index is not None:
        phases[index] = msgspec.structs.replace(phases[index], ends_at=now)
    return _with(plan, phases=_laid(phases, index + 1, now), paused_at=None)


def extend(plan: Plan, now: int, *, seconds: int) -> Plan:
    """Move the end of the current phase by `seconds` (negative: shorten); the following ones move with it."""
    here = phase_at(plan, now)
    if here.index is None:
        raise PlanError("no-phase", "No phase is running.")
    window = plan.phases[here.index]
    if window.ends_at is None:
        raise PlanError("open-end", "This phase has no planned end: there is nothing to move.")
    ends_at = window.ends_at + seconds * 1000
    if ends_at <= (plan.paused_at or now):
        raise PlanError("too-short", "The phase would already be over: go to the next one or close the room.")
    phases = list(plan.phases)
    phases[here.index] = msgspec.structs.replace(window, ends_at=ends_at)
    return _with(plan, phases=_laid(phases, here.index + 1, ends_at))


def pause(plan: Plan, now: int) -> Plan:
    """Stop the clock of the current phase."""
    here = phase_at(plan, now)
    if here.paused:
        raise PlanError("already-paused", "The session is already paused.")
    if here.index is None:
        raise PlanError("no-phase", "No phase is running.")
    return _with(plan, paused_at=now)


def resume(plan: Plan, now: int) -> Plan:
    """Start the clock again; every end and start that was still to come moves by the length of the pause."""
    if plan.paused_at is None or now < plan.paused_at:
        raise PlanError("not-paused", "The session is not paused.")
    since, shift = plan.paused_at, now - plan.paused_at
    phases = tuple(
        msgspec.structs.replace(
            window,
            starts_at=window.starts_at + shift
            if window.starts_at is not None and window.starts_at > since
            else window.starts_at,
            ends_at=window.ends_at + shift
            if window.ends_at is not None and window.ends_at > since
            else window.ends_at,
        )
        for window in plan.phases
    )
    return _with(plan, phases=phases, paused_at=None)


def close(plan: Plan, now: int) -> Plan:
    """End the session now: the running phase is cut here and those not begun lose their times."""
    if phase_at(plan, now).name == "closed":
        raise PlanError("already-closed", "The room is already closed.")
    phases = []
    for window in plan.phases:
        if window.starts_at is None or window.starts_at > now:
            phases.append(msgspec.structs.replace(window, starts_at=None, ends_at=None))
        elif window.ends_at is None or window.ends_at > now:
            phases.append(msgspec.structs.replace(window, ends_at=now))
        else:
            phases.append(window)
    return _with(plan, phases=tuple(phases), paused_at=None, closed_at=now)


def reopen(plan: Plan, now: int, *, minutes: int) -> Plan:
    """Take the last begun phase up again for `minutes` (0: open end); those never begun are laid behind."""
    here = phase_at(plan, now)
    if here.name != "closed":
        raise PlanError("not-closed", "The room is not closed.")
    if here.frozen:
        raise PlanError("frozen", "The results are frozen: unfreeze them first.")
    if plan.closed_at is not None and now - plan.closed_at > REOPENABLE_MS:
        raise PlanError("too-late", "The session closed too long ago: its tickets have expired.")
    if minutes < 0:
        raise PlanError("bad-minutes", "Give a number of minutes, 0 for an open end.")
    phases = list(plan.phases)
    begun = [i for i, window in enumerate(phases) if window.starts_at is not None and window.starts_at <= now]
    if not begun:
        return _with(plan, closed_at=None)
    last = begun[-1]
    ends_at = now + minutes * MINUTE if minutes else None
    phases[last] = msgspec.structs.replace(phases[last], ends_at=ends_at)
    return _with(plan, phases=_laid(phases, last + 1, ends_at), closed_at=None, paused_at=None)


def freeze(plan: Plan, now: int) -> Plan:
    """Take nothing more, not even late batches, so that the results cannot move while people read them."""
    if plan.frozen_at is not None:
        raise PlanError("already-frozen", "The results are already frozen.")
    return _with(plan, frozen_at=now)


def unfreeze(plan: Plan, now: int) -> Plan:
    """Take entries again, if a phase is running."""
    if plan.frozen_at is None:
        raise PlanError("not-frozen", "The results are not frozen.")
    if plan.ended_at is not None:
        raise PlanError("ended", "The session has ended for good.")
    return _with(plan, frozen_at=None)


def end(plan: Plan, now: int) -> Plan:
    """End a frozen session for good: nobody can come back in, what was said can no longer be tied to anybody."""
    if plan.ended_at is not None:
        raise PlanError("ended", "The session has ended for good.")
    if phase_at(plan, now).name != "closed":
        raise PlanError("not-closed", "The room is not closed.")
    if plan.frozen_at is None:
        raise PlanError("not-frozen", "Freeze the results first.")
    return _with(plan, ended_at=now)


def _laid(phases: Iterable[PhaseWindow], first: int, at: int | None) -> tuple[PhaseWindow, ...]:
    """Lay the phases from number `first` back to back from `at`; after an open end nothing has a time yet."""
    laid = []
    for index, window in enumerate(phases):
        if index < first:
            laid.append(window)
            continue
        ends_at = at + window.minutes * MINUTE if at is not None and window.minutes > 0 else None
        laid.append(msgspec.structs.replace(window, starts_at=at, ends_at=ends_at))
        at = ends_at
    return tuple(laid)


def _last_begun(plan: Plan, now: int) -> int:
    return max(i for i, one in enumerate(plan.phases) if one.starts_at is not None and one.starts_at <= now)


def _with(plan: Plan, **changes: object) -> Plan:
    return msgspec.structs.replace(plan, rev=plan.rev + 1, **changes)
