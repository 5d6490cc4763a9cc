"""Events: how a later stage hears of an earlier one without being imported by it. Sent after commit, in this process."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

logger = logging.getLogger("essaim.events")


@dataclass(frozen=True)
class Event:
    """Something that was done: the action's name, the address of its object, the organisation."""

    name: str
    subject: str
    organisation_id: str


_listeners: dict[str, list[Callable[[Event], None]]] = defaultdict(list)


def on(name: str, listener: Callable[[Event], None]) -> None:
    """Call `listener` after every commit of the action called `name`."""
    _listeners[name].append(listener)


def publish(event: Event) -> None:
    """Tell every listener. What is committed stays committed: a failing listener is logged, the others still hear."""
    for listener in _listeners[event.name]:
        try:
            listener(event)
        except Exception:
            logger.exception("listener of %s failed on %s", event.name, event.subject)
