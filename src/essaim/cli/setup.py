"""Getting Django ready for a command: settings, then the database brought up to date."""

from __future__ import annotations

import os
import sys

from essaim.config.environment import BadSetting


def prepare(*, migrate: bool = True, **overrides: str) -> None:
    """Configure Django from the environment (and `overrides` of ESSAIM_ variables) and apply migrations.

    Exits with code 2 and a clear message when a setting is wrong.
    """
    for name, value in overrides.items():
        os.environ.setdefault(f"ESSAIM_{name.upper()}", value)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "essaim.config.settings")
    import django

    try:
        django.setup()
    except BadSetting as error:
        print(f"essaim: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    if migrate:
        from django.core.management import call_command

        call_command("migrate", interactive=False, verbosity=0)
        call_command("createcachetable", verbosity=0)
