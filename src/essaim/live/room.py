"""A room in memory: a function of its specification and its journal. No transport, no disk, no clock.

`join` and `submit` check a request, apply what it changes and give the record to journal; the answer may only
leave when that record (and those before it) are on the disk: the hub sees to it, then calls `settle`.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b

import msgspec
import numpy as np
import numpy.typing as npt

from essaim.engines.opinion import Opinion
from essaim.live import standing, tickets
from essaim.live.ballots import LARGEST_SEQ, Ballot, Idea, JoinRequest, Refused, read_batch, read_join
from essaim.live.deck import Deck
from essaim.live.limits import Limits
from essaim.live.plan import phase_at, takes
from essaim.live.problems import RefusalError
from essaim.live.records import BatchRecord, IdeaRecord, JoinRecord, Record
from essaim.live.spec import FIRST_CONTRIBUTION, REASON, RoomSpec
from essaim.live.statements import Contribution, StatementRow, Statements
from essaim.live.text import LONGEST_NAME, TextError, clean
from essaim.live.votes import Standing

LANGUAGES = ("fr", "en")
NEXT = 5
_STALE = 1 << 60
_SHUT = {"waiting": "not-started", "closed": "closed"}
_FRAME_FIELDS = (
    "room", "code", "title", "question", "lang", "privacy",
    "kinds", "frame", "scales", "units", "compare_ideas",
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What came of a join or a batch: the record to keep before the answer leaves (None: no change)."""

    participant: int
    record: Record | None
    seq: int = 0
    refused: list[Refused] = field(default_factory=list)


class Room:
    """One live room. All times are milliseconds since the epoch, passed in as `now`."""

    def __init__(self, spec: RoomSpec, key: bytes, limits: Limits | None = None) -> None:
        self.key = key
        self.spec = spec
        self.limits = limits or Limits()
        self.votes: Standing[int] = Standing()
        self.ratings: Standing[tuple[int, str]] = Standing()
        self.statements = Statements(spec)
        self.joins: dict[int, JoinRecord] = {}
        self.next_participant = 0
        self.next_contribution = FIRST_CONTRIBUTION
        self.version = 0
        self.votes_version = 0
        self.opinion: Opinion | None = None
        self._subjects: dict[str, int] = {}
        self._marks: dict[tuple[int, str], int] = {}
        self._mine: dict[int, list[int]] = {}
        self._seen_at, self._unit_of = array("q"), array("q")
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
        frame = {name: getattr(spec, name) for name in _FRAME_FIELDS}
        self.frame = msgspec.json.encode(frame)
        self.frame_etag = f'"{blake2b(self.frame, digest_size=8).hexdigest()}"'
        self._plan = msgspec.json.encode(
            [
                {"name": one.name, "starts_at": one.starts_at, "ends_at": one.ends_at}
                for one in spec.plan.phases
            ]
        )
        self._moved = _STALE
        self.version += 1
        self.votes_version += 1

    # Coming in

    def join(self, body: bytes, now: int) -> Outcome:
        """Let somebody in from the JSON body of a join."""
        return self.enter(read_join(body), now)

    def enter(self, request: JoinRequest, now: int) -> Outcome:
        """Let somebody in; in identified rooms the same subject is the same participant for ever."""
        if phase_at(self.spec.plan, now).name == "closed":
            raise RefusalError("closed", state=True)
        lang = request.lang or self.spec.lang
        if lang not in LANGUAGES:
            raise RefusalError("malformed", f"lang must be one of {', '.join(LANGUAGES)}")
        if request.unit is not None and request.unit not in self._units:
            raise RefusalError("unknown-unit")
        name = subject = None
        if self.spec.privacy == "identified":
            subject, name = self._identity(request.token, now)
            known = self._subjects.get(subject)
            if known is not None:
                return Outcome(known, None)
        elif self.spec.privacy == "pseudonymous":
            name = _name(request.name)
        if self.next_participant >= self.limits.participants:
            raise RefusalError("unavailable", "This room is full.", retry_after=60)
        record = JoinRecord(self.next_participant, now, lang, request.unit, name, subject)
        self.apply(record)
        return Outcome(record.participant, record)

    def ticket(self, participant: int, now: int) -> str:
        """Make the ticket of a participant whose join is durable."""
        expires = now // 1000 + self.limits.ticket_s
        return tickets.issue(self.key, self.spec.number, participant, expires)

    def admit(self, ticket: str, now: int) -> int:
        """Give the participant of a ticket, or refuse; whoever comes with a good one is present."""
        try:
            participant = tickets.check(self.key, self.spec.number, ticket, now)
        except tickets.TicketError as error:
            raise RefusalError(error.code) from None
        if participant not in self.joins:
            raise RefusalError("bad-ticket", "The room does not know this participant: join again.")
        missing = participant + 1 - len(self._seen_at)
        if missing > 0:
            self._seen_at.extend([0] * missing)
        self._seen_at[participant] = max(self._seen_at[participant], now)
        return participant

    # Taking in

    def submit(self, ticket: str, body: bytes, now: int) -> Outcome:
        """Take a batch from its JSON body; entries are refused one by one."""
        return self.take(self.admit(ticket, now), read_batch(body), now)

    def take(self, participant: int, ballot: Ballot, now: int) -> Outcome:
        """Take what changes something in a batch; what already stands is acknowledged at any time."""
        plan, grace = self.spec.plan, self.limits.grace_ms
        compare = takes(plan, "compare", now, grace=grace)
        draft = takes(plan, "draft", now, grace=grace)
        ideas_open = draft or (compare and self.spec.compare_ideas)
        refused, late = list(ballot.refused), []
        votes: list[tuple[int, int]] = []
        for index, number, value in ballot.votes:
            if not self.statements.votable(number):
                refused.append(Refused("votes", index, "unknown-statement"))
            elif self.votes.would_change(participant, number, ballot.seq, value):
                if compare:
                    votes.append((number, value))
                else:
                    late.append(Refused("votes", index, "out-of-phase"))
        ratings: list[tuple[int, str, int]] = []
        for index, item, scale, value in ballot.ratings:
            code = self._rating_fault(item, scale, value)
            if code:
                refused.append(Refused("ratings", index, code))
            elif self.ratings.would_change(participant, (item, scale), ballot.seq, value):
                if draft:
                    ratings.append((item, scale, value))
                else:
                    late.append(Refused("ratings", index, "out-of-phase"))
        ideas = self._new_ideas(participant, ballot, ideas_open, refused, late)
        if late and not (compare or draft):
            raise self._shut(now)
        refused += late
        record = None
        if votes or ratings or ideas:
            record = BatchRecord(participant, ballot.seq, now, tuple(votes), tuple(ratings), tuple(ideas))
            self.apply(record)
        return Outcome(participant, record, ballot.seq, refused)

    def apply(self, record: Record) -> None:
        """Apply a record, live or at recovery: any order, any number of times, the same room."""
        self.version += 1
        self.next_participant = max(self.next_participant, record.participant + 1)
        if isinstance(record, JoinRecord):
            self.joins[record.participant] = record
            self._unit_of.extend([-1] * (record.participant + 1 - len(self._unit_of)))
            self._unit_of[record.participant] = -1 if record.unit is None else record.unit
            if record.subject is not None:
                known = self._subjects.get(record.subject, record.participant)
                self._subjects[record.subject] = min(known, record.participant)
            if record.name is not None:
                mine = self._mine.get(record.participant, ())
                self.statements.name_author(record.participant, record.name, mine)
            return
        who, seq, at = record.participant, record.seq, record.at
        if record.votes:
            self.votes_version += 1
        for number, value in record.votes:
            before, stands = self.votes.put(who, number, seq, value, at)
            if stands:
                self.statements.count_vote(number, before, value)
                self._moved += 1
        for item, scale, value in record.ratings:
            self.ratings.put(who, (item, scale), seq, value, at)
        for idea in record.ideas:
            self._add(Contribution(idea, who, at))

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
        # Dealing again costs as much as the deck is long: once in a while, or when the hub asks each second.
        if self._moved > max(4, len(self._deck) // 20) or self._added > len(self._deck) // 50:
            self.deal()
        turn = self.votes.count(participant)
        drawn = self._deck.draw(participant, turn, n, lambda one: self._done(participant, one))
        return [self.statements.row(number) for number in drawn]

    def deal(self) -> None:
        """Put the statements on offer into the deck with their present weights."""
        ids = self.statements.on_offer()
        priorities = None
        if self.opinion is not None:
            known = self.opinion
            priorities = dict(zip(known.statements.tolist(), known.priorities.tolist(), strict=True))
        self._deck.deal(ids, [self.statements.seen(number) for number in ids], priorities)
        self._moved = self._added = 0

    def use_opinion(self, opinion: Opinion | None) -> None:
        """Take a newly computed opinion map: positions and priorities come from it from now on."""
        self.opinion = opinion
        self._moved = _STALE

    def state_bytes(self, now: int) -> tuple[str, bytes]:
        """Give (etag, JSON) of what everybody may know; `now` is in the document, not in the etag."""
        here = phase_at(self.spec.plan, now)
        core = msgspec.json.encode(
            {
                "rev": self.spec.rev,
                "phase": here.name,
                "ends_at": here.ends_at,
                "paused": here.paused,
                "paused_at": self.spec.plan.paused_at,
                "frozen": here.frozen,
                "plan": msgspec.Raw(self._plan),
                "participants": len(self.joins),
                "contributions": len(self.statements.contributions),
                "votes": self.votes.live,
            }
        )
        etag = f'"{blake2b(core, digest_size=8).hexdigest()}"'
        return etag, core[:-1] + b',"now":%d}' % now

    def me(self, participant: int) -> dict[str, object]:
        """Give what a participant may know of themselves: votes, position, groups, fate of contributions."""
        votes, mine = self.votes.of(participant), self.mine(participant)
        return standing.me(participant, votes, mine, self.opinion, self.statements)

    def mine(self, participant: int) -> list[StatementRow]:
        """Give the contributions of a participant, oldest first."""
        return [self.statements.row(number) for number in sorted(self._mine.get(participant, ()))]

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
        since = now - self.limits.present_ms
        return int((np.frombuffer(self._seen_at, dtype=np.int64) > since).sum()) if self._seen_at else 0

    def units(self) -> npt.NDArray[np.int64]:
        """Give the unit of each participant, -1 for none."""
        units = np.full(self.next_participant, -1, dtype=np.int64)
        units[: len(self._unit_of)] = np.array(self._unit_of, dtype=np.int64)
        return units

    def contributors(self) -> int:
        """Count the participants who wrote something."""
        return len(self._mine)

    def adopt(self, other: Room) -> None:
        """Go on numbering above `other`, the same room before its disk failed: no number serves twice."""
        self.next_participant = max(self.next_participant, other.next_participant)
        self.next_contribution = max(self.next_contribution, other.next_contribution)
        self._seen_at = other._seen_at

    # Inside

    def _add(self, contribution: Contribution) -> None:
        idea, who = contribution.idea, contribution.participant
        self.next_contribution = max(self.next_contribution, idea.id + 1)
        if self.statements.add(contribution):
            self._marks[who, idea.mark] = idea.id
            self._mine.setdefault(who, []).append(idea.id)

    def _done(self, participant: int, number: int) -> bool:
        return (
            self.votes.has(participant, number)
            or self.statements.author_of(number) == participant
            or self.statements.status(number) != "shown"
        )

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
                number = self.next_contribution + len(ideas)
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

    def _shut(self, now: int) -> RefusalError:
        """Why nothing at all is taken now; between two phases the session waits as in a pause."""
        here = phase_at(self.spec.plan, now)
        code = "frozen" if here.frozen else _SHUT.get(here.name, "paused")
        return RefusalError(code, state=True)

    def _identity(self, token: str | None, now: int) -> tuple[str, str]:
        if not token:
            raise RefusalError("pass-required")
        try:
            member = tickets.check_pass(self.key, self.spec.room, token, now)
        except tickets.TicketError as error:
            raise RefusalError(error.code) from None
        return member.subject, member.name


def _name(raw: str | None) -> str:
    try:
        return clean(raw or "", longest=LONGEST_NAME)
    except TextError as error:
        raise RefusalError("name-required" if error.code == "text-empty" else "name-too-long") from None
