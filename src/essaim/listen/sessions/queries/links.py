"""How people reach a session: the address they type or scan, and its picture."""

from __future__ import annotations

import io
import socket

import segno
from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe

from essaim.listen.sessions.models import Privacy, Session


def base_url(request: HttpRequest) -> str:
    """The address that other people's phones can reach: the public one, else the one this page was asked by.

    A page opened as localhost on a server that listens to its network gives the machine's own address instead.
    """
    if settings.PUBLIC_URL:
        return str(settings.PUBLIC_URL)
    host, _colon, port = request.get_host().partition(":")
    if host in ("localhost", "127.0.0.1") and settings.ENVIRONMENT.host not in ("localhost", "127.0.0.1"):
        host = network_address() or host
    return f"{request.scheme}://{host}{':' + port if port else ''}"


def network_address() -> str:
    """This machine's address on its own network, or nothing. Sends no packet: a datagram socket is only prepared."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # an address reserved for documentation
            return str(probe.getsockname()[0])
        except OSError:
            return ""


def join_url(session: Session, request: HttpRequest) -> str:
    """The address that lets somebody in: the participant's page; in an identified session, the members' way to it."""
    if session.privacy == Privacy.IDENTIFIED:
        return base_url(request) + reverse("sessions:enter", args=[session.id])
    return f"{base_url(request)}/s/{session.code}"


def qr(text: str) -> SafeString:
    """The QR code of a text as an inline SVG (dark on transparent: put it on white)."""
    out = io.BytesIO()
    segno.make(text, error="m").save(
        out,
        kind="svg",
        xmldecl=False,
        svgns=False,
        border=2,
        omitsize=True,
        svgclass="qr",
        lineclass=None,
        dark="#1d1b26",
    )
    return mark_safe(out.getvalue().decode())  # noqa: S308 (made here from modules, not from text)
