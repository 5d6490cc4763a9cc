"""The records behind every action: audit rows and evidence links, and the manager that keeps organisations apart."""

from __future__ import annotations

from typing import Any, Self

from django.db import models

from essaim.base.actor import Actor


class OwnQuerySet(models.QuerySet[Any]):
    """Rows of one organisation only. Every read and write of an area begins with `.of(actor)`."""

    def of(self, actor: Actor) -> Self:
        return self.filter(organisation_id=actor.organisation_id)


class OrganisationModel(models.Model):
    """Something that belongs to one organisation, with an identifier made by `base.ids`."""

    id = models.CharField(primary_key=True, max_length=16, editable=False)
    organisation = models.ForeignKey("people.Organisation", on_delete=models.CASCADE, related_name="+")

    objects = OwnQuerySet.as_manager()

    class Meta:
        abstract = True


class AuditEntry(models.Model):
    """Who did what to which object, and when. Rows are added, never changed (the database refuses it too)."""

    organisation = models.ForeignKey("people.Organisation", on_delete=models.CASCADE, related_name="+")
    at = models.DateTimeField()
    member_id = models.CharField(max_length=16, blank=True)
    member_name = models.CharField(max_length=200)
    verb = models.CharField(max_length=60)
    subject = models.CharField(max_length=80)
    details = models.JSONField(default=dict)

    objects = OwnQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["organisation", "subject", "at"]),
            models.Index(fields=["organisation", "-at"]),
        ]
        ordering = ["-at", "-id"]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.member_name} {self.verb} {self.subject}"


class Erasure(models.Model):
    """The proof that something was erased on purpose: without it the database lets no audit row go.

    `organisation:<id>`: the rows of that organisation may be deleted with it. `member:<id>`: that person's
    name may be blanked in the rows of what they did. Nothing else can change an audit row (`base.guard`).
    """

    subject = models.CharField(primary_key=True, max_length=80)
    at = models.DateTimeField()
    by = models.CharField(max_length=200)

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.subject}"


class EvidenceLink(models.Model):
    """One step of the evidence chain: `effect` exists because of `cause`, in the way `relation` says."""

    class Relation(models.TextChoices):
        SUPPORTS = "supports"
        CONTRADICTS = "contradicts"
        LEADS_TO = "leads-to"
        TESTS = "tests"
        DECIDES = "decides"
        APPLIES = "applies"
        REPLACES = "replaces"

    organisation = models.ForeignKey("people.Organisation", on_delete=models.CASCADE, related_name="+")
    cause = models.CharField(max_length=80)
    effect = models.CharField(max_length=80)
    relation = models.CharField(max_length=12, choices=Relation)
    at = models.DateTimeField()
    member_id = models.CharField(max_length=16, blank=True)

    objects = OwnQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "cause", "effect", "relation"], name="evidence_link_once"
            )
        ]
        indexes = [models.Index(fields=["organisation", "effect"])]

    def __str__(self) -> str:
        return f"{self.cause} {self.relation} {self.effect}"
