"""What each address under /live/ROOM/ answers: one synchronous function a route, whatever the transport.

A route gets a request whose body has arrived, and gives an answer, an answer to send once what it rests on is
on the disk, or a stream to join. It touches neither sockets nor the loop.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

import msgspec

from essaim.live import answers, entry, messages, metrics
from essaim.live.ballots import Ballot, JoinRequest, read_batch, read_join
from essaim.live.commits import GroupCommit, awaited
from essaim.live.entry import Invitation
from essaim.live.errors import JournalError
from essaim.live.live_room import LiveRoom
from essaim.live.messages import JSON, NO_STORE, Answer, Head, Header, Request
from essaim.live.problems import RefusalError
from essaim.live.records import BatchRecord
from essaim.live.room import Outcome
from essaim.live.valves import jittered

_JSON: Final = (b"content-type", JSON)
_SHARED: Final = (b"cache-control", b"public, max-age=1")
_FRESH: Final = (b"cache-control", b"public, max-age=0, must-revalidate")
_BINARY: Final = b"application/octet-stream"
_OK: Final = Head(200, (NO_STORE, _JSON))
_STREAM: Final = Head(
    200,
    ((b"content-type", b"text/event-stream; charset=utf-8"), (b"x-accel-buffering", b"no"), NO_STORE),
)
_log = logging.getLogger(__name__)


class Durable(msgspec.Struct, gc=False):
    """An answer that may leave when everything added to `commits` so far is on the disk."""

    live: LiveRoom
    commits: GroupCommit | Overtaken | Entering

    def finish(self, error: JournalError | None) -> Answer:
        """Give the answer, once `commits` has told that all is on the disk, or that it will not be."""
        try:
            if error is not None:
                raise RefusalError("unavailable", "The journal failed.", retry_after=jittered(1))
            return self._make()
        except RefusalError as refusal:
            return refuse(refusal, self.live)
        except Exception:
            return failed()

    def _make(self) -> Answer:
        raise NotImplementedError


class Joined(Durable, gc=False):
    """The answer to a join."""

    outcome: Outcome
    cookie: Header

    def _make(self) -> Answer:
        live, outcome = self.live, self.outcome
        metrics.here.answered("join", 201)
        if outcome.record is not None:
            metrics.here.joins += 1
        body = answers.joined(live.room, outcome.participant, live.clock())
        return messages.answer(201, body, JSON, (NO_STORE, self.cookie))


class Invited(Durable, gc=False):
    """The answer to a join with an invitation code."""

    entering: Entering
    request: Request

    def _make(self) -> Answer:
        live, outcome = self.live, self.entering.outcome
        if outcome is None:
            raise self.entering.refusal
        ticket = live.room.ticket(outcome.participant, live.clock())
        cookie = session_cookie(self.request, live, ticket)
        return Joined(live, live.commits, outcome, cookie)._make()


class Taken(Durable, gc=False):
    """The answer to a batch that came at `begun` (`time.perf_counter`)."""

    outcome: Outcome
    begun: float

    def _make(self) -> Answer:
        live, commits = self.live, self.commits
        outcome = (commits.outcome if type(commits) is Overtaken else None) or self.outcome
        ended = time.perf_counter()
        answer = Answer(_OK, answers.taken(live.room, outcome, live.clock_at(ended)))
        count, record, votes = metrics.here, outcome.record, 0
        if isinstance(record, BatchRecord):
            votes = len(record.votes)
            if record.ratings or record.ideas:
                count.ratings += len(record.ratings)
                count.ideas += len(record.ideas)
        if outcome.refused:
            for one in outcome.refused:
                count.refused(one.code)
        count.took(votes, ended - self.begun)
        return answer


class Streaming:
    """An answer without end: its head, and the room to listen to."""

    __slots__ = ("head", "live")

    def __init__(self, head: Head, live: LiveRoom) -> None:
        self.head, self.live = head, live


class Entering:
    """In the place of the commits of a join with an invitation code: it is burnt first, then its holder comes in."""

    def __init__(self, live: LiveRoom, asked: JoinRequest, invitation: Invitation, now: int) -> None:
        self._live, self._asked, self._invitation, self._now = live, asked, invitation, now
        self.outcome: Outcome | None = None
        self.refusal = RefusalError("unavailable", "The invitation code could not be burnt.", retry_after=5)

    def then(self, told: Callable[[JournalError | None], None]) -> None:
        """Call `told` as `GroupCommit.then` does."""
        self._live.spawn(self._enter(told))

    async def durable(self) -> None:
        """Wait as `GroupCommit.durable` does."""
        await awaited(self.then)

    async def _enter(self, told: Callable[[JournalError | None], None]) -> None:
        live = self._live
        try:
            outcome = await live.let_in(self._asked, self._invitation, self._now)
            if outcome.record is not None:
                live.commits.add(outcome.record)
        except JournalError as error:
            told(error)
        except RefusalError as refusal:
            self.refusal = refusal
            told(None)
        except Exception:
            _log.exception("live: an invitation code could not be burnt")
            told(None)
        else:
            self.outcome = outcome
            live.commits.then(told)


class Overtaken:
    """In the place of the commits of a batch with statements unknown here: another worker may know them.

    It takes what the others wrote, takes the batch again (what was taken stays as it is), then waits for the disk.
    """

    def __init__(self, live: LiveRoom, participant: int, ballot: Ballot, now: int) -> None:
        self._live, self._participant, self._ballot, self._now = live, participant, ballot, now
        self.outcome: Outcome | None = None

    def then(self, told: Callable[[JournalError | None], None]) -> None:
        """Call `told` as `GroupCommit.then` does."""
        self._live.spawn(self._catch_up(told))

    async def durable(self) -> None:
        """Wait as `GroupCommit.durable` does."""
        await awaited(self.then)

    async def _catch_up(self, told: Callable[[JournalError | None], None]) -> None:
        live, commits = self._live, self._live.commits
        try:
            await live.catch_up()
            commits = live.commits
            self.outcome = live.room.take(self._participant, self._ballot, self._now)
            if self.outcome.record is not None:
                commits.add(self.outcome.record)
        except JournalError as error:
            told(error)
        except (OSError, RefusalError):
            commits.then(told)  # the first outcome stands
        else:
            commits.then(told)


Result = Answer | Durable | Streaming
Route = Callable[[Request, bytes, LiveRoom], Result]


def respond(route: Route, request: Request, body: bytes, live: LiveRoom) -> Result:
    """Answer a request to an open room; refusals and errors of the program are answers too."""
    try:
        return route(request, body, live)
    except RefusalError as refusal:
        return refuse(refusal, live)
    except Exception:
        return failed()


def refuse(refusal: RefusalError, live: LiveRoom | None) -> Answer:
    """Make the answer of a refusal, with the state of the room where that explains it."""
    metrics.here.refused(refusal.code)
    metrics.here.answered("refused", refusal.status)
    state = live.room.state_bytes(live.clock())[1] if live is not None and refusal.state else None
    return messages.refused(refusal, state)


def failed() -> Answer:
    """Make the answer to a request that met an error of the program, and write the error down."""
    _log.exception("live: a request failed")
    return refuse(RefusalError("unavailable", "An unexpected error.", retry_after=5), None)


def ticket_cookie(room: str) -> str:
    """Give the name of the cookie that holds the ticket for a room."""
    return f"essaim-{room}"


def mark_cookie(room: str) -> str:
    """Give the name of the cookie that holds the mark a browser comes again with (see `invitations`)."""
    return f"essaim-mark-{room}"


def session_cookie(request: Request, live: LiveRoom, ticket: str) -> Header:
    """Make the header that leaves a ticket with a browser."""
    return messages.cookie(request, ticket_cookie(live.name), ticket, live.limits.ticket_s)


# Writing


def join(request: Request, body: bytes, live: LiveRoom) -> Result:
    """POST join: let somebody in; the answer leaves when the join is on the disk."""
    if not request.is_json():
        raise RefusalError("unsupported-media-type")
    request.check_same_site(live.room.spec.public_url)
    commits, room, now = live.commits, live.room, live.clock()
    live.valves.write(commits, time.perf_counter())
    asked = read_join(body)
    live.reserve()
    invited = invitation(request, asked, live, now)
    live.valves.join(request, asked.waiting, room.key or b"", now)
    if invited is not None:
        entering = Entering(live, asked, invited, now)
        # A request of its own: the lane uses the other one again.
        return Invited(live, entering, entering, Request(request.headers, request.scheme, request.peer))
    outcome = room.enter(asked, now)
    if outcome.record is not None:
        commits.add(outcome.record)
    cookie = session_cookie(request, live, room.ticket(outcome.participant, now))
    return Joined(live, commits, outcome, cookie)


def invitation(request: Request, asked: JoinRequest, live: LiveRoom, now: int) -> Invitation | None:
    """Give the invitation of a join, None in a room that asks for none; refused before anything is changed."""
    codes = live.room.spec.codes
    if codes is None:
        return None
    live.room.check_entry(asked, now)
    live.valves.code(request, now)
    if asked.mark is None:
        asked = msgspec.structs.replace(asked, mark=request.cookie(mark_cookie(live.name)))
    try:
        return entry.invitation(asked, codes, live.room.key)
    except RefusalError as refusal:
        if refusal.code == "bad-code":
            live.valves.code(request, now, wrong=True)
        raise


def batch(request: Request, body: bytes, live: LiveRoom) -> Result:
    """POST batch: votes, ratings, ideas; the answer leaves when what they changed is on the disk."""
    headers, begun = request.headers, time.perf_counter()
    if headers.get(b"content-type") != JSON and not request.is_json():
        raise RefusalError("unsupported-media-type")
    commits, room, valves, now = live.commits, live.room, live.valves, live.clock_at(begun)
    valves.write(commits, begun)
    bearer = headers.get(b"authorization", b"")
    if bearer.startswith(b"Bearer "):  # as almost always
        participant = room.admit(bearer[7:].decode("latin-1"), now)
    else:
        participant = _who(request, live, now, writes=True)
    wait = valves.take_batch(participant, now)
    if wait:
        raise valves.refuse_batch(wait)
    ballot = read_batch(body)
    outcome = room.take(participant, ballot, now)
    if outcome.record is not None:
        commits.add(outcome.record)
    if outcome.unknown:
        return Taken(live, Overtaken(live, participant, ballot, now), outcome, begun)
    return Taken(live, commits, outcome, begun)


# Reading


def state(request: Request, body: bytes, live: LiveRoom) -> Result:
    """GET state: the same bytes for everybody."""
    etag, document = live.room.state_bytes(live.clock())
    return _counted("state", messages.document(request, document, etag, JSON, (_SHARED,)))


def frame(request: Request, body: bytes, live: LiveRoom) -> Result:
    """GET frame: what does not move during a session."""
    return _counted(
        "frame", messages.document(request, live.room.frame, live.room.frame_etag, JSON, (_FRESH,))
    )


def next_statements(request: Request, body: bytes, live: LiveRoom) -> Result:
    """GET next: statements to answer."""
    participant = _who(request, live, live.clock())
    return _counted("next", Answer(_OK, answers.next_statements(live.room, participant)))


def me(request: Request, body: bytes, live: LiveRoom) -> Result:
    """GET me: where one stands, and what became of what one wrote."""
    participant = _who(request, live, live.clock())
    return _counted("me", Answer(_OK, msgspec.json.encode(live.room.me(participant))))


def stream(request: Request, body: bytes, live: LiveRoom) -> Result:
    """GET stream: server-sent names of what changed, and the state."""
    if len(live.stream) >= live.limits.streams_per_room:
        raise RefusalError("unavailable", "Too many streams are open: ask for the state.", retry_after=15)
    metrics.here.answered("stream", 200)
    return Streaming(_STREAM, live)


def points(request: Request, etag: str, scale: float, data: bytes) -> Answer:
    """GET map, once its points are made: those of the opinion map, for the big screen."""
    header = (b"essaim-scale", repr(scale).encode())
    return _counted("map", messages.document(request, data, etag, _BINARY, (_SHARED, header)))


ROUTES: Final[dict[str, tuple[str, Route]]] = {
    "join": ("POST", join),
    "batch": ("POST", batch),
    "state": ("GET", state),
    "frame": ("GET", frame),
    "next": ("GET", next_statements),
    "me": ("GET", me),
    "stream": ("GET", stream),
}


def _counted(route: str, answer: Answer) -> Answer:
    metrics.here.answered(route, answer.head.status)
    return answer


def _who(request: Request, live: LiveRoom, now: int, *, writes: bool = False) -> int:
    """Give the participant by the bearer ticket, or by the cookie (which writes only for the own site)."""
    bearer = request.headers.get(b"authorization")
    if bearer is not None:
        scheme, _, ticket = bearer.decode("latin-1").partition(" ")
        return live.room.admit(ticket.strip() if scheme.lower() == "bearer" else "", now)
    ticket_sent = request.cookie(ticket_cookie(live.name))
    if ticket_sent is None:
        raise RefusalError("bad-ticket", "Join first: no ticket came with this request.")
    if writes:
        request.check_same_site(live.room.spec.public_url)
    return live.room.admit(ticket_sent, now)
