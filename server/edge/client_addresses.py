"""Who is calling: the address behind proxies that we trust, and only behind those (CWE-348)."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address

from aiohttp import web

Network = IPv4Network | IPv6Network
_MAX_HOPS = 20


class ClientAddresses:
    """Find the caller's address; `trusted` are the networks of our own proxies."""

    def __init__(self, trusted: Iterable[Network]) -> None:
        self._trusted = tuple(trusted)

    def of(self, request: web.BaseRequest) -> str:
        """Return the caller's address, "unknown" where the connection has none (a unix socket)."""
        peer = request.remote or "unknown"
        if not self._trusted or not self._is_trusted(peer):
            return peer
        return self._behind(peer, request.headers.getall("X-Forwarded-For", []))

    def _behind(self, peer: str, fields: list[str]) -> str:
        # Read from the right: each trusted proxy appended the address that it saw. What stands left of
        # the first address that is not ours was written by the caller and proves nothing.
        address = peer
        for hop in list(reversed(",".join(fields).split(",")))[:_MAX_HOPS]:
            candidate = hop.strip()
            if not _is_address(candidate):
                break
            address = candidate
            if not self._is_trusted(candidate):
                break
        return address

    def _is_trusted(self, address: str) -> bool:
        if not _is_address(address):
            return False
        parsed = ip_address(address)
        return any(parsed.version == network.version and parsed in network for network in self._trusted)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
