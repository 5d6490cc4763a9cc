"""`flush` empties the whole database, the audit trail too: its guard steps aside for the time of it."""

from __future__ import annotations

from typing import Any

from django.core.management.commands.flush import Command as Flush
from django.db import connections

from essaim.base import guard


class Command(Flush):
    """Django's command, which the guard of the audit trail would otherwise refuse half-way."""

    def handle(self, **options: Any) -> None:
        connection = connections[options["database"]]
        guard.remove(connection)
        try:
            super().handle(**options)
        finally:
            guard.install(connection)
