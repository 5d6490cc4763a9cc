"""Invitations: sent by owners, valid 14 days, accepted with the token of the e-mail or by single sign-on."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from allauth.account.models import EmailAddress
from django.contrib.auth import get_user_model
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models.functions import Lower
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from essaim.base import audit, events
from essaim.base.actions import Done, action
from essaim.base.actor import Actor, Role
from essaim.base.errors import Conflict, Forbidden, NotFound, Refused
from essaim.base.evidence import address
from essaim.base.ids import new_id
from essaim.people import letters
from essaim.people.actions.members import cleaned_role
from essaim.people.actions.organisations import cleaned_name, make_account
from essaim.people.actions.units import find_unit
from essaim.people.models import Invitation, Member, Organisation
from essaim.people.paste import read_addresses

VALID_FOR = timedelta(days=14)
MAX_AT_ONCE = 500


@dataclass(frozen=True)
class Invited:
    """What became of the addresses: (address, link) invited, members already, not taken by the mail server.

    `undelivered` is filled once the transaction is committed: letters only leave then.
    """

    links: tuple[tuple[str, str], ...]
    already_members: tuple[str, ...]
    undelivered: list[str] = field(default_factory=list)


def hashed(token: str) -> str:
    """Return what the database keeps of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


@action("invitation.send", may=[])
def invite_members(
    *, emails: str, role: str, unit_id: str = "", site: str, by: Actor, now: datetime
) -> Done[Invited]:
    """Invite the pasted addresses, each by a letter in the organisation's language with a link valid 14 days.

    An address invited before gets a new link, the old one no longer works; members are left as they are.
    `site` is the address of the product, e.g. `https://essaim.example.org`.

    Raises:
        Refused: no address, something else than an address (nothing is sent then), too many.
        NotFound: no such unit.
    """
    chosen = cleaned_role(role)
    pasted = read_addresses(emails)
    if pasted.wrong:
        raise Refused(
            "bad-address",
            ngettext(
                "Nothing was sent: %(list)s is not an e-mail address.",
                "Nothing was sent: %(list)s are not e-mail addresses.",
                len(pasted.wrong),
            )
            % {"list": ", ".join(pasted.wrong[:5])},
            field="emails",
        )
    if not pasted.addresses:
        raise Refused("no-address", _("Write at least one e-mail address."), field="emails")
    if len(pasted.addresses) > MAX_AT_ONCE:
        raise Refused(
            "too-many", _("Invite at most %(max)d people at once.") % {"max": MAX_AT_ONCE}, field="emails"
        )
    unit = find_unit(unit_id, by, field="unit_id") if unit_id else None
    organisation = Organisation.objects.select_for_update().get(id=by.organisation_id)
    present = set(
        Member.objects.of(by)
        .filter(left_at=None)
        .annotate(low=Lower("user__email"))
        .values_list("low", flat=True)
    )
    invited = [address for address in pasted.addresses if address not in present]
    Invitation.objects.of(by).filter(email__in=invited, accepted_at=None, revoked_at=None).update(
        revoked_at=now
    )
    tokens = {email: secrets.token_urlsafe(32) for email in invited}
    rows = Invitation.objects.bulk_create(
        Invitation(
            id=new_id(now),
            organisation=organisation,
            email=email,
            role=chosen.value,
            unit=unit,
            token_hash=hashed(token),
            invited_by=by.name,
            created_at=now,
            expires_at=now + VALID_FOR,
        )
        for email, token in tokens.items()
    )
    links = tuple((email, f"{site.rstrip('/')}/invitations/{token}/") for email, token in tokens.items())
    result = Invited(links, tuple(address for address in pasted.addresses if address in present))
    language = organisation.language

    def send() -> None:
        result.undelivered.extend(
            letters.send_invitations(
                links,
                organisation=organisation.name,
                invited_by=by.name,
                role=chosen,
                expires_at=now + VALID_FOR,
                language=language,
            )
        )

    transaction.on_commit(send)
    details = {"role": chosen.value, "invitations": [row.id for row in rows]}
    return Done(result, subject=address("organisation", organisation.id), details=details)


def _own(invitation_id: str, by: Actor) -> Invitation:
    found: Invitation | None = Invitation.objects.of(by).select_for_update().filter(id=invitation_id).first()
    if found is None:
        raise NotFound("invitation", _("There is no such invitation in your organisation."))
    if found.accepted_at is not None:
        raise Conflict("invitation-used", _("This invitation has already been accepted."))
    return found


@action("invitation.revoke", may=[])
def revoke_invitation(*, invitation_id: str, by: Actor, now: datetime) -> Done[Invitation]:
    """Cancel an invitation: its link no longer works.

    Raises:
        NotFound: not of this organisation. Conflict: already accepted or cancelled.
    """
    invitation = _own(invitation_id, by)
    if invitation.revoked_at is not None:
        raise Conflict("invitation-revoked", _("This invitation is already cancelled."))
    invitation.revoked_at = now
    invitation.save(update_fields=["revoked_at"])
    return Done(invitation, subject=address("invitation", invitation.id))


@action("invitation.restore", may=[])
def restore_invitation(*, invitation_id: str, by: Actor, now: datetime) -> Done[Invitation]:
    """Undo the cancelling of an invitation: the link of the letter works again.

    Raises:
        NotFound: not of this organisation. Conflict: accepted, not cancelled, or replaced by a newer one.
    """
    invitation = _own(invitation_id, by)
    if invitation.revoked_at is None:
        raise Conflict("invitation-open", _("This invitation is not cancelled."))
    newer = Invitation.objects.of(by).filter(email=invitation.email, accepted_at=None, revoked_at=None)
    if newer.exists():
        raise Conflict("invitation-replaced", _("A newer invitation was sent to this address."))
    invitation.revoked_at = None
    invitation.save(update_fields=["revoked_at"])
    return Done(invitation, subject=address("invitation", invitation.id))


def open_invitation(*, token: str, now: datetime) -> Invitation:
    """Return the invitation that a token opens.

    Raises:
        NotFound: no such token. Conflict: used, cancelled or expired; each says what to do.
    """
    invitation: Invitation | None = (
        Invitation.objects.select_related("organisation", "unit").filter(token_hash=hashed(token)).first()
    )
    if invitation is None:
        raise NotFound(
            "invitation-unknown",
            _("This invitation link is not complete or does not exist. Copy the whole link from the e-mail."),
        )
    who = {"name": invitation.invited_by, "organisation": invitation.organisation.name}
    if invitation.accepted_at is not None:
        raise Conflict("invitation-used", _("This invitation has already been accepted. Log in to enter."))
    if invitation.revoked_at is not None:
        raise Conflict(
            "invitation-revoked",
            _(
                "This invitation was cancelled or replaced. "
                "Use the latest e-mail, or ask %(name)s for a new one."
            )
            % who,
        )
    if invitation.expires_at <= now:
        raise Conflict(
            "invitation-expired", _("This invitation has expired. Ask %(name)s for a new one.") % who
        )
    return invitation


def accept_invitation(*, token: str, user: Any, name: str, now: datetime) -> Member:
    """Make `user` a member by the token of their letter. Not an `@action`: they are not a member yet.

    Raises:
        NotFound, Conflict: the token does not open (see `open_invitation`).
        Forbidden: the account has another address than the one invited.
    """
    with transaction.atomic():
        invitation = open_invitation(token=token, now=now)
        if invitation.email.lower() not in _addresses_of(user):
            raise Forbidden(
                "other-address",
                _(
                    "This invitation is for %(invited)s, and you are logged in as %(email)s. "
                    "Log out and open the link again, or ask for an invitation to your address."
                )
                % {"invited": invitation.email, "email": user.email},
            )
        return _join(invitation, user, name, now)


def open_account(*, token: str, name: str, password: str, now: datetime) -> tuple[Any, Member]:
    """Create the account of an invited person and make them a member. Returns (user, member).

    Raises:
        NotFound, Conflict: the token does not open, or this address has an account (log in then).
        Refused: the password is too weak, the name is missing.
    """
    with transaction.atomic():
        invitation = open_invitation(token=token, now=now)
        try:
            validate_password(password, get_user_model()(email=invitation.email, first_name=name))
        except ValidationError as error:
            raise Refused("weak-password", " ".join(error.messages), field="password") from error
        user = make_account(email=invitation.email, name=name, password=password, now=now)
        return user, _join(invitation, user, name, now)


def accept_pending(*, user: Any, emails: Iterable[str], name: str, now: datetime) -> list[Member]:
    """Accept every open invitation for addresses an identity provider vouches for. Returns the members."""
    with transaction.atomic():
        pending = Invitation.objects.select_related("organisation", "unit")
        found = pending.filter(
            email__in=[email.lower() for email in emails],
            accepted_at=None,
            revoked_at=None,
            expires_at__gt=now,
        )
        return [_join(invitation, user, name, now) for invitation in found]


def _addresses_of(user: Any) -> set[str]:
    verified = EmailAddress.objects.filter(user=user, verified=True).values_list("email", flat=True)
    return {user.email.lower(), *(email.lower() for email in verified)}


def _join(invitation: Invitation, user: Any, name: str, now: datetime) -> Member:
    """Use up the invitation: a new member, or one who comes back; somebody still present keeps their role."""
    open_now = Invitation.objects.filter(id=invitation.id, accepted_at=None, revoked_at=None)
    if not open_now.update(accepted_at=now):  # somebody was faster
        raise Conflict("invitation-used", _("This invitation has already been accepted. Log in to enter."))
    organisation_id = invitation.organisation_id
    unit = invitation.unit if invitation.unit is not None and invitation.unit.removed_at is None else None
    member: Member | None = Member.objects.filter(organisation_id=organisation_id, user=user).first()
    if member is None:
        member = Member(
            id=new_id(now), organisation_id=organisation_id, user=user, name=cleaned_name(name), joined_at=now
        )
    if member.left_at is not None or member._state.adding:
        member.role, member.unit, member.left_at = invitation.role, unit, None
        member.save()
    by = Actor(organisation_id, Role(member.role), member.name, member_id=member.id, user_id=user.pk)
    subject = address("member", member.id)
    details = {"role": member.role, "invitation": invitation.id}
    audit.record(verb="invitation.accept", by=by, now=now, subject=subject, details=details)
    transaction.on_commit(lambda: events.publish(events.Event("invitation.accept", subject, organisation_id)))
    return member
