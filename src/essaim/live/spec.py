"""What the facilitators decided about a room; with the journal, it makes the room."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final, Literal, TypeVar

import msgspec

from essaim.live.invitations import MOST
from essaim.live.plan import Plan

FIRST_CONTRIBUTION: Final = 100_000
REASON: Final = "reason"
"""The kind of a text that explains a rating: kept and shown, never put to the vote."""

Text = dict[str, str]
Privacy = Literal["anonymous", "pseudonymous", "identified"]
Moderation = Literal["after", "before"]

_ROOM = re.compile(r"[A-Za-z0-9_-]{1,64}")
_CODE = re.compile(r"[A-Za-z0-9-]{2,32}")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")
_LARGEST = 2**31 - 1
_Id = TypeVar("_Id", int, str)


class SpecError(ValueError):
    """A room specification that cannot be used; the message says which field and why."""


class Kind(msgspec.Struct, frozen=True):
    """A kind of contribution, e.g. problem, cause, idea, strength."""

    id: str
    label: Text


class FrameItem(msgspec.Struct, frozen=True):
    """A place in the frame (a tree of dimensions or processes); `rated` items are rated on every scale."""

    id: int
    parent: int | None
    label: str
    rated: bool


class Scale(msgspec.Struct, frozen=True):
    """A scale of the assessment grid; values are the whole numbers 1 to `top`."""

    id: str
    label: Text
    low: Text
    high: Text
    top: int = 5


class Unit(msgspec.Struct, frozen=True):
    """A unit of the organisation that a participant may say to belong to."""

    id: int
    label: str


class Seed(msgspec.Struct, frozen=True):
    """A statement put by the facilitators before the session, 0 <= id < 100 000."""

    id: int
    text: str
    item: int | None = None
    kind: str | None = None
    shown: bool = True


class RoomSpec(msgspec.Struct, frozen=True):
    """Everything decided about a room; `rev` grows with each change, an older one never replaces a newer."""

    room: str
    number: int
    code: str
    rev: int
    title: str
    question: str
    lang: Literal["fr", "en"]
    privacy: Privacy
    plan: Plan
    kinds: tuple[Kind, ...] = ()
    frame: tuple[FrameItem, ...] = ()
    scales: tuple[Scale, ...] = ()
    units: tuple[Unit, ...] = ()
    seeds: tuple[Seed, ...] = ()
    moderation: Moderation = "after"
    shown: tuple[int, ...] = ()
    hidden: tuple[int, ...] = ()
    compare_ideas: bool = True
    codes: int | None = None
    """How many invitation codes there are; None: anybody may come in."""
    public_url: str = ""


_FRAME: Final = (
    "room", "code", "title", "question", "lang", "privacy",
    "kinds", "frame", "scales", "units", "compare_ideas",
)  # fmt: skip
_decoder = msgspec.json.Decoder(RoomSpec)
_encoder = msgspec.json.Encoder(order="deterministic")


def encode(spec: RoomSpec) -> bytes:
    """Give the JSON of a valid specification (UTF-8); raises SpecError like `decode`."""
    _check(spec)
    return _encoder.encode(spec)


def decode(data: bytes) -> RoomSpec:
    """Read a specification from JSON; raises SpecError that says what is wrong and where."""
    try:
        spec = _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SpecError(f"not a room specification: {error}") from error
    _check(spec)
    return spec


def frame_of(spec: RoomSpec) -> bytes:
    """Give the JSON of what does not move during a session."""
    frame = {name: getattr(spec, name) for name in _FRAME}
    return msgspec.json.encode(frame | {"by_invitation": spec.codes is not None})


def is_room(name: str) -> bool:
    """Say whether `name` may be a room's identifier (it is also the name of its folder and of its cookie)."""
    return _ROOM.fullmatch(name) is not None


def _check(spec: RoomSpec) -> None:
    if not is_room(spec.room):
        raise SpecError("room: 1 to 64 letters, digits, _ or -")
    if not 0 <= spec.number < 2**32:
        raise SpecError("number: does not fit 32 bits")
    if not _CODE.fullmatch(spec.code):
        raise SpecError("code: 2 to 32 letters, digits or -")
    if spec.rev < 0 or spec.plan.rev < 0:
        raise SpecError("rev: cannot be negative")
    if spec.codes is not None and not 0 <= spec.codes <= MOST:
        raise SpecError(f"codes: between 0 and {MOST}")
    if spec.codes is not None and spec.privacy == "identified":
        raise SpecError("codes: an identified room lets its members in by their passes")
    _check_plan(spec.plan)
    _check_labels(spec)
    items = _unique("frame", [item.id for item in spec.frame])
    kinds = _unique("kinds", [kind.id for kind in spec.kinds])
    _unique("scales", [scale.id for scale in spec.scales])
    _unique("units", [unit.id for unit in spec.units])
    _unique("seeds", [seed.id for seed in spec.seeds])
    for number in (*items, *(unit.id for unit in spec.units)):
        if not 0 <= number <= _LARGEST:
            raise SpecError(f"frame, units: id {number} is not between 0 and {_LARGEST}")
    _check_tree(spec.frame)
    for scale in spec.scales:
        if not 2 <= scale.top <= 100:
            raise SpecError(f"scales: {scale.id}: top must be between 2 and 100")
    for seed in spec.seeds:
        if not 0 <= seed.id < FIRST_CONTRIBUTION:
            raise SpecError(f"seeds: id {seed.id} is not between 0 and {FIRST_CONTRIBUTION - 1}")
        if not seed.text.strip():
            raise SpecError(f"seeds: {seed.id} has no text")
        if seed.item is not None and seed.item not in items:
            raise SpecError(f"seeds: {seed.id} is in item {seed.item}, which is not in the frame")
        if seed.kind is not None and seed.kind != REASON and seed.kind not in kinds:
            raise SpecError(f"seeds: {seed.id} is of kind {seed.kind}, which is not among the kinds")


def _check_labels(spec: RoomSpec) -> None:
    labels = [(f"kinds: {kind.id}", kind.label) for kind in spec.kinds]
    for scale in spec.scales:
        labels += [(f"scales: {scale.id}", text) for text in (scale.label, scale.low, scale.high)]
    for where, label in labels:
        if not label:
            raise SpecError(f"{where}: a text in at least one language is needed")
    for name in (*(kind.id for kind in spec.kinds), *(scale.id for scale in spec.scales)):
        if not _NAME.fullmatch(name):
            raise SpecError(f"kinds, scales: {name!r} is not 1 to 40 letters, digits, _ or -")


def _check_plan(plan: Plan) -> None:
    before: int | None = None
    for window in plan.phases:
        if window.minutes < 0:
            raise SpecError(f"plan: {window.name}: minutes cannot be negative")
        if window.starts_at is None:
            if window.ends_at is not None:
                raise SpecError(f"plan: {window.name} ends without a start")
            continue
        if before is not None and window.starts_at < before:
            raise SpecError(f"plan: {window.name} starts before the phase ahead of it ends")
        if window.ends_at is not None and window.ends_at < window.starts_at:
            raise SpecError(f"plan: {window.name} ends before it starts")
        before = window.ends_at if window.ends_at is not None else window.starts_at


def _check_tree(frame: Sequence[FrameItem]) -> None:
    parents = {item.id: item.parent for item in frame}
    settled: set[int] = set()
    for item in frame:
        path: list[int] = []
        here: int | None = item.id
        while here is not None and here not in settled:
            if here in path:
                raise SpecError(f"frame: item {here} is inside itself")
            path.append(here)
            parent = parents[here]
            if parent is not None and parent not in parents:
                raise SpecError(f"frame: item {here} has parent {parent}, which is not in the frame")
            here = parent
        settled.update(path)


def _unique(where: str, ids: Iterable[_Id]) -> set[_Id]:
    seen: set[_Id] = set()
    for one in ids:
        if one in seen:
            raise SpecError(f"{where}: id {one!r} appears twice")
        seen.add(one)
    return seen
