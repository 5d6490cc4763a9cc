"""What the crowd writes: contributions of every kind of the room, which anybody recognises as written by a machine."""

from __future__ import annotations

import json
import random
import secrets
from typing import Any, Final

MARK: Final = "essaim crowd"


class Ideas:
    """Writes contributions; `under_way`: person → the text that waits for its acknowledgement."""

    def __init__(self, frame: dict[str, Any]) -> None:
        self.under_way: dict[int, str] = {}
        self._run = secrets.token_hex(3)
        self._written = 0
        kinds = [one["id"] for one in frame.get("kinds", ()) if one["id"] != "reason"] or [None]
        items = [one["id"] for one in frame.get("frame", ())] or [None]
        self._places = [json.dumps({"kind": kind, "item": item})[1:-1] for kind in kinds for item in items]

    def write(self, person: int) -> bytes:
        """Give the part of a batch that holds one new contribution of `person`."""
        self._written += 1
        text = f"{MARK} {self._run}: {person} wrote this as number {self._written}"
        self.under_way[person] = text
        place = random.choice(self._places)  # noqa: S311
        mark = f"crowd-{self._run}-{self._written}"
        return f',"ideas":[{{"id":"{mark}","text":"{text}",{place}}}]'.encode()
