"""The letters this area sends by e-mail, in the language of the organisation."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime

from django.core.mail import EmailMessage, get_connection
from django.utils import formats, timezone, translation
from django.utils.translation import gettext as _

from essaim.base.actor import Role
from essaim.people.models import ROLE_LABELS
from essaim.people.words import ROLE_MEANINGS

logger = logging.getLogger("essaim.people.letters")


def send_invitations(
    links: Iterable[tuple[str, str]],
    *,
    organisation: str,
    invited_by: str,
    role: Role,
    expires_at: datetime,
    language: str,
) -> list[str]:
    """Send one letter to each (address, link). Return the addresses that the mail server did not take."""
    undelivered = []
    with translation.override(language):
        connection = get_connection()
        try:
            connection.open()
        except OSError:
            logger.exception("the mail server cannot be reached")
            return [address for address, _link in links]
        names = {"name": invited_by, "organisation": organisation}
        subject = _("%(name)s invites you to join %(organisation)s on Essaim") % names
        part = {"role": ROLE_LABELS[role], "meaning": ROLE_MEANINGS[role]}
        until = {"expires": formats.date_format(timezone.localtime(expires_at), "DATE_FORMAT")}
        for address, link in links:
            body = "\n".join(
                [
                    _("Hello,"),
                    "",
                    _("%(name)s invites you to join %(organisation)s on Essaim.") % names,
                    "",
                    _("Your role will be: %(role)s. %(meaning)s") % part,
                    "",
                    _("Open this link to accept:"),
                    link,
                    "",
                    _("The link is for you alone and works until %(expires)s.") % until,
                    _("If you were not expecting this letter, you can ignore it."),
                    "",
                ]
            )
            try:
                EmailMessage(" ".join(subject.split()), body, to=[address], connection=connection).send()
            except OSError:  # smtplib's errors are OSErrors too
                logger.exception("the mail server refused a letter")
                undelivered.append(address)
        connection.close()
    return undelivered
