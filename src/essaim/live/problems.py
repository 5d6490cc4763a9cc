"""Refusals of a whole request: a code for programs, a status for HTTP, a sentence for people."""

from __future__ import annotations

from typing import Final

import msgspec

_STATUS: Final = {
    "malformed": (400, "The request is not well formed"),
    "unknown-unit": (400, "This unit does not exist here"),
    "name-required": (400, "A name is needed"),
    "name-too-long": (400, "The name is too long"),
    "code-required": (401, "This room asks for an invitation code"),
    "bad-code": (401, "This invitation code is not valid"),
    "pass-required": (401, "This room is for signed-in members"),
    "bad-pass": (401, "This pass is not valid"),
    "expired-pass": (401, "This pass has expired"),
    "bad-ticket": (401, "This ticket is not valid"),
    "expired-ticket": (401, "This ticket has expired"),
    "code-used": (403, "This invitation code has been used"),
    "cross-site": (403, "This request comes from another site"),
    "wrong-room": (403, "This ticket is for another room"),
    "unknown-room": (404, "There is no such room"),
    "unknown-path": (404, "There is nothing here"),
    "method": (405, "This method is not possible here"),
    "too-slow": (408, "The request took too long to arrive"),
    "not-started": (409, "The session has not started"),
    "paused": (409, "The session is paused"),
    "closed": (409, "The session is over"),
    "frozen": (409, "The results are frozen"),
    "ended": (410, "This session has ended for good"),
    "too-large": (413, "The request is too large"),
    "unsupported-media-type": (415, "Send application/json"),
    "too-many": (429, "Too many requests"),
    "headers-too-large": (431, "The headers are too large"),
    "waiting-room": (503, "Many people are joining"),
    "unavailable": (503, "The room cannot answer now"),
}


class RefusalError(Exception):
    """A request refused as a whole.

    `retry_after`: seconds to wait; `state`: add the state of the room; `members`: more to tell programs.
    """

    def __init__(
        self,
        code: str,
        detail: str = "",
        *,
        retry_after: int | None = None,
        state: bool = False,
        members: dict[str, object] | None = None,
    ) -> None:
        self.status, self.title = _STATUS[code]
        super().__init__(f"{code}: {detail or self.title}")
        self.code = code
        self.detail = detail or self.title
        self.retry_after = retry_after
        self.state = state
        self.members = members or {}


def problem(refusal: RefusalError, state: bytes | None = None) -> bytes:
    """Give the problem details document (RFC 9457) of a refusal, with the room's state when it is useful."""
    document: dict[str, object] = {
        "type": f"urn:essaim:live:{refusal.code}",
        "title": refusal.title,
        "status": refusal.status,
        "detail": refusal.detail,
        "code": refusal.code,
        **refusal.members,
    }
    if state is not None:
        document["state"] = msgspec.Raw(state)
    return msgspec.json.encode(document)
