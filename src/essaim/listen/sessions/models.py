"""What facilitators decide about a session. What participants send is in the session's journal (`essaim.live`), never here."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from essaim.base.models import OrganisationModel


class Privacy(models.TextChoices):
    ANONYMOUS = "anonymous", _("Anonymous: nothing about the person is kept")
    PSEUDONYMOUS = "pseudonymous", _("Pseudonymous: each person chooses a name to sign with")
    IDENTIFIED = "identified", _("Identified: members log in and sign with their name")


class Moderation(models.TextChoices):
    AFTER = "after", _("Show contributions at once, hide afterwards what must be")
    BEFORE = "before", _("Read each contribution before it is shown")


class Session(OrganisationModel):
    """A live session. `plan` (phases with absolute times) changes only by compare-and-set on `plan_rev`."""

    number = models.PositiveBigIntegerField(unique=True)  # 32 bits: goes into tickets
    code = models.CharField(max_length=8, unique=True)
    title = models.CharField(max_length=120)
    question = models.CharField(max_length=400, blank=True)
    language = models.CharField(max_length=2, choices=[("fr", "Français"), ("en", "English")])
    template = models.CharField(max_length=20, blank=True)
    privacy = models.CharField(max_length=12, choices=Privacy, default=Privacy.ANONYMOUS)
    moderation = models.CharField(max_length=6, choices=Moderation, default=Moderation.AFTER)
    compare_ideas = models.BooleanField(default=True)
    ask_unit = models.BooleanField(default=False)
    by_invitation = models.BooleanField(default=False)
    codes = models.PositiveIntegerField(default=0)  # how many were asked for; they follow from the room's key
    kinds = models.JSONField(default=list)
    scales = models.JSONField(default=list)
    plan = models.JSONField()
    plan_rev = models.PositiveIntegerField(default=0)
    spec_rev = models.PositiveIntegerField(
        default=0
    )  # grows with every change that the live room must hear of
    screen_key = models.CharField(max_length=16)  # opens the big screen without a login
    origin = models.CharField(max_length=80, blank=True)  # address of the session it replays, or "polis"
    created_by = models.CharField(max_length=120)
    created_at = models.DateTimeField()
    archived_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]
        indexes = [models.Index(fields=["organisation", "-created_at"])]

    def __str__(self) -> str:
        return self.title


class FrameItem(models.Model):
    """A place in the session's frame."""

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="frame")
    number = models.PositiveIntegerField()
    parent = models.PositiveIntegerField(null=True)
    label = models.CharField(max_length=120)
    rated = models.BooleanField(default=True)

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["session", "number"], name="frame_item_once"),
            # A parent always comes before its parts: a cycle cannot be written.
            models.CheckConstraint(
                condition=Q(parent=None) | Q(parent__lt=models.F("number")), name="frame_no_cycle"
            ),
        ]

    def __str__(self) -> str:
        return self.label


class Seed(models.Model):
    """A statement that the facilitators put to the vote from the start."""

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="seeds")
    number = models.PositiveIntegerField()
    text = models.CharField(max_length=1000)
    item = models.PositiveIntegerField(null=True)
    shown = models.BooleanField(default=True)

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["session", "number"], name="seed_once")]

    def __str__(self) -> str:
        return self.text


class Verdict(models.Model):
    """A moderation decision on one contribution; the latest one stands, the audit keeps them all."""

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="verdicts")
    statement = models.PositiveBigIntegerField()  # ids of contributions have 48 bits
    shown = models.BooleanField()
    reason = models.CharField(max_length=200, blank=True)
    by = models.CharField(max_length=120)
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["session", "statement"], name="verdict_once")]

    def __str__(self) -> str:
        return f"{self.statement} {'shown' if self.shown else 'hidden'}"


class Result(OrganisationModel):
    """The result of a session as it stood when it was frozen: the digest of its votes proves what it was computed from."""

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="results")
    at = models.DateTimeField()
    by = models.CharField(max_length=120)
    votes_digest = models.CharField(max_length=64)
    participants = models.PositiveIntegerField()
    votes = models.PositiveIntegerField()
    contributions = models.PositiveIntegerField()
    summary = models.JSONField()

    class Meta:
        ordering = ["-at"]

    def __str__(self) -> str:
        return f"{self.session} {self.at:%Y-%m-%d %H:%M}"
