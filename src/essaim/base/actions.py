"""`@action`: the one way to write. Rights first, then one transaction with its audit row, then the event after commit.

    @action("session.start", may=[Role.FACILITATOR])
    def start_session(*, session_id: str, by: Actor, now: datetime) -> Done[Session]:
        ...
        return Done(session, subject=address("session", session.id), details={"phase": "draft"})

The decorated function returns the value inside `Done`. Actions are keyword-only and take `by` and `now`
(no clock in the domain); a house test holds every action of the product to it.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, ParamSpec, TypeVar, cast

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from essaim.base import audit, events
from essaim.base.actor import Actor, Role
from essaim.base.errors import Forbidden

T = TypeVar("T")
P = ParamSpec("P")

#: Every action of the product by name, for the house tests and the reference pages.
REGISTRY: dict[str, Callable[..., Any]] = {}


@dataclass(frozen=True)
class Done(Generic[T]):
    """What an action did: its value, the address of the object it changed, and what the audit row should say."""

    value: T
    subject: str
    details: Mapping[str, Any] = field(default_factory=dict)


def action(name: str, *, may: Collection[Role]) -> Callable[[Callable[P, Done[T]]], Callable[P, T]]:
    """Make an action of a function. `may` lists the roles allowed besides owner.

    Raises (when called):
        Forbidden: the actor's role is not among `may`.
    """

    def decorate(function: Callable[P, Done[T]]) -> Callable[P, T]:
        parameters = inspect.signature(function).parameters
        if any(p.kind is not p.KEYWORD_ONLY for p in parameters.values()) or not {"by", "now"} <= set(
            parameters
        ):
            raise TypeError(f"the action {name} must be keyword-only and take by and now")

        @functools.wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> T:
            by = cast(Actor, kwargs["by"])
            if not by.may(*may):
                raise Forbidden(
                    "role", _("Your role does not allow this. Ask an owner of your organisation.")
                )
            with transaction.atomic():
                done = function(*args, **kwargs)
                audit.record(
                    verb=name, by=by, now=cast(Any, kwargs["now"]), subject=done.subject, details=done.details
                )
                transaction.on_commit(
                    lambda: events.publish(events.Event(name, done.subject, by.organisation_id))
                )
            return done.value

        REGISTRY[name] = run
        run.may = frozenset(may)  # type: ignore[attr-defined]
        return run

    return decorate
