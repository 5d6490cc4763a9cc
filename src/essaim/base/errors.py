"""Refusals: what an action or a query answers when it will not. Each says what to do, in the reader's language."""

from __future__ import annotations

from django.utils.functional import Promise


class Refused(Exception):
    """The request cannot be carried out. `code` is stable for programs, `detail` is for people, `field` is the input at fault."""

    status = 400

    def __init__(self, code: str, detail: str | Promise, *, field: str | None = None) -> None:
        super().__init__(code, detail)
        self.code, self.detail, self.field = code, detail, field

    def __str__(self) -> str:
        return str(self.detail)


class Forbidden(Refused):
    """The actor's role does not allow it."""

    status = 403


class NotFound(Refused):
    """There is no such thing in the actor's organisation (or it belongs to another one: the answer is the same)."""

    status = 404


class Conflict(Refused):
    """Somebody else changed it meanwhile, or its present state does not allow it."""

    status = 409
