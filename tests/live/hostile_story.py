"""A whole session of people who send what they like, beside the simplest account of what must come of it.

`run(data)` is what a fuzzer calls: the first byte chooses a target (see `tests.live.hostile`), the rest steers it.
"""

# ruff: noqa: PT017 (a refusal may come or not; if it comes, something holds)

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
import pytest

from essaim.live import plan as plans
from essaim.live import records, tickets
from essaim.live.answers import joined, next_statements
from essaim.live.ballots import read_batch, read_join
from essaim.live.plan import PhaseWindow, Plan, PlanError
from essaim.live.problems import RefusalError
from essaim.live.records import RETRACTED, BatchRecord, JoinRecord, Record
from essaim.live.room import Room
from essaim.live.spec import RoomSpec
from essaim.live.tickets import TicketError
from tests.live import hostile
from tests.live.hostile import LIMITS, OTHER_KEY, Dice, batch_body, check_refused
from tests.live.rooms import KEY, MINUTE, NOW, everything, make_spec

STEPS: Final = 60
_CHANGES: Final = (
    "start", "next", "pause", "resume", "close", "reopen", "freeze", "unfreeze", "hide", "before", "end",
)  # fmt: skip


class Story:
    """A room, another one to cross with, all that was emitted, and who voted what by a plain account."""

    def __init__(self, dice: Dice) -> None:
        self.dice, self.now = dice, NOW
        privacy = dice.pick(("anonymous", "pseudonymous", "identified"))
        windows = tuple(PhaseWindow(name, minutes) for name, minutes in (("draft", 2), ("compare", 0)))
        chosen = dice.pick((windows[1:], windows, windows[:1]))
        spec = make_spec(
            plans.start(Plan(0, chosen), NOW), privacy=privacy, compare_ideas=bool(dice.below(2))
        )
        self.room = Room(spec, KEY, LIMITS)
        self.other = Room(make_spec(room="room-2", number=5), OTHER_KEY, LIMITS)
        self.tickets: list[str] = []
        self.bodies: list[tuple[str, bytes]] = []
        self.emitted: list[list[Record]] = []
        self.people: set[int] = set()
        self.account: dict[tuple[int, int], tuple[int, int]] = {}

    def tell(self) -> None:
        """Live through all that the dice say, then compare with rooms made of what was emitted."""
        self.come()
        for _ in range(STEPS):
            if not self.dice:
                break
            self.now += self.dice.pick((0, 1, 1_000, MINUTE, 60 * MINUTE, -1, -MINUTE, -60 * MINUTE))
            self.dice.pick(
                (self.send, self.send, self.send, self.again, self.come, self.cross, self.change, self.look)
            )()
        self.check()
        self.rebuild()

    # What people do

    def come(self) -> None:
        """Somebody joins."""
        token = tickets.sign_pass(KEY, "room-1", f"member:{self.dice.below(3)}", "Ana", self.now // 1000 + 60)
        body = json.dumps({"name": "Ana", "unit": self.dice.pick((1, 2, None)), "pass": token}).encode()
        try:
            outcome = self.room.enter(read_join(body), self.now)
            self.keep(outcome.record)
            answer = json.loads(joined(self.room, outcome.participant, self.now))
        except RefusalError as refusal:
            assert refusal.code in ("closed", "unavailable", "ended"), refusal
            return
        self.people.add(outcome.participant)
        self.tickets.append(answer["ticket"])

    def send(self) -> None:
        """Somebody sends a batch they made."""
        if self.tickets:
            known = self.room.statements.ids()
            self.post(self.dice.pick(self.tickets), batch_body(self.dice, [*known, 12, 99_999, 100_000]))

    def again(self) -> None:
        """Somebody sends a batch that was sent before: theirs, or with the ticket of another."""
        if self.bodies:
            ticket, body = self.dice.pick(self.bodies)
            self.post(self.dice.pick(self.tickets) if self.dice.below(2) else ticket, body)

    def cross(self) -> None:
        """Somebody comes with a ticket that opens nothing here."""
        before = self.room.version, self.room.people.next_number, self.room.state(self.now)
        foreign = self.other.ticket(0, self.now)
        late = tickets.issue(KEY, self.room.spec.number, 0, max(0, self.now // 1000 - 1))
        forged = tickets.issue(OTHER_KEY, self.room.spec.number, 4_000_000, self.now // 1000 + 60)
        for sent in (foreign, late, forged, hostile.altered(self.dice, (foreign, late, forged))):
            with pytest.raises(RefusalError) as refused:
                self.room.submit(sent, b'{"seq":1,"votes":[[0,1]]}', self.now)
            assert refused.value.status in (401, 403, 410)
        assert (self.room.version, self.room.people.next_number, self.room.state(self.now)) == before

    def change(self) -> None:
        """The facilitators change something."""
        spec, how = self.room.spec, self.dice.pick(_CHANGES)
        if how == "hide":
            new = msgspec.structs.replace(spec, rev=spec.rev + 1, hidden=(self.dice.below(12),))
        elif how == "before":
            new = msgspec.structs.replace(spec, rev=spec.rev + 1, moderation="before")
        else:
            try:
                plan = self.changed(how, spec)
            except PlanError:
                return
            new = msgspec.structs.replace(spec, rev=spec.rev + 1, plan=plan)
        self.room.use(new)

    def changed(self, how: str, spec: RoomSpec) -> Plan:
        """Give the plan after a move of the facilitators."""
        if how == "reopen":
            return plans.reopen(spec.plan, self.now, minutes=self.dice.below(3))
        moves: dict[str, Callable[[Plan, int], Plan]] = {
            "start": plans.start,
            "next": plans.next_phase,
            "pause": plans.pause,
            "resume": plans.resume,
            "close": plans.close,
            "freeze": plans.freeze,
            "unfreeze": plans.unfreeze,
            "end": plans.end,
        }
        return moves[how](spec.plan, self.now)

    def look(self) -> None:
        """Somebody looks at everything there is to see."""
        state = json.loads(self.room.state(self.now))
        assert state["participants"] == len(self.people) and state["now"] == self.now
        for who in self.people:
            offered = json.loads(next_statements(self.room, who))["next"]
            assert all(one["id"] in self.room.statements for one in offered)
            json.dumps(self.room.me(who))
        self.check()

    # What must come of it

    def post(self, ticket: str, body: bytes) -> None:
        """Send a batch, and put into the account what is to stand."""
        number, before = self.room.spec.number, self.room.version
        who = tickets.check(KEY, number, ticket, 0)
        try:
            good = self.room.key is not None and tickets.check(KEY, number, ticket, self.now) == who
        except TicketError:
            good = False
        votable, spec = set(self.room.statements.votable), self.room.spec
        opened = plans.takes(spec.plan, "compare", self.now, grace=LIMITS.grace_ms)
        try:
            outcome = self.room.submit(ticket, body, self.now)
        except RefusalError as refusal:
            assert refusal.status in ((400, 409) if good else (401, 410)), refusal
            assert self.room.version == before
            return
        assert good, "a ticket that has expired, or whose key is destroyed, opened the room"
        self.bodies.append((ticket, body))
        ballot = read_batch(body)
        check_refused(outcome.refused, ballot)
        late = {one.index for one in outcome.refused if one.code == "out-of-phase" and one.what == "votes"}
        assert not (late and opened)
        for statement, value in ballot.votes:
            if opened and statement in votable:
                entry = ballot.seq, value
                self.account[who, statement] = max(self.account.get((who, statement), entry), entry)
        assert (outcome.record is None) == (self.room.version == before)
        self.keep(outcome.record)

    def keep(self, record: Record | None) -> None:
        """What was emitted is on the disk."""
        if record is not None:
            assert list(records.decode(records.encode([record]))) == [record]
            self.emitted.append([record])
            self.room.settle([record])

    def check(self) -> None:
        """The room counts what stands by the plain account, and nothing else."""
        room = self.room
        standing = {pair: value for pair, (_, value) in self.account.items() if value != RETRACTED}
        assert room.votes.live == len(standing) and room.people.count == len(self.people)
        tallies = Counter((statement, value) for (_, statement), value in standing.items())
        for number in room.statements.votable:
            row = room.statement(number)
            assert (row.agrees, row.disagrees, row.passes) == tuple(
                tallies[number, value] for value in (1, -1, 0)
            )
        for who in self.people:
            assert room.votes_of(who) == {
                one: value for (owner, one), value in standing.items() if owner == who
            }
            assert len(room.mine(who)) <= LIMITS.contributions_each
        assert len(room.statements.contributions) <= LIMITS.contributions

    def rebuild(self) -> None:
        """Rooms made of what was emitted, in any order, at once or one by one, are the room that is."""
        room, emitted = self.room, [record for batch in self.emitted for record in batch]
        room.deal()
        shown = everything(room)
        order = sorted(range(len(emitted)), key=lambda place: (place * 7919 + self.dice.below(256)) % 65_537)
        loaded, applied = Room(room.spec, room.key, LIMITS), Room(room.spec, room.key, LIMITS)
        cut = self.dice.below(len(emitted) + 1)
        loaded.load([records.decode(records.encode(part)) for part in (emitted[:cut], emitted[cut:])])
        again: Sequence[Record] = [*(emitted[place] for place in order), *emitted[:3]]
        for record in again:
            applied.apply(record)
        applied.settle(again)
        assert sum(isinstance(one, JoinRecord) for one in emitted) == room.people.count
        assert all(isinstance(one, JoinRecord | BatchRecord) for one in emitted)
        for one in (loaded, applied):
            assert everything(one) == shown


def story(data: bytes) -> None:
    """A session."""
    Story(Dice(data)).tell()


TARGETS: Final[tuple[Callable[[bytes], None], ...]] = (
    story,
    hostile.batch,
    hostile.join,
    hostile.form,
    hostile.ticket,
    hostile.member_pass,
    hostile.waiting,
    hostile.block,
    hostile.segment,
    hostile.raw_segment,
)


def run(data: bytes) -> None:
    """Send what these bytes say, and check what comes of it."""
    if data:
        TARGETS[data[0] % len(TARGETS)](data[1:])
