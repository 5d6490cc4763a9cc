"""What the pages say: what each role may do, and the verbs of the history in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from essaim.base.actor import Role
from essaim.people.models import ROLE_LABELS

ROLE_MEANINGS: dict[Role, str | Promise] = {
    Role.OWNER: _("Does everything: invites members, changes roles, units and settings, reads the history."),
    Role.SPONSOR: _("Reads every result and follows what is decided. Changes nothing else."),
    Role.FACILITATOR: _("Prepares and runs sessions, moderates, and keeps the units up to date."),
    Role.PEER: _("Takes part, contributes, and moderates with the other peers."),
    Role.OBSERVER: _("Reads what is published. Changes nothing."),
}

#: The verbs of the history. Another area adds its own: `VERBS.update({...})` when it is loaded.
VERBS: dict[str, str | Promise] = {
    "organisation.found": _("Organisation created"),
    "organisation.rename": _("Organisation settings changed"),
    "unit.add": _("Unit added"),
    "unit.change": _("Unit changed"),
    "unit.remove": _("Unit removed"),
    "unit.restore": _("Unit restored"),
    "unit.import": _("Units imported"),
    "invitation.send": _("Invitations sent"),
    "invitation.revoke": _("Invitation cancelled"),
    "invitation.restore": _("Invitation restored"),
    "invitation.accept": _("Invitation accepted"),
    "member.role": _("Role changed"),
    "member.unit": _("Member moved to a unit"),
    "member.profile": _("Profile changed"),
    "member.remove": _("Member removed"),
    "member.restore": _("Member restored"),
    "member.leave": _("Left the organisation"),
}


#: What the details of a row of the history are called. Another area adds its own here too.
DETAILS: dict[str, str | Promise] = {
    "added": _("added"),
    "changed": _("changed"),
    "headcount": _("headcount"),
    "invitations": _("invitations"),
    "language": _("language"),
    "name": _("name"),
    "parent": _("part of"),
    "role": _("role"),
    "unit": _("unit"),
}


def verb_label(verb: str) -> str:
    """Return the words for an action's name (the name itself when nobody gave words)."""
    return str(VERBS.get(verb, verb))


def details_label(details: Mapping[str, Any]) -> str:
    """Return the details of a row of the history in words: `role: Observer → Peer`."""
    parts = []
    for key, value in details.items():
        if key == "invitation":
            continue
        if isinstance(value, dict) and set(value) == {"from", "to"}:
            said = f"{_said(key, value['from'])} → {_said(key, value['to'])}"
        elif isinstance(value, list):
            said = str(len(value))
        else:
            said = _said(key, value)
        parts.append(_pair(DETAILS.get(key, key), said))
    return ", ".join(parts)


def _said(key: str, value: object) -> str:
    if value in ("", None):
        return "–"
    return str(ROLE_LABELS[Role(str(value))]) if key == "role" and str(value) in set(Role) else str(value)


def _pair(name: object, value: str) -> str:
    return gettext("%(name)s: %(value)s") % {"name": name, "value": value}
