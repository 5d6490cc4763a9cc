"""Short messages that appear at the bottom of the page after an action, with an optional undo.

In a view:            toast(request, _("Contribution hidden"), undo=reverse("listen:show", args=[id]))
Next full page:       base.html shows it (Django's messages framework carries it, across a redirect too).
In an htmx answer:    {% include "ui/_toasts.html" with out_of_band=True %} at the end of the fragment.

A toast hides itself after 6 s (12 s with an undo), waits while pointed at or focused; errors stay.
"""

from django.contrib import messages
from django.contrib.messages.storage.base import Message
from django.http import HttpRequest

UNDO = "undo="


def toast(request: HttpRequest, text: str, *, level: int = messages.SUCCESS, undo: str = "") -> None:
    """Queue a message. `undo` is the address to which the undo button posts."""
    messages.add_message(request, level, text, extra_tags=f"{UNDO}{undo}" if undo else "")


def undo_address(message: Message) -> str:
    """The address of the undo of a message, or an empty string."""
    extra = message.extra_tags or ""
    return extra[len(UNDO) :] if extra.startswith(UNDO) else ""
