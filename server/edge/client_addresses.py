"""Find the client's address behind trusted proxies; the header of any other peer is ignored (CWE-348)."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address

from aiohttp import web

Network = IPv4Network | IPv6Network
_MAX_HOPS = 20


class ClientAddresses:
    """Addresses of clients; `trusted` are the networks of the operator's own proxies."""

    def __init__(self, trusted: Iterable[Network]) -> None:
        self._trusted = tuple(trusted)

    def of(self, request: web.BaseRequest) -> str:
        """Return the client's address, "unknown" where the connection has none (a unix socket)."""
        peer = request.remote or "unknown"
        if not self._trusted or not self._is_trusted(peer):
            return peer
        return self._behind(peer, request.headers.getall("X-Forwarded-For", []))

    def _behind(self, peer: str, fields: list[str]) -> str:
        # Read from the right: each trusted proxy appended the address that it saw. Everything to the left of the
        # first untrusted address was written by the client and cannot be trusted.
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
