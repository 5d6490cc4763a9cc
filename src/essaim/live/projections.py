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
from essaim.live.votes import Columns, Copy

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
    votes: Copy
    vote_targets: tuple[int, ...]
    ratings: Copy
    rating_targets: tuple[tuple[int, str], ...]
    statements: tuple[StatementRow, ...]
    unit_of: Ints


class Facts:
    """What is computed from a snapshot when somebody first asks for it; shared by the views of later instants."""

    def __init__(self, taken: Snapshot) -> None:
        self._taken = taken
        self.at = taken.at

    @cached_property
    def votes(self) -> Columns:
        """Votes that stand on statements that exist; `target` is the statement id, ascending in a participant."""
        taken = self._taken
        number = np.array(taken.vote_targets, dtype=np.int64)
        order = np.argsort(number)
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        votes = taken.votes.standing(rank)
        # Votes may stand on a seed that was removed, or on a contribution that a damaged block took with it.
        known = np.isin(number, np.array(self._votable, dtype=np.int64))
        if not bool(known.all()):
            votes = votes.where(known[votes.target])
        statement = number[votes.target] if len(number) else votes.target
        return Columns(votes.participant, statement, votes.value, votes.at)

    @cached_property
    def matrix(self) -> VoteMatrix:
        """The votes as a matrix with a column for every statement that can be voted on."""
        votes = self.votes
        return from_triples(votes.participant, votes.target, votes.value, statements=self._votable)

    @cached_property
    def ratings(self) -> tuple[Ints, Ints, Columns]:
        """Item and scale (its place in the specification) of the ratings whose item and scale still exist."""
        taken = self._taken
        items = {item.id for item in taken.spec.frame}
        scales = {scale.id: place for place, scale in enumerate(taken.spec.scales)}
        pairs = [
            (item if item in items else -1, scales.get(scale, -1)) for item, scale in taken.rating_targets
        ]
        item_of = np.array([item for item, _ in pairs], dtype=np.int64)
        scale_of = np.array([scale for _, scale in pairs], dtype=np.int64)
        ratings = taken.ratings.standing()
        if not pairs:
            return item_of, scale_of, ratings
        ratings = ratings.where(((item_of >= 0) & (scale_of >= 0))[ratings.target])
        order = np.lexsort((scale_of[ratings.target], item_of[ratings.target], ratings.participant))
        ratings = ratings.where(order)
        return item_of[ratings.target], scale_of[ratings.target], ratings

    @cached_property
    def times(self) -> tuple[Ints, Ints, Ints]:
        """When contributions, votes and ratings that stand arrived (ms)."""
        voices = [row.at for row in self._taken.statements if row.origin == "voice"]
        return np.array(voices, dtype=np.int64), self.votes.at, self.ratings[2].at

    @property
    def _votable(self) -> list[int]:
        return [row.id for row in self._taken.statements if row.kind != REASON]


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
    votes: int
    contributions: int
    waiting: int
    statements: tuple[StatementRow, ...]
    opinion: Opinion | None
    unit_of: Ints
    facts: Facts = field(repr=False)

    @property
    def vote_matrix(self) -> VoteMatrix:
        """Who answered what to which statement."""
        return self.facts.matrix

    @property
    def voters(self) -> int:
        """How many people voted."""
        return self.facts.matrix.shape[0]

    @cached_property
    def raters(self) -> int:
        """How many people rated."""
        return len(np.unique(self.facts.ratings[2].participant))

    @property
    def ratings(self) -> int:
        """How many ratings stand."""
        return len(self.facts.ratings[2].value)

    @property
    def rating_participant(self) -> Ints:
        """(R,) who gave each rating."""
        return self.facts.ratings[2].participant

    @property
    def rating_item(self) -> Ints:
        """(R,) the item of each rating."""
        return self.facts.ratings[0]

    @property
    def rating_scale(self) -> Ints:
        """(R,) the scale of each rating, by its place in the specification."""
        return self.facts.ratings[1]

    @property
    def rating_value(self) -> Ints:
        """(R,) the value of each rating."""
        return self.facts.ratings[2].value.astype(np.int64)

    @cached_property
    def per_minute(self) -> tuple[MinuteCount, ...]:
        """What arrived in each of the last 60 minutes and still stands."""
        return per_minute(self.facts.times, self.made_at)

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
    """Copy what a view needs (references, and the rows that changed: fit for the event loop)."""
    return Snapshot(
        room.spec,
        now,
        room.version,
        room.present(now),
        room.people.count,
        room.contributors(),
        room.votes.copy(),
        tuple(room.votes.targets),
        room.ratings.copy(),
        tuple(room.ratings.targets),
        room.statements.rows(),
        room.people.units(),
    )


def build(taken: Snapshot, opinion: Opinion | None) -> RoomView:
    """Build the view of a snapshot with the latest opinion map known."""
    voices = [row for row in taken.statements if row.origin == "voice"]
    return RoomView(
        room=taken.spec.room,
        rev=taken.spec.rev,
        made_at=taken.at,
        plan=taken.spec.plan,
        phase=phase_at(taken.spec.plan, taken.at),
        present=taken.present,
        participants=taken.participants,
        contributors=taken.contributors,
        votes=sum(row.seen for row in taken.statements if row.kind != REASON),
        contributions=len(voices),
        waiting=sum(row.status == "waiting" for row in voices),
        statements=taken.statements,
        opinion=opinion,
        unit_of=taken.unit_of,
        facts=Facts(taken),
    )


def refreshed(view: RoomView, now: int, present: int) -> RoomView:
    """Give the same view at a later time: only what depends on the clock is made again."""
    return replace(view, made_at=now, phase=phase_at(view.plan, now), present=present)


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


def map_of(taken: Snapshot) -> Opinion | None:
    """Compute the opinion map of a snapshot; see `map_opinion`."""
    return map_opinion(build(taken, None))


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
