"""Creating, renaming and erasing an organisation; making an account."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from allauth.account.models import EmailAddress
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils.text import slugify
from django.utils.translation import gettext as _

from essaim.base import audit, events
from essaim.base.actions import Done, action
from essaim.base.actor import Actor, Role
from essaim.base.errors import Conflict, Forbidden, NotFound, Refused
from essaim.base.evidence import address
from essaim.base.ids import new_code, new_id
from essaim.base.models import Erasure
from essaim.people.models import Member, Organisation

LANGUAGES = ("fr", "en")


def cleaned_name(name: str, *, field: str = "name") -> str:
    """Return a name without useless spaces.

    Raises:
        Refused: empty, or longer than 120 characters.
    """
    name = " ".join(name.split())
    if not name:
        raise Refused("name-missing", _("Write a name."), field=field)
    if len(name) > 120:
        raise Refused("name-too-long", _("This name is longer than 120 characters."), field=field)
    return name


def _cleaned_language(language: str) -> str:
    if language not in LANGUAGES:
        raise Refused("language", _("Choose French or English."), field="language")
    return language


def may_found(user: Any) -> bool:
    """May this person create an organisation? (The operator decides: ESSAIM_SIGN_UP.)"""
    return bool(user.is_authenticated and settings.ENVIRONMENT.sign_up)


def make_account(*, email: str, name: str, password: str | None, now: datetime) -> Any:
    """Create a login whose e-mail address is known to be theirs (invitation, operator). Returns the user.

    Raises:
        Conflict: there is already an account with this address.
    """
    users = get_user_model()
    email = email.strip().lower()
    with transaction.atomic():
        taken = EmailAddress.objects.filter(email__iexact=email).exists()
        if taken or users.objects.filter(email__iexact=email).exists():
            raise Conflict(
                "account-exists",
                _("There is already an account for %(email)s. Log in with it.") % {"email": email},
            )
        user = users(
            username=uuid.uuid4().hex, email=email, first_name=cleaned_name(name)[:150], date_joined=now
        )
        user.set_password(password)
        user.save()
        EmailAddress.objects.create(user=user, email=email, primary=True, verified=True)
    return user


def found_organisation(
    *, user: Any, name: str, member_name: str, language: str, now: datetime, by_operator: bool = False
) -> Organisation:
    """Create an organisation with `user` as its first owner. Not an `@action`: nobody is a member of it yet.

    It still does what an action does: one transaction with its audit row, the event after commit.

    Raises:
        Forbidden: people may not create organisations here (ESSAIM_SIGN_UP) and it is not `by_operator`.
        Refused: a name is missing or too long, or the language is unknown.
    """
    if not by_operator and not may_found(user):
        raise Forbidden(
            "sign-up-closed",
            _("New organisations are created by the operator of this site. Ask them for one."),
        )
    name, member_name = cleaned_name(name), cleaned_name(member_name, field="member_name")
    language = _cleaned_language(language)
    with transaction.atomic():
        organisation = Organisation.objects.create(
            id=new_id(now), name=name, slug=_free_slug(name), language=language, created_at=now
        )
        member = Member.objects.create(
            id=new_id(now),
            organisation=organisation,
            user=user,
            name=member_name,
            role=Role.OWNER,
            joined_at=now,
        )
        by = Actor(organisation.id, Role.OWNER, member_name, member_id=member.id, user_id=user.pk)
        subject = address("organisation", organisation.id)
        audit.record(verb="organisation.found", by=by, now=now, subject=subject, details={"name": name})
        transaction.on_commit(
            lambda: events.publish(events.Event("organisation.found", subject, organisation.id))
        )
    return organisation


def _free_slug(name: str) -> str:
    wanted = slugify(name)[:50].strip("-") or "organisation"
    slug = wanted
    while Organisation.objects.filter(slug=slug).exists():
        slug = f"{wanted}-{new_code(4).lower()}"
    return slug


@action("organisation.rename", may=[])
def rename_organisation(*, name: str, language: str, by: Actor, now: datetime) -> Done[Organisation]:
    """Change the organisation's name and the language of its e-mails. Addresses of pages do not change."""
    name, language = cleaned_name(name), _cleaned_language(language)
    organisation = Organisation.objects.select_for_update().get(id=by.organisation_id)
    details = {"name": {"from": organisation.name, "to": name}, "language": language}
    organisation.name, organisation.language = name, language
    organisation.save(update_fields=["name", "language"])
    return Done(organisation, subject=address("organisation", organisation.id), details=details)


def erase_organisation(*, organisation_id: str, by_name: str, now: datetime) -> None:
    """Delete an organisation and all that is its own, for ever; an `Erasure` stays as proof. For operators.

    Raises:
        NotFound: there is no such organisation.
    """
    with transaction.atomic():
        organisation = Organisation.objects.select_for_update().filter(id=organisation_id).first()
        if organisation is None:
            raise NotFound("organisation", _("There is no such organisation."))
        Erasure.objects.create(subject=address("organisation", organisation_id), at=now, by=by_name)
        organisation.delete()
