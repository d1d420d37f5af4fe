"""The policy of requests to supplied addresses: schemes, ports, and networks that are allowed by exception."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, kw_only=True, slots=True)
class OutboundPolicy:
    """What a URL may have. By default https at the two usual ports of public addresses.

    `ports` is None if every port is allowed. Addresses in `allowed_networks` are allowed although they are not public.
    """

    schemes: frozenset[str] = frozenset({"https"})
    ports: frozenset[int] | None = frozenset({443, 8443})
    allowed_networks: tuple[Network, ...] = ()


# For addresses that only the operator sets, in the settings of the installation; never for one that a user supplies.
TRUSTED = OutboundPolicy(
    schemes=frozenset({"http", "https"}), ports=None, allowed_networks=(ip_network("0.0.0.0/0"), ip_network("::/0"))
)
