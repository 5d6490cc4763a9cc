"""What every view of the area needs: who asks, when, in which language, and a refusal shown where it belongs."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

from django import forms
from django.contrib import messages
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import get_language

from essaim.base.actor import Actor
from essaim.base.errors import Refused


def actor(request: HttpRequest) -> Actor:
    return cast(Actor, cast(Any, request).actor)


def now() -> datetime:
    return timezone.now()


def language() -> str:
    return "en" if (get_language() or "fr").startswith("en") else "fr"


def show_refusal(form: forms.Form, refusal: Refused) -> None:
    """Put a refusal under the field at fault, or above the form."""
    form.add_error(refusal.field if refusal.field in form.fields else None, str(refusal))


def tell(request: HttpRequest, refusal: Refused) -> None:
    """Tell a refusal after a button that has no form to show it in."""
    messages.error(request, str(refusal))
