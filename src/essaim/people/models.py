"""Organisations, units, members and invitations."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from essaim.base.actor import Role
from essaim.base.models import OrganisationModel

ROLE_LABELS = {
    Role.OWNER: _("Owner"),
    Role.SPONSOR: _("Sponsor"),
    Role.FACILITATOR: _("Facilitator"),
    Role.PEER: _("Peer"),
    Role.OBSERVER: _("Observer"),
}
ROLE_CHOICES = [(role.value, label) for role, label in ROLE_LABELS.items()]


class Organisation(models.Model):
    """A workspace: nothing of one organisation is ever visible from another."""

    id = models.CharField(primary_key=True, max_length=16, editable=False)
    name = models.CharField(max_length=120)
    slug = models.SlugField(max_length=60, unique=True)
    language = models.CharField(max_length=2, choices=[("fr", "Français"), ("en", "English")], default="fr")
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class Unit(OrganisationModel):
    """A part of the organisation: site, department, function.

    `number` identifies it inside live sessions and is never given twice: a removed unit stays.
    """

    name = models.CharField(max_length=120)
    number = models.PositiveIntegerField()
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.RESTRICT, related_name="parts")
    headcount = models.PositiveIntegerField(null=True, blank=True)
    removed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["organisation", "number"], name="unit_number_once"),
            models.UniqueConstraint(
                fields=["organisation", "name"], condition=Q(removed_at=None), name="unit_name_once"
            ),
            models.CheckConstraint(condition=~Q(parent=F("id")), name="unit_not_its_own_parent"),
        ]

    def __str__(self) -> str:
        return self.name


class Member(OrganisationModel):
    """A person in an organisation, with one role there."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    name = models.CharField(max_length=120)
    role = models.CharField(max_length=12, choices=ROLE_CHOICES)
    unit = models.ForeignKey(Unit, null=True, blank=True, on_delete=models.SET_NULL, related_name="members")
    joined_at = models.DateTimeField()
    left_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["organisation", "user"], name="member_once"),
        ]

    def __str__(self) -> str:
        return self.name


class Invitation(OrganisationModel):
    """A door opened for one e-mail address. Only the token's hash is kept: a stolen copy opens nothing."""

    email = models.EmailField()
    role = models.CharField(max_length=12, choices=ROLE_CHOICES)
    unit = models.ForeignKey(Unit, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    token_hash = models.CharField(max_length=64, unique=True)
    invited_by = models.CharField(max_length=120)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "email"],
                condition=Q(accepted_at=None, revoked_at=None),
                name="invitation_open_once",
            ),
        ]

    def __str__(self) -> str:
        return self.email
