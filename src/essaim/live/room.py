"""A room in memory: a function of its specification and its journal. No transport, no disk, no clock.

`join` and `submit` check a request, apply what it changes and give the record to journal; the answer may only
leave when that record (and those before it) are on the disk: the hub sees to it, then calls `settle`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Final

import msgspec
import numpy as np

from essaim.engines.opinion import Opinion
from essaim.live import entry, standing, tickets
from essaim.live.ballots import LARGEST_SEQ, Ballot, Idea, JoinRequest, Refused, read_batch, read_join
from essaim.live.deck import Deck
from essaim.live.entry import Entry
from essaim.live.limits import Limits
from essaim.live.loading import Journaled
from essaim.live.moment import Moment, moment_at
from essaim.live.numbers import Numbers
from essaim.live.participants import Participants
from essaim.live.problems import RefusalError
from essaim.live.records import (
    RETRACTED,
    BatchRecord,
    Block,
    IdeaRecord,
    JoinRecord,
    Record,
    joins_of,
)
from essaim.live.spec import FIRST_CONTRIBUTION, REASON, RoomSpec, frame_of
from essaim.live.statements import Contribution, StatementRow, Statements
from essaim.live.text import TextError, clean
from essaim.live.votes import CODES, Standing, Votes

NEXT: Final = 5
_STALE: Final = 1 << 60
_IDEA: Final = b"essaim-idea"
_ID_BYTES: Final = 6
"""Contribution ids are 48 bits: exact in JavaScript, and 200,000 of them meet once in 10,000 rooms."""
_SHUT: Final = {"waiting": "not-started", "closed": "closed"}
_NOTHING: Final[frozenset[int]] = frozenset()


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """What came of a join or a batch: the record to keep before the answer leaves (None: no change).

    `unknown`: a statement was refused that this room has never heard of (another worker may have).
    """

    participant: int
    record: Record | None
    seq: int = 0
    refused: Sequence[Refused] = ()
    unknown: bool = False


class Room:
    """One live room. All times are milliseconds since the epoch, passed in as `now`."""

    def __init__(
        self, spec: RoomSpec, key: bytes | None, limits: Limits | None = None, numbers: Numbers | None = None
    ) -> None:
        self.key = key
        self.spec = spec
        self.limits = limits or Limits()
        self.numbers = numbers or Numbers()
        self.votes = Votes()
        self.ratings: Standing[tuple[int, str]] = Standing()
        self.statements = Statements(spec, self.votes)
        self.people = Participants()
        self.version = 0
        self.votes_version = 0
        self.opinion: Opinion | None = None
        self._marks: dict[tuple[int, str], int] = {}
        self._mine: dict[int, list[int]] = {}
        self._own: dict[int, frozenset[int]] = {}
        self._checked = tickets.Checked()
        self._deck = Deck(spec.number)
        self._moved, self._added = _STALE, 0
        self.use(spec)

    def use(self, spec: RoomSpec) -> None:
        """Take a new specification; older revisions are ignored."""
        if spec.rev < self.spec.rev:
            return
        self.spec = spec
        self.statements.use(spec)
        self._items = {item.id: item for item in spec.frame}
        self._kinds = {kind.id for kind in spec.kinds} | {REASON}
        self._scales = {scale.id: scale for scale in spec.scales}
        self._units = {unit.id for unit in spec.units}
        if spec.plan.ended_at is not None:
            self.key = None
            self._checked = tickets.Checked()
        self.frame = frame_of(spec)
        self.frame_etag = f'"{blake2b(self.frame, digest_size=8).hexdigest()}"'
        self._moment: Moment | None = None
        self._moved = _STALE
        self.version += 1
        self.votes_version += 1

    # Coming in

    def join(self, body: bytes, now: int) -> Outcome:
        """Let somebody in from the JSON body of a join."""
        return self.enter(read_join(body), now)

    def check_entry(self, request: JoinRequest, now: int) -> Entry:
        """Give what a join says, or refuse it; changes nothing."""
        if self._at(now).here.name == "closed":
            raise RefusalError("closed", state=True)
        return entry.check(request, self.spec, self._units, self.key, now)

    def enter(self, request: JoinRequest, now: int, invited: int | None = None) -> Outcome:
        """Let somebody in; in identified rooms the same subject is the same participant for ever.

        `invited`: the participant that an invitation code was burnt for, in a room that asks for one.
        """
        said = self.check_entry(request, now)
        if invited is None and self.spec.codes is not None:
            raise RefusalError("code-required")
        known = invited if said.subject is None else self.people.numbered(said.subject)
        if known is not None and self.people.is_in(known):
            return Outcome(known, None)
        if self.people.count >= self.limits.participants:
            raise RefusalError("unavailable", "This room is full.", retry_after=60)
        number = self.next_number() if invited is None else invited
        record = JoinRecord(number, now, said.lang, said.unit, said.name, said.subject)
        self.apply(record)
        return Outcome(record.participant, record)

    def next_number(self) -> int:
        """Take a participant number for somebody who comes in."""
        number = self.numbers.next(self.people.next_number)
        if number is None:
            raise RefusalError("unavailable", "Too many people join at once.", retry_after=1)
        return number

    def ticket(self, participant: int, now: int) -> str:
        """Make the ticket of a participant whose join is durable."""
        expires = now // 1000 + self.limits.ticket_s
        return tickets.issue(self._secret(), self.spec.number, participant, expires)

    def admit(self, ticket: str, now: int) -> int:
        """Give the participant of a ticket, or refuse; whoever comes with a good one is present."""
        participant = self._checked.participant(ticket, now)
        if participant is None:
            try:
                participant = self._checked.check(self._secret(), self.spec.number, ticket, now)
            except tickets.TicketError as error:
                raise RefusalError(error.code) from None
        self.people.see(participant, now)
        return participant

    # Taking in

    def submit(self, ticket: str, body: bytes, now: int) -> Outcome:
        """Take a batch from its JSON body; entries are refused one by one."""
        return self.take(self.admit(ticket, now), read_batch(body), now)

    def take(self, participant: int, ballot: Ballot, now: int) -> Outcome:
        """Take what changes something in a batch; what already stands is acknowledged at any time."""
        moment = self._at(now)
        pairs, refused, late = ballot.votes, ballot.refused, []
        places: Sequence[int] = ballot.places if ballot.places is not None else range(len(pairs))
        votable, unknown = self.statements.votable, False
        try:
            numbers = [votable[statement] for statement, _ in pairs]
        except KeyError:
            refused, unknown = list(refused), True
            for place, (statement, _) in zip(places, pairs, strict=True):
                if statement not in votable:
                    refused.append(Refused("votes", place, "unknown-statement"))
            known = [(place, pair) for place, pair in zip(places, pairs, strict=True) if pair[0] in votable]
            places, pairs = [place for place, _ in known], [pair for _, pair in known]
            numbers = [votable[statement] for statement, _ in pairs]
        votes: list[tuple[int, int]] = []
        if moment.compare:
            votes = self.votes.cast(participant, ballot.seq, now, pairs, numbers)
            self._moved += len(votes)
        elif pairs:
            hand, fresh = self.votes.hand(participant), ballot.seq * CODES - RETRACTED
            for place, (_, value), number in zip(places, pairs, numbers, strict=True):
                if fresh + value > hand.get(number, -1):
                    late.append(Refused("votes", place, "out-of-phase"))
        ratings: list[tuple[int, str, int]] = []
        ideas: list[IdeaRecord] = []
        if ballot.ratings or ballot.ideas:
            refused = list(refused)
            ratings = self._new_ratings(participant, ballot, moment.draft, refused, late)
            ideas_open = moment.draft or (moment.compare and self.spec.compare_ideas)
            ideas = self._new_ideas(participant, ballot, ideas_open, refused, late)
        if late:
            if not (moment.compare or moment.draft):
                raise self._shut(now)
            refused = [*refused, *late]
        record = None
        if votes or ratings or ideas:
            record = BatchRecord(participant, ballot.seq, now, tuple(votes), tuple(ratings), tuple(ideas))
            self.version += 1
            self.votes_version += bool(votes)
            self._apply_rest(record)
        return Outcome(participant, record, ballot.seq, refused, unknown)

    def apply(self, record: Record) -> None:
        """Apply a record, live or at recovery: any order, any number of times, the same room."""
        self.version += 1
        if isinstance(record, JoinRecord):
            self.people.add(record)
            if record.name is not None:
                mine = self._mine.get(record.participant, ())
                self.statements.name_author(record.participant, record.name, mine)
            return
        self.people.know(record.participant)
        if record.votes:
            self.votes_version += 1
            for statement, value in record.votes:
                self._moved += self.votes.put(record.participant, statement, record.seq, value, record.at)[1]
        self._apply_rest(record)

    def load(self, blocks: Sequence[Block], *, cold_from: int | None = None) -> None:
        """Take a whole journal into a room that is still empty: as `apply` and `settle` for each record.

        From `cold_from` votes on they are only read, not sorted: `warm_up` is for later, and a thread.
        """
        joins = joins_of(blocks)
        self.people.add_many(joins.participant, joins.unit)
        votes = Journaled(blocks, self.votes)
        self.people.know(votes.people - 1)
        if cold_from is not None and votes.count >= cold_from:
            self.votes.load_cold(votes.rows, votes.count)
        else:
            self.votes.load(votes.rows())
        for block in blocks:
            for record in block.others:
                self.apply(record)
            self.settle(block.others)
        self._moved = _STALE
        self.version += 1
        self.votes_version += 1

    def use_votes(self, votes: Votes) -> None:
        """Take the same votes, warmed up."""
        self.votes = votes
        self.statements.use_votes(votes)
        self._moved = _STALE
        self.version += 1
        self.votes_version += 1

    def settle(self, records: Iterable[Record]) -> None:
        """These records are on the disk: their contributions may be offered to others."""
        for record in records:
            if isinstance(record, BatchRecord):
                for idea in record.ideas:
                    self.statements.settle(idea.id)
                    self._added += 1

    def next_seq(self, participant: int) -> int:
        """Give a seq above all that stands of this participant (for pages without JavaScript)."""
        last = max(self.votes.last_seq(participant), self.ratings.last_seq(participant))
        return min(last + 1, LARGEST_SEQ)

    # What it shows

    def next_for(self, participant: int, n: int = NEXT) -> list[StatementRow]:
        """Draw up to `n` statements this participant has not answered and did not write."""
        return [self.statements.row(self.votes.targets[one]) for one in self._draw(participant, n)]

    def next_cards(self, participant: int, n: int = NEXT) -> bytes:
        """Draw as `next_for`; give the JSON list that phones read."""
        return b"[" + b",".join([self.statements.card(one) for one in self._draw(participant, n)]) + b"]"

    def deal(self) -> None:
        """Put the statements on offer into the deck with their present weights."""
        targets = self.votes.targets
        numbers = sorted(self.statements.on_offer(), key=targets.__getitem__)  # the same deck in every worker
        seen = np.array(self.votes.tallies, dtype=np.int64).reshape(-1, 4)[:, 1:].sum(axis=1)
        priorities = None
        if self.opinion is not None:
            known = dict(zip(self.opinion.statements.tolist(), self.opinion.priorities.tolist(), strict=True))
            priorities = [known.get(targets[number], np.nan) for number in numbers]
        self._deck.deal(numbers, seen[numbers] if numbers else (), priorities)
        self._moved = self._added = 0

    def use_opinion(self, opinion: Opinion | None) -> None:
        """Take a newly computed opinion map: positions and priorities come from it from now on."""
        self.opinion = opinion
        self._moved = _STALE

    def state(self, now: int) -> bytes:
        """Give the JSON of what everybody may know."""
        return b'%s"now":%d}' % (self._core(now), now)

    def state_bytes(self, now: int) -> tuple[str, bytes]:
        """Give (etag, JSON) of what everybody may know; `now` is in the document, not in the etag."""
        core = self._core(now)
        return f'"{blake2b(core, digest_size=8).hexdigest()}"', b'%s"now":%d}' % (core, now)

    def me(self, participant: int) -> dict[str, object]:
        """Give what a participant may know of themselves: votes, position, groups, fate of contributions."""
        votes, mine = self.votes.of(participant), self.mine(participant)
        return standing.me(participant, votes, mine, self.opinion, self.statements)

    def mine(self, participant: int) -> list[StatementRow]:
        """Give the contributions of a participant, oldest first."""
        rows = (self.statements.row(number) for number in self._mine.get(participant, ()))
        return sorted(rows, key=lambda row: (row.at, row.id))

    def votes_of(self, participant: int) -> dict[int, int]:
        """Give {statement: +1 | -1 | 0} of a participant."""
        return self.votes.of(participant)

    def ratings_of(self, participant: int) -> dict[tuple[int, str], int]:
        """Give {(item, scale): value} of a participant."""
        return self.ratings.of(participant)

    def statement(self, number: int) -> StatementRow:
        """Give one statement; KeyError if there is none."""
        return self.statements.row(number)

    def present(self, now: int) -> int:
        """Count the participants seen in the last minute (in memory only)."""
        return self.people.present(now - self.limits.present_ms)

    def contributors(self) -> int:
        """Count the participants who wrote something."""
        return len(self._mine)

    def adopt(self, other: Room) -> None:
        """Go on numbering above `other`, the same room before its disk failed: no number serves twice."""
        self.people.adopt(other.people)
        self.numbers = other.numbers

    # Inside

    def _at(self, now: int) -> Moment:
        moment = self._moment
        if moment is None or not moment.since <= now < moment.until:
            grace = self.limits.grace_ms
            moment = self._moment = moment_at(self.spec.plan, self.spec.rev, now, grace=grace)
        return moment

    def _core(self, now: int) -> bytes:
        counts = (self.people.count, len(self.statements.contributions), self.votes.live)
        return self._at(now).head + b',"participants":%d,"contributions":%d,"votes":%d,' % counts

    def _draw(self, participant: int, n: int) -> list[int]:
        # Dealing again costs as much as the deck is long: when votes or contributions grew by a fiftieth
        # (so, a few hundred times in the life of a room), or when the hub asks each second.
        deck = len(self._deck)
        if self._moved > max(4, deck // 20, self.votes.live // 50) or self._added > deck // 50:
            self.deal()
        own = self._own.get(participant, _NOTHING)
        return self._deck.draw(participant, n, self.votes.hand(participant), own)

    def _apply_rest(self, record: BatchRecord) -> None:
        who, seq, at = record.participant, record.seq, record.at
        for item, scale, value in record.ratings:
            self.ratings.put(who, (item, scale), seq, value, at)
        for idea in record.ideas:
            if self.statements.add(Contribution(idea, who, at)):
                self._marks[who, idea.mark] = idea.id
                self._mine.setdefault(who, []).append(idea.id)
                if idea.kind != REASON:
                    self._own[who] = self._own.get(who, _NOTHING) | {self.votes.number(idea.id)}

    def _new_ratings(
        self, participant: int, ballot: Ballot, is_open: bool, refused: list[Refused], late: list[Refused]
    ) -> list[tuple[int, str, int]]:
        ratings: list[tuple[int, str, int]] = []
        for index, item, scale, value in ballot.ratings:
            code = self._rating_fault(item, scale, value)
            if code:
                refused.append(Refused("ratings", index, code))
            elif self.ratings.would_change(participant, (item, scale), ballot.seq, value):
                if is_open:
                    ratings.append((item, scale, value))
                else:
                    late.append(Refused("ratings", index, "out-of-phase"))
        return ratings

    def _rating_fault(self, item: int, scale: str, value: int) -> str | None:
        place, known = self._items.get(item), self._scales.get(scale)
        if place is None:
            return "unknown-item"
        if not place.rated:
            return "not-rated"
        if known is None:
            return "unknown-scale"
        return None if 1 <= value <= known.top else "bad-value"

    def _new_ideas(
        self, participant: int, ballot: Ballot, is_open: bool, refused: list[Refused], late: list[Refused]
    ) -> list[IdeaRecord]:
        ideas: list[IdeaRecord] = []
        for index, idea in ballot.ideas:
            if (participant, idea.id) in self._marks:
                continue
            code = self._idea_fault(participant, idea, len(ideas))
            try:
                text = clean(idea.text)
            except TextError as error:
                code = code or error.code
            if code:
                refused.append(Refused("ideas", index, code))
            elif not is_open:
                late.append(Refused("ideas", index, "out-of-phase"))
            else:
                number = self._idea_number(participant, idea.id)
                if number in self.statements:  # 48 bits met: let the client make another mark
                    refused.append(Refused("ideas", index, "bad-id"))
                else:
                    ideas.append(IdeaRecord(number, idea.id, idea.item, idea.kind, text, idea.re))
        return ideas

    def _idea_fault(self, participant: int, idea: Idea, more: int) -> str | None:
        if idea.item is not None and idea.item not in self._items:
            return "unknown-item"
        if idea.kind is not None and idea.kind not in self._kinds:
            return "unknown-kind"
        if idea.re is not None and idea.re not in self.statements:
            return "unknown-statement"
        each, total = len(self._mine.get(participant, ())), len(self.statements.contributions)
        if each + more >= self.limits.contributions_each or total + more >= self.limits.contributions:
            return "too-many-ideas"
        return None

    def _idea_number(self, participant: int, mark: str) -> int:
        """The same contribution sent to two workers is one: its id follows from who sent it and its mark."""
        said = b"%d %s" % (participant, mark.encode())
        digest = blake2b(said, digest_size=_ID_BYTES, key=self._secret(), person=_IDEA).digest()
        return FIRST_CONTRIBUTION + int.from_bytes(digest, "big")

    def _shut(self, now: int) -> RefusalError:
        """Why nothing at all is taken now; between two phases the session waits as in a pause."""
        here = self._at(now).here
        code = "frozen" if here.frozen else _SHUT.get(here.name, "paused")
        return RefusalError(code, state=True)

    def _secret(self) -> bytes:
        """The key of the tickets; without it (destroyed at the end of the session) nobody is known any more."""
        if self.key is None:
            raise RefusalError("ended")
        return self.key
