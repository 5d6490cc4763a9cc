"""What a facilitator steers by: who is there, what comes in, what waits, how far the phases are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from essaim.listen.sessions.models import Session
from essaim.listen.sessions.queries.room import Voice, newest_voices, room_view, words
from essaim.listen.sessions.queries.sessions import milliseconds
from essaim.listen.sessions.queries.specification import plan_of
from essaim.live.plan import PhaseNow, Plan, phase_at
from essaim.live.projections import RoomView


@dataclass(frozen=True)
class PhaseProgress:
    """One phase of the plan as it goes: `done` in 0..1 (None: not begun, or no planned end)."""

    name: str
    state: str  # coming, running, over
    minutes: int
    starts_at: int | None
    ends_at: int | None
    done: float | None


@dataclass(frozen=True)
class Console:
    """The console at one moment. Times in ms; counts since the start."""

    plan: Plan
    phase: PhaseNow
    phases: tuple[PhaseProgress, ...]
    present: int
    participants: int
    contributors: int
    voters: int
    raters: int
    votes: int
    contributions: int
    ratings: int
    votes_per_minute: tuple[int, ...]
    contributions_per_minute: tuple[int, ...]
    waiting: Sequence[Voice]
    waiting_count: int
    newest: Sequence[Voice]
    answers_each: float  # votes of a voter, on average
    view: RoomView


def console(session: Session, *, language: str, now: datetime, shown: int = 30) -> Console:
    """Return the console of a session at `now`."""
    view = room_view(session)
    labels = words(session, language)
    plan = plan_of(session)
    at = milliseconds(now)
    return Console(
        plan=plan,
        phase=phase_at(plan, at),
        phases=progress(plan, at),
        present=view.present,
        participants=view.participants,
        contributors=view.contributors,
        voters=view.voters,
        raters=view.raters,
        votes=view.votes,
        contributions=view.contributions,
        ratings=view.ratings,
        votes_per_minute=tuple(minute.votes for minute in view.per_minute),
        contributions_per_minute=tuple(minute.contributions for minute in view.per_minute),
        waiting=newest_voices(view, labels, status="waiting", limit=shown, oldest_first=True),
        waiting_count=view.waiting,
        newest=[one for one in newest_voices(view, labels, limit=2 * shown) if one.status != "waiting"][
            :shown
        ],
        answers_each=view.votes / view.voters if view.voters else 0.0,
        view=view,
    )


def progress(plan: Plan, at: int) -> tuple[PhaseProgress, ...]:
    """Say of each phase whether it is coming, running or over, and how far."""
    here = phase_at(plan, at)
    instant = plan.paused_at if here.paused and plan.paused_at is not None else at
    found = []
    for index, window in enumerate(plan.phases):
        begun = window.starts_at is not None and window.starts_at <= instant
        state = "running" if index == here.index else "over" if begun else "coming"
        done = None
        if state == "over":
            done = 1.0
        elif state == "running" and window.ends_at is not None and window.starts_at is not None:
            done = min(1.0, (instant - window.starts_at) / max(1, window.ends_at - window.starts_at))
        found.append(
            PhaseProgress(window.name, state, window.minutes, window.starts_at, window.ends_at, done)
        )
    return tuple(found)
