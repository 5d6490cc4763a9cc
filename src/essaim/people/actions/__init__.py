"""What one can do with people, one function a verb: the only place that writes this area's tables."""

from essaim.people.actions.invitations import (
    Invited,
    accept_invitation,
    accept_pending,
    invite_members,
    open_account,
    open_invitation,
    restore_invitation,
    revoke_invitation,
)
from essaim.people.actions.members import (
    change_role,
    leave,
    remove_member,
    restore_member,
    set_unit,
    update_profile,
)
from essaim.people.actions.organisations import (
    erase_organisation,
    found_organisation,
    make_account,
    may_found,
    rename_organisation,
)
from essaim.people.actions.units import add_unit, change_unit, import_units, remove_unit, restore_unit

__all__ = [
    "Invited",
    "accept_invitation",
    "accept_pending",
    "add_unit",
    "change_role",
    "change_unit",
    "erase_organisation",
    "found_organisation",
    "import_units",
    "invite_members",
    "leave",
    "make_account",
    "may_found",
    "open_account",
    "open_invitation",
    "remove_member",
    "remove_unit",
    "rename_organisation",
    "restore_invitation",
    "restore_member",
    "restore_unit",
    "revoke_invitation",
    "set_unit",
    "update_profile",
]
