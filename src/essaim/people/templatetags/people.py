"""What login pages need to know: `{% load people %}{% sign_up_open as open %}`."""

from __future__ import annotations

from django import template
from django.conf import settings

register = template.Library()


@register.simple_tag
def sign_up_open() -> bool:
    """May anybody create an account here? (ESSAIM_SIGN_UP)"""
    return bool(settings.ENVIRONMENT.sign_up)
