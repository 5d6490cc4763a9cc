"""The loop: one timer wheel, and what each participant does next. Nothing here waits for anybody.

A person has at most one batch under way. It is due at a moment of the person's own clock; the time to answer is counted from
that moment, so a slow server cannot hide by slowing the crowd down. What is not acknowledged is sent again unchanged.
"""

from __future__ import annotations

import gc
import json
import random
import time
from collections.abc import Callable
from typing import Any, Final

from essaim.live.crowd import wire
from essaim.live.crowd.exchanges import Exchanges
from essaim.live.crowd.ledger import Ledger
from essaim.live.crowd.opinions import Opinions, planted
from essaim.live.crowd.pace import ABORT_S, MOST_TRIES, Pace, backoff
from essaim.live.crowd.people import GONE, INSIDE, OUTSIDE, People
from essaim.live.crowd.room_view import RoomView
from essaim.live.crowd.storm import LONGEST_S, Storm
from essaim.live.crowd.tally import Tally, Times
from essaim.live.crowd.target import Target
from essaim.live.crowd.texts import MARK, Ideas
from essaim.live.crowd.wheel import Wheel

DRAIN_S: Final = 30.0
LATE_JOINS: Final = 3
"""How many times the planned length the ramp may last."""
NO_VOTES: Final = b'"votes":[]'
_BUSY_PER_S: Final = 1_000
_OVER: Final = ("closed", "unknown-room")

Progress = Callable[["Crowd", Times], None]


class Crowd:
    """A crowd in one room; `run` lets it live and gives the tally."""

    def __init__(
        self,
        target: Target,
        pace: Pace,
        *,
        connections: int,
        opinions: Opinions | None = None,
        progress: Progress | None = None,
        clocks: bool = False,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        """`clocks`: estimate the server's clock for each person; `stop`: asked each second. Raises TargetError."""
        count = pace.people
        self.room = RoomView(target, count, clocks=clocks)
        self.target, self.pace, self.tally, self.ledger = target, pace, Tally(), Ledger(count)
        self.people, self.storm = People(count), Storm(count)
        self.opinions = opinions or Opinions([(0, 1, 2, 0, 1)[n % 5] for n in range(count)], planted())
        self.exchanges = Exchanges(target, connections, self._answered, self._broken)
        self.period = "ramp"
        self.inside = self.gone = 0
        self._times = Times()
        self._ideas = Ideas(self.room.frame)
        self._ideas_in_compare = bool(self.room.frame.get("compare_ideas"))
        self._requests = wire.Requests(target)
        self._joining = self._join()
        self._progress, self._stop, self._count = progress, stop, count
        self._closing = self._over = False
        # What is looked up at every batch, one step away.
        self._due, self._out, self._votes = self.people.due, self.people.out, self.people.votes
        self._keep_time, self._kept = self._times.batches.append, self.ledger.votes
        self._minds = [self.opinions.minds[kind] for kind in self.opinions.kinds]
        self._marked = bytearray(count)
        """1: there is more to this person's batch than votes: an idea, a second try, a storm."""
        self._closely = self._always_closely = clocks or bool(pace.patience)
        """Look at the next answer as a whole, not only at what every batch needs; each second at one at least."""
        self._fewest, self._choices = pace.votes[0], pace.votes[1] - pace.votes[0] + 1
        self._soonest, self._span = pace.every * (1 - pace.jitter), pace.every * pace.jitter * 2

    # The run

    def run(self) -> Tally:
        """Let the crowd come, vote and leave; give what happened."""
        # What is made here is freed by counting references; looking for cycles would stop the loop.
        gc.collect()
        gc.freeze()
        gc.disable()
        try:
            self._begin()
            self._loop()
        finally:
            gc.enable()
            gc.unfreeze()
            self.exchanges.close()
        self._times.fold(self.tally, self.period, self.storm.times)
        for person, request in enumerate(self.people.out):
            if request is not None and self.people.stage[person] == INSIDE:
                votes = 0 if NO_VOTES in request else self.people.votes[person].count(b"[")
                unsure = votes + (person in self._ideas.under_way)
                self.ledger.unsure[person] = unsure
        return self.tally

    def _begin(self) -> None:
        pace = self.pace
        now = self.exchanges.now = self.started = time.monotonic()
        self._wheel = Wheel(now, pace.horizon)
        self.ends = self._storm_due = float("inf")
        self.room.update(now)
        for person in range(self._count):
            due = now + pace.join_over * random.random()  # noqa: S311
            self.people.due[person] = due
            self._wheel.put(due, person)

    def _loop(self) -> None:
        clock, exchanges, act, late = time.monotonic, self.exchanges, self._act, self._times.late
        second, news, hurried = self.started + 1, 0, False
        while not self._over:
            now = exchanges.now = clock()
            self._ms = int((now + self.room.wall) * 1000)
            self._voting = self.room.phase == "compare" and not self._closing
            for tokens in self._wheel.take(now):
                for token in tokens:
                    act(token)
            if hurried:
                time.sleep(0.001)  # many answers come together: one look a millisecond is enough
            news += exchanges.turn(0 if hurried else 0.001)
            late.append(clock() - now)
            if now >= second:
                hurried = news > _BUSY_PER_S * (now - second + 1)
                second, news = max(second + 1, now), 0
                self._each_second(now)

    def _act(self, token: int) -> None:
        """Do what is due: the next batch, the same batch again, a join, or a look at the state.

        A person has one token, in the wheel or under way. Reading has tokens of its own, from `_count` on.
        """
        if token >= self._count:
            self._poll(token - self._count)
            return
        request = self._out[token]
        if request is None:
            votes = self._votes[token]
            if votes and self._voting and random.random() >= self.pace.ideas:  # noqa: S311
                body = b'{"seq":%d,"votes":[%b]}' % (self._ms, votes[:-1])
                request = self._requests.batch(self.people.ticket[token], body)
            else:
                request = self._compose(token)
                if request is None:
                    return
            self._out[token] = request
        if self._marked[token] and self.storm.needs_connection(token):
            self.exchanges.ask(token, request, True)
        else:
            self.exchanges.ask(token, request)

    def _compose(self, person: int) -> bytes | None:
        """Make the next request of somebody when it is not just votes; None: nothing to send at this moment."""
        people, phase = self.people, self.room.phase
        if people.stage[person] != INSIDE or self._closing:
            return None if self._closing or people.stage[person] == GONE else self._joining
        votes = people.votes[person] if phase == "compare" else b""
        writes = bool(votes) or (phase == "draft" and random.random() < self.pace.ideas)  # noqa: S311
        if not writes:
            self._ask_round(person)
            return None
        idea = self._ideas.write(person) if phase == "draft" or self._ideas_in_compare else b""
        self._marked[person] = 1
        # The time is a number that grows, as on the phone: a batch comes at least a tick after the one before it.
        body = b'{"seq":%d,"votes":[%b]%b}' % (self._ms, votes[:-1], idea)
        return self._requests.batch(people.ticket[person], body)

    def _join(self, waiting: str = "") -> bytes:
        """Ask to come in, with the number that the waiting room gave."""
        who = {"lang": "fr", "name": MARK, "waiting": waiting or None}
        return self._requests.join(json.dumps(who).encode())

    def _ask_round(self, person: int) -> None:
        """Nothing to send: ask for statements or for the state, and come back at the next turn."""
        self.exchanges.ask(person + self._count, self._question(person))
        due = self.people.due[person] + self._soonest + self._span * random.random()  # noqa: S311
        self.people.due[person] = due
        self._wheel.put(due, person)

    def _question(self, person: int) -> bytes:
        """Ask for statements when there are none left, for the state otherwise."""
        if not self.people.votes[person] and self.room.phase == "compare":
            return self._requests.next(self.people.ticket[person])
        return self._requests.state

    def _poll(self, person: int) -> None:
        if self._closing or self.people.stage[person] != INSIDE:
            return
        self.exchanges.ask(person + self._count, self._question(person))
        turn = self.pace.poll * (0.7 + 0.6 * random.random())  # noqa: S311
        self._wheel.put(self.exchanges.now + turn, person + self._count)

    # Answers

    def _answered(self, token: int, status: int, head: bytes, body: bytes, now: float, asked: float) -> None:
        """The usual answer first: a batch is kept. Into the ledger with it, and on to the next statements."""
        if status != 200 or token >= self._count:
            self._other(token, status, head, body, now, asked)
            return
        due = self._due[token]
        self._keep_time(now - due)
        if self._closely or self._marked[token] or b'"refused":[]' not in body:
            due = self._acknowledged(token, body, now, asked, due)
            if self.people.stage[token] == GONE:
                return
        else:
            self._kept[token] += self._votes[token]
            self._out[token] = None
        self._take_statements(token, body)
        due += self._soonest + self._span * random.random()  # noqa: S311
        self._due[token] = due
        self._wheel.put(due, token)

    def _acknowledged(self, person: int, body: bytes, now: float, asked: float, due: float) -> float:
        """Look at an answer as a whole; give the moment from which the person's next turn is counted."""
        people = self.people
        votes, idea_kept = self._examine(person, wire.document(body), now, now - asked)
        if person in self._ideas.under_way:
            text = self._ideas.under_way.pop(person)
            if idea_kept:
                self.ledger.ideas.append((person, text))
            if NO_VOTES in (people.out[person] or b""):
                votes = b""  # written in Draft: the votes that were prepared did not go
        self.ledger.votes[person] += votes
        people.out[person] = None
        self._marked[person] = people.tries[person] = 0
        if self.room.clocks:
            self.room.set_clock(person, body, now, asked)
        if self.storm.missing and self.storm.is_back(person, now):
            due = now - self.pace.every * random.random()  # noqa: S311 (not all on one clock from now on)
        if self.pace.patience:
            people.answered[person] += votes.count(b"[")
            if people.answered[person] >= self.pace.patience[person]:
                self._leave(person)
        return due

    def _take_statements(self, person: int, body: bytes, part: bytes = b"") -> None:
        """Choose what to answer next among the statements of an answer, or of a `part` of it, and how."""
        mind = self._minds[person]
        chance = random.getrandbits(30)
        pieces = (part or body).split(b'{"id":', self._fewest + (chance >> 20) % self._choices)
        votes = b""
        for piece in pieces[1:]:
            digits = piece.partition(b",")[0]
            entries = mind.get(digits)
            if entries is None:
                self.opinions.learn(wire.document(body)["next"])
                entries = mind[digits]
            votes += entries[chance & 63]
            chance >>= 3
        self._votes[person] = votes

    def _examine(self, person: int, answer: dict[str, Any], now: float, took: float) -> tuple[bytes, bool]:
        """Read a whole answer: that it is to what was asked, the state; give the votes and idea that were taken."""
        self._closely = self._always_closely
        votes = self.people.votes[person]
        try:
            if b'{"seq":%d,' % answer["seq"] not in (self.people.out[person] or b""):
                raise KeyError("seq")
            self.room.hear(answer["state"], now, took)
            refused = [(str(one["what"]), int(one["index"]), str(one["code"])) for one in answer["refused"]]
        except (KeyError, TypeError, ValueError):
            self.tally.errors["an answer that is not the protocol's"] += 1
            return b"", False
        if not refused:
            return votes, True
        self.tally.entries_refused.update(code for _, _, code in refused)
        places = {index for what, index, _ in refused if what == "votes"}
        kept = [one for place, one in enumerate(wire.decode(b"[%b]" % votes[:-1])) if place not in places]
        votes = b"".join(b"[%d,%d]," % (number, vote) for number, vote in kept)
        return votes, all(what != "ideas" for what, _, _ in refused)

    def _other(self, token: int, status: int, head: bytes, body: bytes, now: float, asked: float) -> None:
        """React to a join, a look at the state, or a refusal."""
        if token >= self._count:
            self._was_read(token - self._count, status, body, now, asked)
            return
        if status == 201:
            self._joined(token, body, now)
            return
        refusal = wire.document(body)
        code = str(refusal.get("code", "?"))
        if status in (429, 503):
            self.tally.refusals[f"{status} {code}"] += 1
            if code == "waiting-room":
                self.people.out[token] = self._join(str(refusal.get("number", "")))
            self._again(token, wire.retry_after(head))
        elif status == 409:
            self.tally.refusals[f"{status} {code}"] += 1
            self.room.hear(refusal.get("state"), now, now - asked)
            if code in _OVER:
                self._leave(token)
            else:
                self._wheel.put(now + 20 * (1 + random.random()), token)  # noqa: S311
        else:
            self.tally.errors[f"{status} {code}"] += 1
            if status >= 500:
                self._again(token, wire.retry_after(head))
            else:
                self._leave(token)

    def _was_read(self, person: int, status: int, body: bytes, now: float, asked: float) -> None:
        if status == 200:
            self._times.reads.append(now - asked)
            # A batch under way was made of the statements that stand there: they stay until it is acknowledged.
            if b'"next":[{' in body and self.people.out[person] is None and not self.people.votes[person]:
                self._take_statements(person, body)
            elif self._closely and b'"plan":' in body:
                self._closely = self._always_closely
                self.room.hear(wire.document(body), now, now - asked)
            if self.storm.missing:
                self.storm.is_back(person, now)
        elif status in (429, 503):
            self.tally.refusals[f"{status} on a reading"] += 1
        else:
            self.tally.errors[f"{status} on a reading"] += 1

    def _joined(self, person: int, body: bytes, now: float) -> None:
        people = self.people
        people.out[person] = None
        people.tries[person] = 0
        people.ticket[person] = body.partition(b'"ticket":"')[2].partition(b'"')[0]
        people.number[person] = int(body.partition(b'"participant":')[2].partition(b",")[0])
        people.stage[person] = INSIDE
        self.inside += 1
        self.ledger.joins += 1
        self._times.joins.append(now - people.due[person])
        self._take_statements(person, body, body.partition(b'"next":')[2].partition(b',"frame":')[0])
        people.due[person] = first = now + self.pace.every * random.random()  # noqa: S311
        self._wheel.put(first, person)
        if self.pace.poll:
            self._wheel.put(now + self.pace.poll * random.random(), person + self._count)  # noqa: S311

    def _broken(self, token: int, why: str) -> None:
        """No whole answer came: whether it was taken is not known, so the same bytes go again."""
        if why:
            self.tally.errors[f"not HTTP: {why}"] += 1
        self.tally.interruptions += 1
        if token >= self._count:
            return
        if self.people.stage[token] == OUTSIDE:
            self.ledger.joins_retried += 1
        self._again(token, 0.0)

    def _again(self, person: int, after: float) -> None:
        """Come back with the same bytes, later and later, each at another moment, as the phone does."""
        self.tally.resent += 1
        self._marked[person] = 1
        tries = self.people.tries[person] = min(self.people.tries[person] + 1, MOST_TRIES)
        self._wheel.put(self.exchanges.now + backoff(tries, after), person)

    def _leave(self, person: int) -> None:
        self.people.out[person], self.people.votes[person] = None, b""
        self._ideas.under_way.pop(person, None)
        self.people.stage[person] = GONE
        self.gone += 1

    # Once a second

    def _each_second(self, now: float) -> None:
        self.exchanges.cut_overdue(ABORT_S)
        self.exchanges.heads.forget()
        self.room.update(now)
        self._closely = True
        self._times.fold(self.tally, self.period, self.storm.times)
        if self._progress is not None:
            self._progress(self, self._times)
        if now >= self._storm_due:
            self._storm_due = float("inf")
            self._begin_storm(now)
        elif now >= self.ends and (not self.storm.missing or now > self.storm.at + LONGEST_S):
            self._closing = True
            self.period = "drain"
        elif self.storm.missing:
            self.period = "storm"
        elif self.period == "ramp":
            self._end_ramp(now)
        else:
            self.period = "steady"
        drained = self._closing and (now > self.ends + LONGEST_S + DRAIN_S or not any(self.people.out))
        everybody_left = self.gone == self._count
        self._over = drained or everybody_left or self.room.phase == "closed" or self._stop()

    def _end_ramp(self, now: float) -> None:
        """The steady time begins when everybody is in, or when it has become clear that they do not all come in."""
        patience = self.pace.join_over * LATE_JOINS + LONGEST_S
        if self.inside + self.gone >= self._count or now > self.started + patience:
            self.period = "steady"
            self.ends = now + self.pace.minutes * 60
            self._storm_due = now + self.pace.minutes * 30 if self.pace.storm else float("inf")

    def _begin_storm(self, now: float) -> None:
        """Cut every connection. Everybody has something to send again: their batch, or what they were gathering."""
        self.period = "storm"
        people, tries = self.people, bytes(self.people.tries)
        # Nobody keeps the moment that was planned before the cut; who was outside or waited still has one to come.
        later = [token for tokens in self._wheel.take_all() for token in tokens]
        for person in range(self._count):
            if people.stage[person] == INSIDE:
                self.storm.hits(person, now)
                self._marked[person] = 1
        self.exchanges.cut_all()
        for token in later:
            if token >= self._count:
                self._wheel.put(now + self.pace.poll * random.random(), token)  # noqa: S311
            elif people.stage[token] == OUTSIDE:
                self._wheel.put(max(now, people.due[token]), token)
            else:
                if people.out[token] is None:
                    people.due[token] = now
                people.tries[token] = max(tries[token], 1)
                self._wheel.put(now + backoff(people.tries[token], 0.0), token)
