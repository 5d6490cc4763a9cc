"""Fixtures of the live tests: a server with rooms, a browser, phones."""

from tests.live.phones import chromium, phone, served

__all__ = ["chromium", "phone", "served"]
