"""What the session templates say in words: phases, verbs, the buttons of the clock, the tree of the frame."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django import template
from django.template import Context
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from essaim.listen.sessions.frames import FrameLine
from essaim.listen.sessions.models import Session
from essaim.listen.sessions.queries.console import PhaseProgress
from essaim.listen.sessions.words import BUTTONS, PHASES
from essaim.people.words import verb_label
from essaim.ui.components import Step, shape

register = template.Library()


@register.simple_tag
def phase_name(name: str) -> str:
    """The name of a phase, as people read it."""
    return str(PHASES.get(name, name))


@register.simple_tag
def verb_name(verb: str) -> str:
    """What an action of the history did."""
    return verb_label(verb)


@register.inclusion_tag("ui/_stepper.html")
def phase_stepper(phases: Iterable[PhaseProgress]) -> dict[str, Any]:
    """The phases of the session as steps."""
    states = {"over": "done", "running": "current", "coming": "todo"}
    steps = [
        Step(
            PHASES.get(phase.name, phase.name),
            states[phase.state],  # type: ignore[arg-type]
            _("%(minutes)d min") % {"minutes": phase.minutes} if phase.minutes else "",
        )
        for phase in phases
    ]
    return {"steps": steps, "label": _("Phases")}


@register.inclusion_tag("sessions/_clock_button.html", takes_context=True)
def clock_button(context: Context, session: Session, verb: str, amount: int = 0) -> dict[str, Any]:
    """One button of the shared clock. It carries the revision that was seen, so that a second press changes nothing."""
    field = ""
    if verb == "extend":
        field, label, icon, primary = "seconds", _("+%(n)d min") % {"n": amount // 60}, "plus", False
    elif verb == "reopen":
        field, label, icon, primary = "minutes", _("Reopen for %(n)d min") % {"n": amount}, "undo", False
    else:
        label, icon, primary = BUTTONS[verb]  # type: ignore[assignment]
    return {
        "session": session,
        "verb": verb,
        "field": field,
        "amount": amount,
        "label": label,
        "icon": icon,
        "primary": primary,
        "csrf_token": context.get("csrf_token"),
    }


@register.simple_tag
def frame_tree(lines: Sequence[FrameLine] | None) -> SafeString:
    """The frame as nested lists."""
    children: dict[int | None, list[FrameLine]] = {}
    for line in lines or ():
        children.setdefault(line.parent, []).append(line)

    def draw(parent: int | None) -> SafeString:
        inside = children.get(parent)
        if not inside:
            return SafeString("")
        return format_html(
            '<ul class="tree">{}</ul>',
            format_html_join("", "<li>{}{}</li>", ((line.label, draw(line.number)) for line in inside)),
        )

    return draw(None)


@register.simple_tag
def group_shape(label: str) -> SafeString:
    """The small drawing of a group."""
    return shape(label)


@register.filter
def with_letters(shares: Sequence[Any]) -> list[tuple[str, Any]]:
    """Each group's share with the group's letter."""
    return [(chr(65 + i), share) for i, share in enumerate(shares)]
