"""A small HTTP client over a raw socket: quick enough to load the server from the same machine."""

from __future__ import annotations

import asyncio
import json
from typing import Any


class Broken(Exception):
    """The connection broke before a whole answer came."""


class RawClient:
    """One keep-alive connection."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.reader: asyncio.StreamReader | None = None
        self.writer: asyncio.StreamWriter | None = None

    async def post(self, path: str, document: Any, ticket: str | None = None) -> tuple[int, Any]:
        """Post JSON and give (status, JSON); raises Broken when no whole answer came."""
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        bearer = f"Authorization: Bearer {ticket}\r\n" if ticket else ""
        head = (
            f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            f"{bearer}Content-Length: {len(body)}\r\n\r\n"
        )
        try:
            if self.writer is None:
                self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
            self.writer.write(head.encode() + body)
            return await self._answer()
        except (OSError, asyncio.IncompleteReadError) as error:
            self.close()
            raise Broken from error

    async def _answer(self) -> tuple[int, Any]:
        assert self.reader is not None
        head = await self.reader.readuntil(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        length = 0
        for line in lines[1:]:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        body = await self.reader.readexactly(length)
        return int(lines[0].split()[1]), json.loads(body) if body else None

    def close(self) -> None:
        """Drop the connection; the next request opens another."""
        if self.writer is not None:
            self.writer.close()
        self.reader = self.writer = None
