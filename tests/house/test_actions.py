"""The rules that every action of the product obeys."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

import essaim.listen.sessions.actions.importing
import essaim.listen.sessions.actions.record
import essaim.listen.sessions.actions.replaying
import essaim.people.actions  # noqa: F401
from essaim.base.actions import REGISTRY, action
from essaim.base.actor import Actor, Role
from essaim.base.errors import Forbidden

ACTIONS = sorted(REGISTRY.items())


@pytest.mark.parametrize(("name", "run"), ACTIONS, ids=[name for name, _run in ACTIONS])
def test_is_keyword_only_documented_and_timed(name: str, run: Callable[..., Any]) -> None:
    parameters = inspect.signature(run).parameters
    assert all(p.kind is p.KEYWORD_ONLY for p in parameters.values())
    assert {"by", "now"} <= set(parameters)
    assert (run.__doc__ or "").strip()


@pytest.mark.parametrize(("name", "run"), ACTIONS, ids=[name for name, _run in ACTIONS])
def test_refuses_roles_it_was_not_made_for(name: str, run: Callable[..., Any]) -> None:
    """Rights are checked before anything else: no database is needed to be refused."""
    parameters = inspect.signature(run).parameters
    for role in set(Role) - {Role.OWNER} - set(run.may):  # type: ignore[attr-defined]
        actor = Actor(organisation_id="0" * 16, role=role, name="Nobody")
        given = {name: None for name, p in parameters.items() if p.default is p.empty}
        with pytest.raises(Forbidden):
            run(**{**given, "by": actor, "now": None})


def test_the_decorator_refuses_a_function_that_breaks_the_rules() -> None:
    with pytest.raises(TypeError, match="keyword-only"):
        action("test.positional", may=[])(lambda by, now: None)  # type: ignore[arg-type, misc]
    with pytest.raises(TypeError, match="by and now"):

        @action("test.no-clock", may=[])
        def _no_clock(*, by: Actor) -> Any: ...
