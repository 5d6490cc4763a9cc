"""Who: organisations and their units, members and their roles, invitations, login."""
