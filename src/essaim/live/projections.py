"""What others read of a room: an immutable view, rebuilt from a snapshot at most once a second."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from essaim.engines import opinion as opinions
from essaim.engines.opinion import Opinion
from essaim.engines.votes import VoteMatrix, from_triples
from essaim.live.plan import MINUTE, PhaseNow, Plan, phase_at
from essaim.live.room import Room
from essaim.live.spec import REASON, RoomSpec
from essaim.live.statements import StatementRow as StatementRow
from essaim.live.votes import Columns

MINUTES: Final = 60
MIN_VOTES: Final = 7
MIN_PEOPLE: Final = 5
_TRIPLE: Final = np.dtype([("participant", "<i8"), ("statement", "<i8"), ("value", "i1")])
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class MinuteCount:
    """What arrived in one minute (`minute`: its first millisecond) and still stands."""

    minute: int
    contributions: int
    votes: int
    ratings: int


@dataclass(frozen=True)
class Snapshot:
    """A consistent copy of a room, taken between two requests; the view is built from it in a thread."""

    spec: RoomSpec
    at: int
    version: int
    present: int
    participants: int
    contributors: int
    votes: Columns
    vote_targets: tuple[int, ...]
    ratings: Columns
    rating_targets: tuple[tuple[int, str], ...]
    statements: tuple[StatementRow, ...]
    unit_of: Ints


@dataclass(frozen=True, eq=False)
class RoomView:
    """What is known of a room at `made_at` (ms); participants are integers only."""

    room: str
    rev: int
    made_at: int
    plan: Plan
    phase: PhaseNow
    present: int
    participants: int
    contributors: int
    voters: int
    raters: int
    votes: int
    contributions: int
    ratings: int
    waiting: int
    per_minute: tuple[MinuteCount, ...]
    statements: tuple[StatementRow, ...]
    vote_matrix: VoteMatrix
    opinion: Opinion | None
    rating_participant: Ints
    rating_item: Ints
    rating_scale: Ints
    rating_value: Ints
    unit_of: Ints
    times: tuple[Ints, Ints, Ints] = field(repr=False)
    """When contributions, votes and ratings that stand arrived: `per_minute` is counted from them."""

    @cached_property
    def vote_digest(self) -> str:
        """SHA-256 of the sorted (participant, statement, value) triples that stand: the same in any order."""
        matrix = self.vote_matrix
        triples = np.empty(matrix.count, dtype=_TRIPLE)
        triples["participant"] = matrix.participants[matrix.rows()]
        triples["statement"] = matrix.statements[matrix.indices]
        triples["value"] = matrix.values
        return hashlib.sha256(triples.tobytes()).hexdigest()


def snapshot(room: Room, now: int) -> Snapshot:
    """Copy what a view needs (memory copies and the rows that changed: fit for the event loop)."""
    return Snapshot(
        room.spec,
        now,
        room.version,
        room.present(now),
        len(room.joins),
        room.contributors(),
        room.votes.columns(),
        tuple(room.votes.targets),
        room.ratings.columns(),
        tuple(room.ratings.targets),
        room.statements.rows(),
        room.units(),
    )


def build(taken: Snapshot, opinion: Opinion | None) -> RoomView:
    """Build the view of a snapshot with the latest opinion map known."""
    spec, voices = taken.spec, [row for row in taken.statements if row.origin == "voice"]
    votes, matrix = _votes(taken)
    item, scale, ratings = _ratings(taken)
    times = (np.array([row.at for row in voices], dtype=np.int64), votes.at, ratings.at)
    return RoomView(
        room=spec.room,
        rev=spec.rev,
        made_at=taken.at,
        plan=spec.plan,
        phase=phase_at(spec.plan, taken.at),
        present=taken.present,
        participants=taken.participants,
        contributors=taken.contributors,
        voters=matrix.shape[0],
        raters=len(np.unique(ratings.participant)),
        votes=matrix.count,
        contributions=len(voices),
        ratings=len(ratings.value),
        waiting=sum(row.status == "waiting" for row in voices),
        per_minute=per_minute(times, taken.at),
        statements=taken.statements,
        vote_matrix=matrix,
        opinion=opinion,
        rating_participant=ratings.participant,
        rating_item=item,
        rating_scale=scale,
        rating_value=ratings.value.astype(np.int64),
        unit_of=taken.unit_of,
        times=times,
    )


def refreshed(view: RoomView, now: int, present: int) -> RoomView:
    """Give the same view at a later time: only what depends on the clock is made again."""
    return replace(
        view,
        made_at=now,
        phase=phase_at(view.plan, now),
        present=present,
        per_minute=per_minute(view.times, now),
    )


def per_minute(times: tuple[Ints, Ints, Ints], now: int) -> tuple[MinuteCount, ...]:
    """Count contributions, votes and ratings in each of the last 60 minutes, the running one last."""
    last = now // MINUTE
    first = last - MINUTES + 1
    counts = []
    for at in times:
        minute = at // MINUTE - first
        counts.append(np.bincount(minute[(minute >= 0) & (minute < MINUTES)], minlength=MINUTES).tolist())
    return tuple(
        MinuteCount((first + i) * MINUTE, *three) for i, three in enumerate(zip(*counts, strict=True))
    )


def map_opinion(view: RoomView) -> Opinion | None:
    """Compute the opinion map of a view, or None while too few people answered enough."""
    offered = [row for row in view.statements if row.status == "shown" and row.kind != REASON]
    rejected = tuple(row.id for row in view.statements if row.status != "shown")
    # A short deck must not keep everybody off the map: whoever answered all of it counts.
    min_votes = max(1, min(MIN_VOTES, len(offered)))
    enough = int((view.vote_matrix.votes_of_participant >= min_votes).sum())
    if len(offered) < 2 or enough < MIN_PEOPLE:
        return None
    return opinions.analyse(view.vote_matrix, rejected=rejected, min_votes=min_votes)


def _votes(taken: Snapshot) -> tuple[Columns, VoteMatrix]:
    votable = [row.id for row in taken.statements if row.kind != REASON]
    votes = taken.votes.live()
    number = np.array(taken.vote_targets, dtype=np.int64)
    known = np.isin(number, np.array(votable, dtype=np.int64))
    if not bool(known.all()):  # votes on a contribution that a damaged block took with it
        votes = votes.where(known[votes.target])
    statement = number[votes.target] if len(number) else votes.target
    return votes, from_triples(votes.participant, statement, votes.value, statements=votable)


def _ratings(taken: Snapshot) -> tuple[Ints, Ints, Columns]:
    """Give item and scale (its place in the specification) of ratings whose item and scale still exist."""
    items = {item.id for item in taken.spec.frame}
    scales = {scale.id: place for place, scale in enumerate(taken.spec.scales)}
    pairs = [(item if item in items else -1, scales.get(scale, -1)) for item, scale in taken.rating_targets]
    item_of = np.array([item for item, _ in pairs], dtype=np.int64)
    scale_of = np.array([scale for _, scale in pairs], dtype=np.int64)
    ratings = taken.ratings.live()
    if not pairs:
        return item_of, scale_of, ratings
    ratings = ratings.where(((item_of >= 0) & (scale_of >= 0))[ratings.target])
    order = np.lexsort((scale_of[ratings.target], item_of[ratings.target], ratings.participant))
    ratings = ratings.where(order)
    return item_of[ratings.target], scale_of[ratings.target], ratings
