"""From bytes to checked entries: decode a join, a batch or a form, and refuse each bad entry by itself."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

import msgspec

from essaim.live.problems import RefusalError
from essaim.live.records import RETRACTED
from essaim.live.spec import REASON

MOST_VOTES: Final = 50
MOST_RATINGS: Final = 50
MOST_IDEAS: Final = 5
LARGEST_SEQ: Final = 2**53 - 1
_MARK = re.compile(r"[A-Za-z0-9_-]{8,64}")


class Refused(msgspec.Struct, frozen=True, gc=False):
    """One entry that was not taken: which list, which place in it, why."""

    what: str
    index: int
    code: str


class JoinRequest(msgspec.Struct, frozen=True):
    """The body of a join."""

    lang: str | None = None
    unit: int | None = None
    name: str | None = None
    token: str | None = msgspec.field(default=None, name="pass")
    waiting: str | None = None
    code: str | None = None
    mark: str | None = None


class _Batch(msgspec.Struct, frozen=True):
    seq: int
    votes: list[Any] = []
    ratings: list[Any] = []
    ideas: list[Any] = []


class _PlainBatch(msgspec.Struct, frozen=True, gc=False):
    """The batch almost everybody sends: votes that are whole and nothing that needs a second look."""

    seq: int
    votes: list[tuple[int, Annotated[int, msgspec.Meta(ge=-1, le=1)]]] = []
    ratings: tuple[()] = ()
    ideas: tuple[()] = ()


class Idea(msgspec.Struct, frozen=True):
    """A contribution as sent; `id` is made by the client."""

    id: str
    text: str
    item: int | None = None
    kind: str | None = None
    re: int | None = None


class Ballot(msgspec.Struct, gc=False):
    """The entries of a batch that are well formed, and the refused ones.

    Ratings and ideas carry their place in the batch; `places` those of the votes (None: 0, 1, 2, …).
    """

    seq: int
    votes: list[tuple[int, int]]
    ratings: list[tuple[int, int, str, int]]
    ideas: list[tuple[int, Idea]]
    refused: list[Refused]
    places: list[int] | None = None


_plain_batches = msgspec.json.Decoder(_PlainBatch)
_batches = msgspec.json.Decoder(_Batch)
_joins = msgspec.json.Decoder(JoinRequest)


def read_join(body: bytes) -> JoinRequest:
    """Decode the body of a join, or raise the refusal `malformed`."""
    try:
        return _joins.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RefusalError("malformed", str(error)) from None


def read_batch(body: bytes) -> Ballot:
    """Decode a batch: votes as (index, statement, value), ratings as (index, item, scale, value), ideas.

    Raises the refusal `malformed` when the whole cannot be read; an entry that cannot be read is refused
    alone.
    """
    try:
        plain = _plain_batches.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass  # what is wrong, and whether all of it is, is said by the closer look below
    else:
        votes = plain.votes
        if 0 <= plain.seq <= LARGEST_SEQ and len(votes) <= MOST_VOTES and len(dict(votes)) == len(votes):
            return Ballot(plain.seq, votes, [], [], [])
    try:
        batch = _batches.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RefusalError("malformed", str(error)) from None
    if not 0 <= batch.seq <= LARGEST_SEQ:
        raise RefusalError("malformed", f"seq must be between 0 and {LARGEST_SEQ}")
    for name, entries, most in (
        ("votes", batch.votes, MOST_VOTES),
        ("ratings", batch.ratings, MOST_RATINGS),
        ("ideas", batch.ideas, MOST_IDEAS),
    ):
        if len(entries) > most:
            raise RefusalError("malformed", f"{name}: {len(entries)} entries, at most {most} in one batch")
    return _checked(batch.seq, batch.votes, batch.ratings, batch.ideas)


def _checked(seq: int, votes: list[Any], ratings: list[Any], ideas: list[Any]) -> Ballot:
    refused: list[Refused] = []
    chosen = _votes(votes, refused)
    pairs, places = [(number, value) for _, number, value in chosen], [place for place, _, _ in chosen]
    return Ballot(seq, pairs, _ratings(ratings, refused), _ideas(ideas, refused), refused, places)


def _votes(entries: list[Any], refused: list[Refused]) -> list[tuple[int, int, int]]:
    votes: dict[int, tuple[int, int, int]] = {}
    for index, entry in enumerate(entries):
        # type() and not isinstance(): true and false are integers to Python.
        if type(entry) is not list or len(entry) != 2 or type(entry[0]) is not int:
            refused.append(Refused("votes", index, "malformed"))
        elif entry[1] is None:
            votes[entry[0]] = (index, entry[0], RETRACTED)
        elif type(entry[1]) is int and -1 <= entry[1] <= 1:
            votes[entry[0]] = (index, entry[0], entry[1])
        else:
            refused.append(Refused("votes", index, "bad-value"))
    return list(votes.values())


def _ratings(entries: list[Any], refused: list[Refused]) -> list[tuple[int, int, str, int]]:
    ratings: dict[tuple[int, str], tuple[int, int, str, int]] = {}
    for index, entry in enumerate(entries):
        if (
            type(entry) is not list
            or len(entry) != 3
            or type(entry[0]) is not int
            or type(entry[1]) is not str
            or type(entry[2]) is not int
        ):
            refused.append(Refused("ratings", index, "malformed"))
        else:
            ratings[entry[0], entry[1]] = (index, entry[0], entry[1], entry[2])
    return list(ratings.values())


def _ideas(entries: list[Any], refused: list[Refused]) -> list[tuple[int, Idea]]:
    ideas: dict[str, tuple[int, Idea]] = {}
    for index, entry in enumerate(entries):
        try:
            idea = msgspec.convert(entry, Idea)
        except msgspec.ValidationError:
            refused.append(Refused("ideas", index, "malformed"))
            continue
        if not _MARK.fullmatch(idea.id):
            refused.append(Refused("ideas", index, "bad-id"))
        else:
            ideas.setdefault(idea.id, (index, idea))
    return list(ideas.values())


def read_form(action: str, form: dict[str, str], seq: int) -> Ballot:
    """Read one form of the page without JavaScript as a batch of its own, checked like any other.

    vote: sid, value (1, 0, -1, or empty to take it back). idea: id, text, item, kind, re. rate: item, and
    either scale and value, or a field `scale-<id>` for each scale rated; id and text when a reason is given.
    """
    votes: list[list[Any]] = []
    ratings: list[list[Any]] = []
    ideas: list[Any] = []
    if action == "vote":
        value = form.get("value", "")
        votes = [[_whole(form.get("sid")), _whole(value) if value else None]]
    elif action == "rate":
        item = _whole(form.get("item"))
        if "scale" in form:
            ratings.append([item, form["scale"], _whole(form.get("value"))])
        for name, value in form.items():
            if name.startswith("scale-") and value:
                ratings.append([item, name.removeprefix("scale-"), _whole(value)])
        if form.get("text", "").strip():
            ideas = [{"id": form.get("id", ""), "text": form["text"], "kind": REASON, "item": item}]
    else:
        idea = {"id": form.get("id", ""), "text": form.get("text", ""), "kind": form.get("kind") or None}
        ideas = [idea | {name: _whole(form[name]) for name in ("item", "re") if form.get(name)}]
    return _checked(seq, votes, ratings, ideas)


def _whole(text: str | None) -> int | str | None:
    """Give the whole number of a form field; anything else stays what it is and is refused as such."""
    return int(text) if text is not None and re.fullmatch(r"-?\d{1,15}", text) else text
