"""Connections to supplied addresses: every address is checked at the moment when its socket is made.

aiohttp asks the resolver for names alone, not for literal addresses, and a name may resolve to other addresses than at
the last check. So the check is in the factory of sockets, which receives the address that will be dialled.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from workers.outbound.addresses import refusal_of
from workers.outbound.errors import OutboundError
from workers.outbound.policy import OutboundPolicy
from workers.outbound.resolving import Resolver

_CACHED = 10  # seconds for which the addresses of a name are kept

AddressInfo = tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[Any, ...]]


def make_connector(
    policy: OutboundPolicy, resolver: Resolver, ssl_context: ssl.SSLContext | None = None
) -> aiohttp.TCPConnector:
    """Return a connector that dials allowed addresses only; others raise `OutboundError("address_refused")`.

    A connection serves one request: a peer can then neither send a response ahead nor end one that is reused.
    """
    return aiohttp.TCPConnector(
        resolver=_CheckedResolver(policy, resolver),
        socket_factory=socket_factory(policy),
        ssl=ssl_context or True,
        ttl_dns_cache=_CACHED,
        limit=0,
        force_close=True,
    )


def socket_factory(policy: OutboundPolicy) -> Callable[[AddressInfo], socket.socket]:
    """Return a factory of sockets for allowed addresses."""

    def make(info: AddressInfo) -> socket.socket:
        family, kind, protocol, _, address = info
        _require_allowed(str(address[0]), policy)
        return socket.socket(family, kind, protocol)

    return make


class _CheckedResolver(AbstractResolver):
    """Refuses a name as a whole if any of its addresses is not allowed; which one is dialled is up to chance."""

    def __init__(self, policy: OutboundPolicy, resolver: Resolver) -> None:
        self._policy = policy
        self._resolver = resolver

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        del family  # the connector has no preference
        addresses = await self._resolver.lookup(host)
        for address in addresses:
            _require_allowed(address, self._policy)
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in addresses
        ]

    async def close(self) -> None:
        """Do nothing; the resolver belongs to the caller."""


def _require_allowed(address: str, policy: OutboundPolicy) -> None:
    kind = refusal_of(address, policy.allowed_networks)
    if kind is not None:
        raise OutboundError("address_refused", f"the host has an address that is not public ({kind})")
