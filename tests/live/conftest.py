"""Fixtures of the live tests: a server with rooms, a browser, phones."""

from tests.live.phones import chromium, phone, served
from tests.live.stores import address, postgres, redis_server, store, stores

__all__ = ["address", "chromium", "phone", "postgres", "redis_server", "served", "store", "stores"]
