"""What we know of an organisation: members, units, invitations, history. Pure reads, frozen answers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db.models import Count, Q
from django.utils.translation import gettext as _

from essaim.base.actor import Actor, Role
from essaim.base.errors import Forbidden, NotFound
from essaim.base.models import AuditEntry
from essaim.people.models import ROLE_LABELS, Invitation, Member, Organisation, Unit


@dataclass(frozen=True)
class MemberRow:
    """A member. `email` is shown to owners only (empty otherwise)."""

    id: str
    name: str
    email: str
    role: Role
    unit_id: str
    unit: str
    joined_at: datetime
    left_at: datetime | None
    is_me: bool

    @property
    def role_label(self) -> str:
        return str(ROLE_LABELS[self.role])


@dataclass(frozen=True)
class UnitNode:
    """A unit and its parts. `members` counts those directly in it, `members_below` those in its parts too."""

    id: str
    number: int
    name: str
    parent_id: str
    headcount: int | None
    depth: int
    members: int
    members_below: int
    parts: tuple[UnitNode, ...]

    @property
    def people(self) -> int | None:
        """Its headcount, else the sum of its parts' (None when nothing is known)."""
        if self.headcount is not None:
            return self.headcount
        known = [part.people for part in self.parts if part.people is not None]
        return sum(known) if known else None

    def walk(self) -> Iterator[UnitNode]:
        """This unit, then everything under it, in reading order."""
        yield self
        for part in self.parts:
            yield from part.walk()


@dataclass(frozen=True)
class InvitationRow:
    """An invitation that is neither accepted nor cancelled."""

    id: str
    email: str
    role: Role
    unit: str
    invited_by: str
    created_at: datetime
    expires_at: datetime
    expired: bool

    @property
    def role_label(self) -> str:
        return str(ROLE_LABELS[self.role])


@dataclass(frozen=True)
class OrganisationCard:
    """The organisation one works in, in a few numbers."""

    id: str
    name: str
    slug: str
    language: str
    created_at: datetime
    members: int
    owners: int
    units: int


def organisation(*, by: Actor) -> OrganisationCard:
    """Return the organisation of the actor."""
    found = Organisation.objects.get(id=by.organisation_id)
    counts = (
        Member.objects.of(by)
        .filter(left_at=None)
        .aggregate(members=Count("id"), owners=Count("id", filter=Q(role=Role.OWNER)))
    )
    return OrganisationCard(
        id=found.id,
        name=found.name,
        slug=found.slug,
        language=found.language,
        created_at=found.created_at,
        members=counts["members"],
        owners=counts["owners"],
        units=Unit.objects.of(by).filter(removed_at=None).count(),
    )


def members(
    *, by: Actor, text: str = "", role: Role | None = None, unit_id: str = "", gone: bool = False
) -> tuple[MemberRow, ...]:
    """Return the members present (or gone) by name, filtered by a text in their name, a role, a unit."""
    rows = Member.objects.of(by).filter(left_at__isnull=not gone).select_related("user", "unit")
    for word in text.split():
        matches = Q(name__icontains=word)
        if by.role is Role.OWNER:
            matches |= Q(user__email__icontains=word)
        rows = rows.filter(matches)
    if role is not None:
        rows = rows.filter(role=role)
    if unit_id:
        rows = rows.filter(unit_id=unit_id, unit__removed_at=None)
    return tuple(_member_row(member, by) for member in rows.order_by("name", "id"))


def member(*, member_id: str, by: Actor) -> MemberRow:
    """Return one member, present or gone.

    Raises:
        NotFound: nobody by that id in the actor's organisation.
    """
    found = Member.objects.of(by).filter(id=member_id).select_related("user", "unit").first()
    if found is None:
        raise NotFound("member", _("There is no such member in your organisation."))
    return _member_row(found, by)


def _member_row(member: Member, by: Actor) -> MemberRow:
    unit = member.unit if member.unit is not None and member.unit.removed_at is None else None
    is_me = member.id == by.member_id
    return MemberRow(
        id=member.id,
        name=member.name,
        email=member.user.email if by.role is Role.OWNER or is_me else "",
        role=Role(member.role),
        unit_id=unit.id if unit else "",
        unit=unit.name if unit else "",
        joined_at=member.joined_at,
        left_at=member.left_at,
        is_me=is_me,
    )


def units(*, by: Actor) -> tuple[UnitNode, ...]:
    """Return the top units of the organisation, each with its parts, by name."""
    present = Q(members__left_at=None)
    rows = list(
        Unit.objects.of(by)
        .filter(removed_at=None)
        .annotate(present=Count("members", filter=present & Q(members__isnull=False)))
        .order_by("name", "id")
    )
    known = {unit.id for unit in rows}
    parts: dict[str, list[Any]] = defaultdict(list)
    for unit in rows:
        parts[unit.parent_id if unit.parent_id in known else ""].append(unit)
    return tuple(_node(unit, parts, 0) for unit in parts[""])


def _node(unit: Any, parts: dict[str, list[Any]], depth: int) -> UnitNode:
    below = tuple(_node(part, parts, depth + 1) for part in parts.get(unit.id, ()))
    return UnitNode(
        id=unit.id,
        number=unit.number,
        name=unit.name,
        parent_id=unit.parent_id or "",
        headcount=unit.headcount,
        depth=depth,
        members=unit.present,
        members_below=unit.present + sum(part.members_below for part in below),
        parts=below,
    )


def unit_list(*, by: Actor) -> tuple[UnitNode, ...]:
    """Return every unit in reading order (a unit, then its parts)."""
    return tuple(node for top in units(by=by) for node in top.walk())


def unit(*, unit_id: str, by: Actor) -> UnitNode:
    """Return one unit with its parts.

    Raises:
        NotFound: no such unit in the actor's organisation, or it was removed.
    """
    for node in unit_list(by=by):
        if node.id == unit_id:
            return node
    raise NotFound("unit", _("There is no such unit in your organisation."))


def unit_choices(*, by: Actor) -> list[tuple[str, str]]:
    """Return (id, indented name) of every unit, for a list to choose from."""
    return [(node.id, "\u00a0\u00a0\u00a0" * node.depth + node.name) for node in unit_list(by=by)]


def invitations(*, by: Actor, now: datetime) -> tuple[InvitationRow, ...]:
    """Return the invitations still open or expired, latest first.

    Raises:
        Forbidden: the actor is not an owner.
    """
    if by.role is not Role.OWNER:
        raise Forbidden("role", _("Only an owner of your organisation can see the invitations."))
    rows = Invitation.objects.of(by).filter(accepted_at=None, revoked_at=None).select_related("unit")
    return tuple(
        InvitationRow(
            id=row.id,
            email=row.email,
            role=Role(row.role),
            unit=row.unit.name if row.unit is not None and row.unit.removed_at is None else "",
            invited_by=row.invited_by,
            created_at=row.created_at,
            expires_at=row.expires_at,
            expired=row.expires_at <= now,
        )
        for row in rows.order_by("-created_at", "email")
    )


@dataclass(frozen=True)
class HistoryRow:
    """One thing that was done: when, by whom, which action, on which object (`kind:id`), with details."""

    at: datetime
    member_name: str
    verb: str
    subject: str
    details: dict[str, Any]


@dataclass(frozen=True)
class HistoryPage:
    """A page of the history, newest first, and the verbs and names that can be filtered on."""

    rows: tuple[HistoryRow, ...]
    total: int
    page: int
    pages: int
    verbs: tuple[str, ...]
    names: tuple[str, ...]


def history(
    *,
    by: Actor,
    verb: str = "",
    name: str = "",
    subject: str = "",
    since: date | None = None,
    until: date | None = None,
    page: int = 1,
    size: int = 50,
) -> HistoryPage:
    """Return what was done, filtered by verb, name of member, object and days (both included, local time).

    Raises:
        Forbidden: the actor is not an owner.
    """
    if by.role is not Role.OWNER:
        raise Forbidden("role", _("Only an owner of your organisation can read its history."))
    everything = AuditEntry.objects.of(by)
    rows = everything
    if verb:
        rows = rows.filter(verb=verb)
    if name:
        rows = rows.filter(member_name=name)
    if subject:
        rows = rows.filter(subject=subject)
    if since:
        rows = rows.filter(at__date__gte=since)
    if until:
        rows = rows.filter(at__date__lte=until)
    total = rows.count()
    pages = max(1, -(-total // size))
    page = min(max(1, page), pages)
    shown = rows.order_by("-at", "-id")[(page - 1) * size : page * size]
    return HistoryPage(
        rows=tuple(
            HistoryRow(
                at=row.at,
                member_name=row.member_name,
                verb=row.verb,
                subject=row.subject,
                details=row.details,
            )
            for row in shown
        ),
        total=total,
        page=page,
        pages=pages,
        verbs=tuple(everything.order_by("verb").values_list("verb", flat=True).distinct()),
        names=tuple(everything.order_by("member_name").values_list("member_name", flat=True).distinct()),
    )


def unit_names(organisation_id: str) -> list[tuple[int, str]]:
    """Return (number, name) of every unit of an organisation, by name: the choices in a live session."""
    rows = Unit.objects.filter(organisation_id=organisation_id, removed_at=None).order_by("name", "number")
    return [(number, name) for number, name in rows.values_list("number", "name")]
