"""Members: their role, their unit, their coming and going. An organisation is never left without an owner."""

from __future__ import annotations

from datetime import datetime

from django.utils.translation import gettext as _

from essaim.base.actions import Done, action
from essaim.base.actor import EVERYONE, Actor, Role
from essaim.base.errors import Conflict, NotFound, Refused
from essaim.base.evidence import address
from essaim.people.actions.organisations import cleaned_name
from essaim.people.actions.units import find_unit
from essaim.people.models import Member


def find_member(member_id: str, by: Actor, *, gone: bool = False) -> Member:
    """Return a present (or gone) member of the actor's organisation, or raise NotFound."""
    member: Member | None = (
        Member.objects.of(by).select_for_update().filter(id=member_id, left_at__isnull=not gone).first()
    )
    if member is None:
        raise NotFound("member", _("There is no such member in your organisation."))
    return member


def cleaned_role(role: str) -> Role:
    """Return the role by that name, or raise Refused."""
    try:
        return Role(role)
    except ValueError:
        raise Refused("role", _("Choose a role in the list."), field="role") from None


def _keep_an_owner(member: Member, by: Actor) -> None:
    """Refuse what would take the last owner away (owners are locked: two cannot leave at once)."""
    owners = list(
        Member.objects.of(by).select_for_update().filter(role=Role.OWNER, left_at=None).order_by("id")
    )
    if [owner.id for owner in owners] == [member.id]:
        raise Conflict(
            "last-owner",
            _("%(name)s is the only owner. Make somebody else an owner first.") % {"name": member.name},
        )


@action("member.role", may=[])
def change_role(*, member_id: str, role: str, by: Actor, now: datetime) -> Done[Member]:
    """Give a member another role.

    Raises:
        Conflict: they are the only owner. NotFound: not a member. Refused: no such role.
    """
    new = cleaned_role(role)
    member = find_member(member_id, by)
    if new is not Role.OWNER:
        _keep_an_owner(member, by)
    details = {"role": {"from": member.role, "to": new.value}}
    member.role = new.value
    member.save(update_fields=["role"])
    return Done(member, subject=address("member", member.id), details=details)


@action("member.unit", may=[])
def set_unit(*, member_id: str, unit_id: str, by: Actor, now: datetime) -> Done[Member]:
    """Put a member in a unit (empty: in none).

    Raises:
        NotFound: the member or the unit is not in this organisation.
    """
    member = find_member(member_id, by)
    member.unit = find_unit(unit_id, by, field="unit_id") if unit_id else None
    member.save(update_fields=["unit"])
    details = {"unit": member.unit.name if member.unit else ""}
    return Done(member, subject=address("member", member.id), details=details)


@action("member.remove", may=[])
def remove_member(*, member_id: str, by: Actor, now: datetime) -> Done[Member]:
    """Take a member out of the organisation: they lose access at once, what they did stays.

    Raises:
        Conflict: they are the only owner. NotFound: not a member.
    """
    member = find_member(member_id, by)
    _keep_an_owner(member, by)
    member.left_at = now
    member.save(update_fields=["left_at"])
    return Done(member, subject=address("member", member.id), details={"role": member.role})


@action("member.restore", may=[])
def restore_member(*, member_id: str, by: Actor, now: datetime) -> Done[Member]:
    """Undo the removal of a member: same role, same unit.

    Raises:
        NotFound: nobody gone by that id.
    """
    member = find_member(member_id, by, gone=True)
    member.left_at = None
    member.save(update_fields=["left_at"])
    return Done(member, subject=address("member", member.id), details={"role": member.role})


@action("member.leave", may=EVERYONE)
def leave(*, by: Actor, now: datetime) -> Done[Member]:
    """Leave the organisation by oneself.

    Raises:
        Conflict: one is the only owner. NotFound: the product itself cannot leave.
    """
    member = find_member(by.member_id or "", by)
    _keep_an_owner(member, by)
    member.left_at = now
    member.save(update_fields=["left_at"])
    return Done(member, subject=address("member", member.id))


@action("member.profile", may=EVERYONE)
def update_profile(*, name: str, unit_id: str, by: Actor, now: datetime) -> Done[Member]:
    """Change one's own name and unit in this organisation (empty: no unit).

    Raises:
        Refused: the name is missing. NotFound: the unit is not in this organisation.
    """
    member = find_member(by.member_id or "", by)
    member.name = cleaned_name(name)
    member.unit = find_unit(unit_id, by, field="unit_id") if unit_id else None
    member.save(update_fields=["name", "unit"])
    return Done(member, subject=address("member", member.id))
