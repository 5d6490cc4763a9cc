"""What holds in a room between two instants of its plan, so that a batch need not work it out again."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from essaim.live.plan import PhaseNow, Plan, moments, phase_at, takes


@dataclass(frozen=True)
class Moment:
    """From `since` until `until` (ms): where the plan stands, what is taken, the head of the state's JSON."""

    since: float
    until: float
    here: PhaseNow
    draft: bool
    compare: bool
    head: bytes


def moment_at(plan: Plan, rev: int, now: int, *, grace: int) -> Moment:
    """Give what holds at `now`; `rev`: of the specification, `grace` (ms): for late batches."""
    changes = moments(plan, grace)
    since = max((one for one in changes if one <= now), default=float("-inf"))
    until = min((one for one in changes if one > now), default=float("inf"))
    here = phase_at(plan, now)
    phases = [{"name": one.name, "starts_at": one.starts_at, "ends_at": one.ends_at} for one in plan.phases]
    head = {
        "rev": rev,
        "phase": here.name,
        "ends_at": here.ends_at,
        "paused": here.paused,
        "paused_at": plan.paused_at,
        "frozen": here.frozen,
        "plan": phases,
    }
    return Moment(
        since,
        until,
        here,
        takes(plan, "draft", now, grace=grace),
        takes(plan, "compare", now, grace=grace),
        msgspec.json.encode(head)[:-1],
    )
