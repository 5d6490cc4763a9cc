"""Two organisations, so that every test can look over the fence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from essaim.base.actor import Actor, Role
from essaim.base.ids import new_id
from essaim.people import actions
from essaim.people.models import Member, Organisation

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
PASSWORD = "quiet-otter-sails-7"


@dataclass
class Person:
    user: Any
    member: Member
    actor: Actor


Join = Callable[..., Person]


@pytest.fixture
def join(db: None) -> Join:
    """Make a person with an account and a membership."""

    def make(organisation: Organisation, name: str, role: Role = Role.PEER, **more: Any) -> Person:
        email = more.pop("email", f"{name.lower()}@{organisation.slug}.example")
        user = actions.make_account(email=email, name=name, password=PASSWORD, now=NOW)
        member = Member.objects.create(
            id=new_id(NOW), organisation=organisation, user=user, name=name, role=role, joined_at=NOW, **more
        )
        return Person(user, member, Actor(organisation.id, role, name, member_id=member.id, user_id=user.pk))

    return make


@dataclass
class Place:
    """An organisation with one member of each role."""

    organisation: Organisation
    owner: Person
    sponsor: Person
    facilitator: Person
    peer: Person
    observer: Person


def _place(name: str, join: Join) -> Place:
    user = actions.make_account(
        email=f"owner@{name.lower()}.example", name=f"{name} owner", password=PASSWORD, now=NOW
    )
    organisation = actions.found_organisation(
        user=user, name=name, member_name=f"{name} owner", language="fr", now=NOW, by_operator=True
    )
    member = Member.objects.get(organisation=organisation)
    owner = Person(
        user, member, Actor(organisation.id, Role.OWNER, member.name, member_id=member.id, user_id=user.pk)
    )
    others = {
        role.value: join(organisation, f"{name}-{role.value}", role)
        for role in Role
        if role is not Role.OWNER
    }
    return Place(organisation, owner, **others)


@pytest.fixture
def altura(join: Join) -> Place:
    return _place("Altura", join)


@pytest.fixture
def boreal(join: Join) -> Place:
    return _place("Boreal", join)


@pytest.fixture(autouse=True)
def quick_passwords(settings: Any) -> None:
    """The real hasher is slow on purpose; these tests make many accounts."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
