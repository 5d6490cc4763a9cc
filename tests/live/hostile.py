"""What hostile participants send, made of bytes, and what must hold whatever they send.

Each target takes bytes, so that a fuzzer can steer it and a finding is a file: `run(data)` fails with an
AssertionError, or with whatever should not have left the code under test. Nothing here draws at random.
"""

# ruff: noqa: PT017 (a refusal may come or not; if it comes, something holds)

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable, Sequence
from typing import Final, TypeVar
from urllib.parse import urlencode

import msgspec

from essaim.live import answers, ballots, journal, records, tickets
from essaim.live.ballots import LARGEST_SEQ, Ballot, Refused, read_batch, read_form, read_join
from essaim.live.exchange import _fields
from essaim.live.limits import Limits
from essaim.live.problems import RefusalError
from essaim.live.records import RETRACTED, BatchRecord
from essaim.live.room import Outcome, Room
from essaim.live.tickets import TicketError
from essaim.live.waiting import VALID_MS, WaitingRoom
from tests.live.rooms import KEY, NOW, idea, make_room, running

T = TypeVar("T")
OTHER_KEY: Final = bytes(range(32, 64))
SOON_S: Final = NOW // 1000 + 3600
LIMITS: Final = Limits(contributions_each=3, contributions=8, participants=6, ticket_s=5_400)
MARKER: Final = b"\x8fMARK\x00\xff\x01"
_BLOCK: Final = struct.Struct(">8sII")

TEXTS: Final = (
    "Une idée", "", " ", "a" * 281, "e\u0301" * 5, "\u202eabc", "\u0000", "<script>alert(1)</script>", "😀" * 90,
    "z\u0335\u0336\u0337\u0338\u0339", "\ufdd0", "\u2028", "100 %", "x" * 4481,
)  # fmt: skip
ODD: Final = (
    b"null", b"true", b"-1", b"0", b"1", b"2", b"1.0", b"1e2", b"1e400", b"-0", b"9007199254740991",
    b"9007199254740992", b"18446744073709551616", b"9" * 40, b"9" * 4400, b"NaN", b"Infinity", b'""', b'"1"', b"[]",
    b"{}", b"[[[[]]]]", b'"\\ud800"', b'"\\udc00\\ud800"', b'"\xed\xa0\x80"', b'"\xff"', b"[0]", b"[0,1,2]", b'{"a":1}',
    b"[" * 1200 + b"]" * 1200, b"", b",", b'"\\u0000"',
)  # fmt: skip


class Dice:
    """Choices that bytes make; when they have run out, always the first."""

    def __init__(self, data: bytes) -> None:
        self._data, self._place = data, 0
        self.wild = True  # whether odd values are among the likely ones

    def __bool__(self) -> bool:
        return self._place < len(self._data)

    def below(self, limit: int) -> int:
        """Give a number from 0 to limit - 1."""
        size = 1 if limit <= 256 else 2 if limit <= 65_536 else 8
        return int.from_bytes(self.take(size), "big") % limit

    def pick(self, options: Sequence[T]) -> T:
        """Give one of the options."""
        return options[self.below(len(options))]

    def take(self, count: int) -> bytes:
        """Give up to `count` bytes."""
        self._place += count
        return self._data[self._place - count : self._place]

    def rest(self) -> bytes:
        """Give all bytes that are left."""
        return self.take(len(self._data))


# Bodies


def batch_body(dice: Dice, statements: Sequence[int] = range(14)) -> bytes:
    """A batch that is right in most places and wrong in some."""
    dice.wild = dice.below(3) == 2
    members = [b'"seq":%s' % number(dice, (0, 1, 2, 5, 8, 100, LARGEST_SEQ))]
    for _ in range(dice.below(5)):
        kind = dice.below(8)
        if kind < 4:
            members.append(b'"votes":[%s]' % listed(dice, lambda: vote(dice, statements)))
        elif kind == 4:
            members.append(b'"ratings":[%s]' % listed(dice, lambda: rating(dice)))
        elif kind < 7:
            members.append(b'"ideas":[%s]' % listed(dice, lambda: contribution(dice, statements), most=7))
        else:
            name = dice.pick((b"votes", b"ratings", b"ideas", b"seq", b"x", b""))
            members.append(b'"%s":%s' % (name, dice.pick(ODD)))
    return mangled(dice, b"{%s}" % b",".join(members))


def vote(dice: Dice, statements: Sequence[int]) -> bytes:
    """One vote, on one of the first few most of the time."""
    value = dice.pick((b"1", b"-1", b"0", b"null", dice.pick(ODD) if dice.wild else b"1"))
    return b"[%s,%s]" % (number(dice, statements[:4] if dice.below(4) else statements), value)


def rating(dice: Dice) -> bytes:
    """One rating."""
    scale = dice.pick(("maturity", "importance", "nothing", ""))
    return b'[%s,"%s",%s]' % (number(dice, (2, 3, 1, 77)), scale.encode(), number(dice, (1, 4, 5, 6, 0)))


def contribution(dice: Dice, statements: Sequence[int]) -> bytes:
    """One idea."""
    one = idea(f"mark-000{dice.below(6)}", dice.pick(TEXTS))
    one |= {
        "item": dice.pick((2, 3, 1, None, 9)),
        "kind": dice.pick(("idea", "problem", "reason", None, "x")),
    }
    if dice.below(3) == 2:
        one["re"] = dice.pick(statements)
    if dice.wild and dice.below(8) == 7:
        one["id"] = dice.pick(("", "short", "x" * 65, "bad id 1", "é" * 8, "ok-12345\n"))
    if dice.wild and dice.below(8) == 7:
        del one[dice.pick(tuple(one))]
    return json.dumps(one, ensure_ascii=bool(dice.below(2))).encode("utf-8", "surrogatepass")


def number(dice: Dice, likely: Sequence[int]) -> bytes:
    """A likely whole number, or now and then anything."""
    return b"%d" % dice.pick(likely) if not dice.wild or dice.below(8) else dice.pick(ODD)


def listed(dice: Dice, make: Callable[[], bytes], most: int = 60) -> bytes:
    """A list, short most of the time."""
    return b",".join(make() for _ in range(dice.below(6) if dice.below(12) else dice.below(most)))


def mangled(dice: Dice, body: bytes) -> bytes:
    """The same bytes most of the time; else cut, with a byte changed, or with something put in."""
    how, place = dice.below(24) if dice.wild else 0, dice.below(len(body) + 1)
    if how == 21:
        return body[:place]
    if how == 22:
        return body[:place] + bytes([dice.below(256)]) + body[place + 1 :]
    if how == 23:
        return body[:place] + dice.pick((*ODD, b"\x00", b"\xef\xbb\xbf")) + body[place:]
    return body


def form_body(dice: Dice) -> bytes:
    """A form as browsers send it, with odd fields."""
    names = ("sid", "value", "id", "text", "item", "kind", "re", "scale", "scale-maturity", "scale-", "x")
    values = ("0", "1", "-1", "", "2", "٣", "²", "9" * 16, "-", "maturity", "mark-0001", "a\x00b", *TEXTS)
    body = urlencode([(dice.pick(names), dice.pick(values)) for _ in range(dice.below(8))]).encode()
    return mangled(dice, body)


# Targets: parsers, and the room behind them


def batch(data: bytes) -> None:
    """`read_batch` and `Room.take` of a body."""
    dice = Dice(data)
    room = make_room(running(dice.pick(("compare", "draft"))), limits=LIMITS)
    who = room.enter(read_join(b"{}"), NOW).participant
    body = dice.rest() if dice.below(2) else batch_body(dice)
    try:
        ballot = read_batch(body)
    except RefusalError as refusal:
        assert refusal.code == "malformed"
        return
    check_ballot(ballot, body)
    check_taken(room, who, ballot)


def check_ballot(ballot: Ballot, body: bytes) -> None:
    """What was read is within bounds, every entry is taken or refused once, both ways of reading agree."""
    assert 0 <= ballot.seq <= LARGEST_SEQ
    assert len(ballot.votes) <= ballots.MOST_VOTES and len(ballot.ideas) <= ballots.MOST_IDEAS
    places = ballot.places if ballot.places is not None else list(range(len(ballot.votes)))
    assert len(places) == len(ballot.votes) == len({statement for statement, _ in ballot.votes})
    assert all(type(one) is int and RETRACTED <= value <= 1 for one, value in ballot.votes)
    refused = [one.index for one in ballot.refused if one.what == "votes"]
    assert not set(refused) & set(places) and len(set(refused)) == len(refused)
    whole = ballots._batches.decode(body)
    closer = ballots._checked(whole.seq, whole.votes, whole.ratings, whole.ideas)
    assert (closer.votes, closer.ratings, closer.ideas) == (ballot.votes, ballot.ratings, ballot.ideas)
    assert (closer.places, closer.refused) == (places, ballot.refused)


def check_taken(room: Room, who: int, ballot: Ballot, now: int = NOW + 1) -> Outcome | None:
    """Take a ballot; what it gives can be answered and kept, and taking it again gives nothing new."""
    try:
        outcome = room.take(who, ballot, now)
    except RefusalError as refusal:
        assert refusal.status < 500, refusal.code
        return None
    check_kept(room, outcome)
    again = room.take(who, ballot, now)
    assert again.record is None
    places = [{(one.what, one.index) for one in found.refused} for found in (outcome, again)]
    assert places[0] == places[1], "what was taken is acknowledged again, what was refused is refused again"
    check_refused(outcome.refused, ballot)
    document = json.loads(answers.taken(room, outcome, now))
    assert document["seq"] == ballot.seq and len(document["refused"]) == len(outcome.refused)
    return outcome


def check_refused(refused: Sequence[Refused], ballot: Ballot) -> None:
    """No entry is refused twice."""
    places = [(one.what, one.index) for one in refused]
    assert len(set(places)) == len(places), ballot


def check_kept(room: Room, outcome: Outcome) -> None:
    """The record comes back from a journal as it went in."""
    if outcome.record is not None:
        assert list(records.decode(records.encode([outcome.record]))) == [outcome.record]
        room.settle([outcome.record])
        assert not isinstance(outcome.record, BatchRecord) or outcome.record.seq <= LARGEST_SEQ


def join(data: bytes) -> None:
    """`read_join` and `Room.enter` of a body."""
    dice = Dice(data)
    privacy = dice.pick(("anonymous", "pseudonymous", "identified"))
    room = make_room(privacy=privacy, limits=LIMITS)
    token = json.dumps(tickets.sign_pass(KEY, "room-1", "member:1", dice.pick(TEXTS), SOON_S)).encode()
    values: dict[bytes, tuple[bytes, ...]] = {
        b"lang": (b'"fr"', b'"en"', b'"xx"'),
        b"unit": (b"1", b"2", b"3"),
        b"name": tuple(json.dumps(one).encode() for one in TEXTS),
        b"pass": (token, token[:-3] + b'"', b'""'),
        b"waiting": (b'"1-x"', b'"' + b"1" * 50 + b'"'),
    }
    if dice.below(2):
        body = dice.rest()
    else:
        chosen = [dice.pick(tuple(values)) for _ in range(dice.below(6))]
        members = [b'"%s":%s' % (one, dice.pick((*values[one], dice.pick(ODD)))) for one in chosen]
        body = mangled(dice, b"{%s}" % b",".join(members))
    try:
        outcome = room.enter(read_join(body), NOW)
    except RefusalError as refusal:
        assert refusal.status < 500, refusal.code
        return
    check_kept(room, outcome)
    document = json.loads(answers.joined(room, outcome.participant, NOW))
    assert room.admit(document["ticket"], NOW) == outcome.participant == document["participant"]


def form(data: bytes) -> None:
    """`read_form` and `Room.take` of a form."""
    dice = Dice(data)
    action = dice.pick(("vote", "idea", "rate"))
    room = make_room(running(dice.pick(("compare", "draft"))), limits=LIMITS)
    who = room.enter(read_join(b"{}"), NOW).participant
    try:
        sent = _fields(dice.rest() if dice.below(2) else form_body(dice))
    except RefusalError as refusal:
        assert refusal.code == "malformed"
        return
    check_taken(room, who, read_form(action, sent, room.next_seq(who)))


# Targets: what is signed


def ticket(data: bytes) -> None:
    """`tickets.check`: what was issued here, to the letter, and nothing else."""
    dice = Dice(data)
    issued = {tickets.issue(KEY, 7, who, SOON_S): who for who in (0, 1, 255, 2**32 - 1)}
    late = tickets.issue(KEY, 7, 0, NOW // 1000)
    crossed = (tickets.issue(OTHER_KEY, 8, 0, SOON_S), tickets.issue(OTHER_KEY, 7, 0, SOON_S), late)
    sent = altered(dice, (*issued, *crossed))
    try:
        who = tickets.check(KEY, 7, sent, NOW)
    except TicketError as error:
        assert error.code in ("bad-ticket", "expired-ticket", "wrong-room")
        assert sent not in issued
        return
    assert issued.get(sent) == who, f"{sent!r} was accepted"


def member_pass(data: bytes) -> None:
    """`tickets.check_pass`: what was signed here, to the letter, and nothing else."""
    dice = Dice(data)
    signed = {
        tickets.sign_pass(KEY, "room-1", f"m:{n}", name, SOON_S): name
        for n, name in enumerate(("Zoë", "Ana", "Bo"))
    }
    foreign = (
        tickets.sign_pass(KEY, "room-2", "m:0", "Ana", SOON_S),
        tickets.sign_pass(KEY, "room-1", "m:0", "Ana", NOW // 1000),
        tickets.sign_pass(OTHER_KEY, "room-1", "m:0", "Ana", SOON_S),
        tickets.issue(KEY, 7, 0, SOON_S),
    )
    sent = altered(dice, (*signed, *foreign))
    try:
        found = tickets.check_pass(KEY, "room-1", sent, NOW)
    except TicketError as error:
        assert error.code in ("bad-pass", "expired-pass", "wrong-room")
        assert sent not in signed
        return
    assert signed.get(sent) == found.name, f"{sent!r} was accepted"


def altered(dice: Dice, genuine: Sequence[str]) -> str:
    """A genuine text, changed in the ways of those who would get in; or any text, as headers bring it."""
    text, how = dice.pick(genuine), dice.below(9)
    place = dice.below(len(text) + 1)
    if how == 0:
        return dice.rest().decode("latin-1")
    if how == 1:
        return text
    if how == 2:
        return text[:place]
    if how == 3:
        return text + dice.pick(("=", "==", "====", "A", "AAAA", "\n", " ", "\x00", "é", "\ud800", text))
    if how == 4:
        return text[:place] + chr(dice.below(256)) + text[place + 1 :]
    if how == 5:
        return text.replace("-", "+").replace("_", "/") if dice.below(2) else text.swapcase()
    if how == 6:  # the head of one, the seal of another
        return text[:place] + dice.pick(genuine)[place:]
    if how == 7:
        return text[:place] + dice.pick((" ", "\r\n", "=", "-")) + text[place:]
    bits = bytearray(text.encode("latin-1"))
    bits[place % len(bits)] ^= 1 << dice.below(8)
    return bits.decode("latin-1")


def waiting(data: bytes) -> None:
    """The waiting room: a number not given counts as none, one lets in once, no more come in than may."""
    dice = Dice(data)
    burst, per_s = 1 + dice.below(4), 1 + dice.below(5)
    room, now, let_in = WaitingRoom(burst, per_s, most=6), NOW, 0
    given: list[str] = []
    entered: set[str | None] = set()
    while dice:
        now += dice.pick((0, 1, 200, 1_000, 60_000, 3_600_001))
        sent = altered(dice, given) if given and dice.below(3) else None
        fresh = (
            sent in given and sent not in entered and int(sent.partition("-")[0]) >= (now - VALID_MS) * 1000
        )
        try:
            place = room.come(KEY, sent, now)
        except OverflowError:
            assert len(room) == 6 and not fresh
            continue
        if place is None:
            let_in += 1
            assert fresh or len(room) == 0, "whoever has no good number is behind all who wait"
            entered |= {sent} if fresh else set()
        else:
            assert place.ahead >= 0 and place.wait_s > 0
            assert (place.number == sent) == fresh, "a number that is good is kept, any other is not"
            given += [] if fresh else [place.number]
        assert len(room) <= 6
    assert let_in <= burst + (now - NOW) * per_s / 1000 + 1


# Targets: what is kept


def block(data: bytes) -> None:
    """`records.decode` of a payload that no room wrote, or whose columns do not fit together."""
    dice = Dice(data)
    try:
        found = records.decode(dice.rest() if dice.below(4) == 0 else columns(dice))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    one_by_one, votes, joins = list(found), records.votes_of([found]), records.joins_of([found])
    assert len(one_by_one) == len(found.others) + len(votes.seq) + len(joins.at)
    batches = [
        one for one in one_by_one[: len(one_by_one) - len(found.others)] if isinstance(one, BatchRecord)
    ]
    assert sum(len(one.votes) for one in batches) == len(votes.value) == int(votes.count.sum())


def columns(dice: Dice) -> bytes:
    """A payload of almost the right shape: columns of almost the same length."""
    joins, batches = dice.below(3), dice.below(3)
    counts = dice.take(batches).translate(bytes(place % 4 for place in range(256)))
    votes, wide = sum(counts), dice.pick((4, 8))
    sizes = (
        (4 * joins, 8 * joins, joins, 4 * joins),
        (4 * batches, 8 * batches, 8 * batches, -1, wide * votes, votes),
    )
    made = [[counts if size < 0 else bytes(max(0, size + slip(dice))) for size in part] for part in sizes]
    return msgspec.msgpack.encode(
        [*made, dice.pick(([], [[1, 0, 0, "fr"]], [[2, 0, 1, NOW, [[0, 1]]]], [None], [[3]]))]
    )


def slip(dice: Dice) -> int:
    """By how much a length is wrong: not at all most of the time."""
    return dice.pick((0,) * 28 + (1, -1, 4, 8))


def segment(data: bytes) -> None:
    """The reading of a journal: of what was written, all that was not touched, and nothing else."""
    dice = Dice(data)
    head = b"ESSAIMJ1" + MARKER
    written = [dice.take(dice.below(40)) for _ in range(dice.below(6))]
    file, places = bytearray(head + struct.pack(">I", zlib.crc32(head))), []
    for payload in written:
        length = struct.pack(">I", len(payload))
        start = len(file)
        file += _BLOCK.pack(MARKER, len(payload), zlib.crc32(payload, zlib.crc32(length))) + payload
        places.append((start, len(file)))
    touched: set[int] = set()
    for _ in range(dice.below(4)):
        place = dice.below(len(file))
        file[place] ^= 1 + dice.below(255)
        touched.add(place)
    end = len(file) - dice.below(30) if dice.below(3) == 2 else len(file)
    raw = bytes(file[:end])
    marker = journal.marker(raw)
    found = journal.Scan(marker, journal.HEADER, len(raw))
    read = [bytes(one) for one in journal.walk(raw, journal.HEADER, 0, found)] if marker == MARKER else []
    whole = [
        payload
        for payload, (start, stop) in zip(written, places, strict=True)
        if stop <= end and not touched & set(range(start, stop))
    ]
    first = range(journal.HEADER, journal.HEADER + len(MARKER))
    if marker != MARKER:
        assert touched & set(range(journal.HEADER)) or end < journal.HEADER
        assert marker == b"" or touched & set(first), "its damaged marker is taken for that of the segment"
    else:
        assert found.good_end <= len(raw)
        assert in_order(whole, read) and in_order(read, written)


def in_order(few: Sequence[bytes], many: Sequence[bytes]) -> bool:
    """Say whether all of `few` are met in `many`, in the same order."""
    left = iter(many)
    return all(one in left for one in few)


def raw_segment(data: bytes) -> None:
    """The reading of a journal that nobody wrote."""
    marker = journal.marker(data)
    if marker:
        found = journal.Scan(marker, journal.HEADER, len(data))
        list(journal.walk(data, journal.HEADER, 0, found))
        assert journal.HEADER <= found.good_end <= len(data)
