"""The invitation codes of a session: nowhere stored, they follow from the key of its room."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.conf import settings

from essaim.listen.sessions.models import Session
from essaim.listen.sessions.queries.room import FLOOR
from essaim.live import invitations
from essaim.live.errors import KeyDestroyedError
from essaim.live.store import shared_store


@dataclass(frozen=True)
class Card:
    """One invitation: its number on the list, its code, the address that brings the code along."""

    number: int
    code: str
    address: str


def cards(session: Session, join_url: str, first: int = 0, last: int | None = None) -> Iterator[Card]:
    """Give the invitations `first` to `last` (not included); none once the session has ended for good."""
    try:
        key = shared_store(settings.LIVE_STORE).key(session.id)
    except KeyDestroyedError:
        return
    for index in range(first, session.codes if last is None else min(last, session.codes)):
        code = invitations.write(key, index)
        # Behind the hash the code is not sent with the request: no log of a server or of a proxy holds it.
        yield Card(index + 1, code, f"{join_url}#code={code}")


def used(session: Session) -> int | None:
    """Count the codes that were used; None below five, where a count could tell who came."""
    count = shared_store(settings.LIVE_STORE).burnt(session.id)
    return count if count >= FLOOR else None
