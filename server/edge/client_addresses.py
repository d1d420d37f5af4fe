"""Find the client's address behind trusted proxies; the header of any other peer is ignored (CWE-348)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from aiohttp import web

Network = IPv4Network | IPv6Network
_MAX_HOPS = 20
_WITH_PORT = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::[0-9]{1,5})?|([0-9.]+):[0-9]{1,5}")


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

    def is_proxy(self, request: web.BaseRequest) -> bool:
        """Return whether a trusted proxy has sent the request."""
        return self._is_trusted(request.remote or "")

    def _behind(self, peer: str, fields: list[str]) -> str:
        # Read from the right: each trusted proxy appended the address that it saw. Everything to the left of the
        # first untrusted address was written by the client and cannot be trusted.
        address = peer
        for hop in list(reversed(",".join(fields).split(",")))[:_MAX_HOPS]:
            candidate = _without_port(hop.strip())
            if _parsed(candidate) is None:
                break
            address = candidate
            if not self._is_trusted(candidate):
                break
        return address

    def _is_trusted(self, address: str) -> bool:
        parsed = _parsed(address)
        return parsed is not None and any(
            parsed.version == network.version and parsed in network for network in self._trusted
        )


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    try:
        parsed = ip_address(text)
    except ValueError:
        return None
    # A dual-stack socket shows an IPv4 peer as ::ffff:10.0.0.1, which is in no IPv4 network.
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return mapped or parsed


def _without_port(hop: str) -> str:
    """Return the address of `203.0.113.1:4711`, `[2001:db8::1]:4711` or `[2001:db8::1]`; other texts unchanged."""
    # Some load balancers append the client's port, and RFC 7239 writes IPv6 addresses in quotes and brackets.
    hop = hop.strip('"')
    match = _WITH_PORT.fullmatch(hop)
    return (match[1] or match[2]) if match else hop
