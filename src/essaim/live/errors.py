"""What can go wrong with a store."""

from __future__ import annotations


class StoreError(OSError):
    """The store cannot be reached or refuses; trying again later may succeed."""


class JournalError(StoreError):
    """The journal could not be written: what waited for it is not durable."""


class LockedError(RuntimeError):
    """Another process (or hub) writes this journal."""


class UnknownRoomError(LookupError):
    """There is no room of this name (or code)."""


class KeyDestroyedError(LookupError):
    """The key of this room was destroyed at the end of its session: no ticket of it opens anything any more."""
