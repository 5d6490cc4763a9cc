"""Who acts: a member of one organisation, with a role. Built by `people.access` from the login, passed to every action as `by`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a member may do in their organisation. An owner may do everything."""

    OWNER = "owner"
    SPONSOR = "sponsor"
    FACILITATOR = "facilitator"
    PEER = "peer"
    OBSERVER = "observer"


EVERYONE = frozenset(Role)


@dataclass(frozen=True)
class Actor:
    """One person acting in one organisation (or the product itself: `member_id` is then None)."""

    organisation_id: str
    role: Role
    name: str
    member_id: str | None = None
    user_id: int | None = None

    def may(self, *roles: Role) -> bool:
        return self.role is Role.OWNER or self.role in roles


def system(organisation_id: str) -> Actor:
    """The product acting by itself in an organisation (imports, demo, jobs)."""
    return Actor(organisation_id=organisation_id, role=Role.OWNER, name="Essaim")
