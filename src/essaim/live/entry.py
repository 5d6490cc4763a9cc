"""Who may come in, and as whom: what a join says is checked here, before anything is changed."""

from __future__ import annotations

from collections.abc import Container

import msgspec

from essaim.live import invitations, tickets
from essaim.live.ballots import JoinRequest
from essaim.live.problems import RefusalError
from essaim.live.records import LANGUAGES
from essaim.live.spec import RoomSpec
from essaim.live.text import LONGEST_NAME, TextError, clean


class Entry(msgspec.Struct, frozen=True):
    """What is known of somebody who comes in. `subject`: of a member, the same for ever."""

    lang: str
    unit: int | None
    name: str | None
    subject: str | None


class Invitation(msgspec.Struct, frozen=True):
    """A good code, by its index, and the mark of the phone that brought it."""

    index: int
    mark: str


def check(request: JoinRequest, spec: RoomSpec, units: Container[int], key: bytes | None, now: int) -> Entry:
    """Read a join, or refuse it; without a key there is no ticket to give."""
    if key is None:
        raise RefusalError("ended")
    lang = request.lang or spec.lang
    if lang not in LANGUAGES:
        raise RefusalError("malformed", f"lang must be one of {', '.join(LANGUAGES)}")
    if request.unit is not None and request.unit not in units:
        raise RefusalError("unknown-unit")
    name = subject = None
    if spec.privacy == "identified":
        subject, name = _member(request.token, spec.room, key, now)
    elif spec.privacy == "pseudonymous":
        name = _name(request.name)
    return Entry(lang, request.unit, name, subject)


def invitation(request: JoinRequest, codes: int, key: bytes | None) -> Invitation:
    """Give the invitation that a join brings to a room of so many `codes`, or refuse it."""
    if not request.code:
        raise RefusalError("code-required")
    if key is None:
        raise RefusalError("ended")
    index = invitations.read(key, codes, request.code)
    if index is None:
        raise RefusalError("bad-code")
    if not request.mark or not invitations.is_mark(request.mark):
        raise RefusalError("malformed", "mark must be 16 to 64 letters, digits, - or _")
    return Invitation(index, request.mark)


def _member(token: str | None, room: str, key: bytes, now: int) -> tuple[str, str]:
    if not token:
        raise RefusalError("pass-required")
    try:
        member = tickets.check_pass(key, room, token, now)
    except tickets.TicketError as error:
        raise RefusalError(error.code) from None
    return member.subject, member.name


def _name(raw: str | None) -> str:
    try:
        return clean(raw or "", longest=LONGEST_NAME)
    except TextError as error:
        raise RefusalError("name-required" if error.code == "text-empty" else "name-too-long") from None
