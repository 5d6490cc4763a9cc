"""Whose address a request comes from, when proxies stand in between."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import lru_cache

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Proxies:
    """The proxies whose X-Forwarded-For and X-Forwarded-Proto are believed; anybody else could write what they like."""

    def __init__(self, networks: Iterable[str] = ()) -> None:
        """Take addresses and networks (`10.0.0.0/8`, `::1`); raises ValueError for anything else."""
        self._networks = tuple(ipaddress.ip_network(one, strict=False) for one in networks)
        self.trusts = lru_cache(maxsize=4096)(self._trusts)

    def __bool__(self) -> bool:
        return bool(self._networks)

    def client(self, peer: str, forwarded: str) -> str:
        """Give the address of the client: the first one, seen from here, that is not of a trusted proxy.

        `peer`: the other end of the connection; `forwarded`: X-Forwarded-For, its headers joined by commas. What
        stands to the left of the first untrusted address was written by that client, and is not looked at.
        """
        if not self._networks or not self.trusts(peer):
            return peer
        client = peer
        for part in reversed(forwarded.split(",")):
            address = _address(part)
            if address is None:
                break
            client = str(address)
            if not self.trusts(client):
                break
        return client

    def _trusts(self, address: str) -> bool:
        parsed = _address(address)
        return parsed is not None and any(parsed in network for network in self._networks)


def is_loopback(address: str) -> bool:
    """Say whether an address is of this machine itself."""
    parsed = _address(address)
    return parsed is not None and parsed.is_loopback


def _address(text: str) -> Address | None:
    """Read an address as proxies write it: with a port perhaps, in brackets perhaps."""
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        parsed = ipaddress.ip_address(text)
    except ValueError:
        return None
    # An IPv4 client of a socket that listens on both is the IPv4 client it is.
    return getattr(parsed, "ipv4_mapped", None) or parsed
