"""Whether an IP address may be dialled on behalf of a user.

Only addresses that are reachable from the whole internet may be. The networks are those of IANA's registries of
special-purpose addresses (RFC 6890); they are listed here because Python's `ipaddress` knows only those of its own
release. An IPv6 address in which an IPv4 address is embedded is judged by that, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from workers.outbound.policy import Network

Address = IPv4Address | IPv6Address

# Services of clouds that give out credentials, under addresses that an allowed network may contain by accident.
_METADATA = {
    IPv4Address("169.254.169.254"),  # nearly all
    IPv4Address("169.254.170.2"),  # containers at Amazon
    IPv4Address("100.100.100.200"),  # Alibaba
    IPv4Address("168.63.129.16"),  # Azure, although it is a public address
    IPv4Address("192.0.0.192"),  # Oracle
    IPv6Address("fd00:ec2::254"),  # Amazon
    IPv6Address("fd20:ce::254"),  # Google
}
_KINDS: Sequence[tuple[str, Network]] = [
    (kind, IPv6Network(network) if ":" in network else IPv4Network(network))
    for kind, networks in (
        ("unspecified", "0.0.0.0/8 ::/128"),
        ("loopback", "127.0.0.0/8 ::1/128"),
        ("private", "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7 fec0::/10"),
        ("shared", "100.64.0.0/10"),
        ("link-local", "169.254.0.0/16 fe80::/10"),
        ("multicast", "224.0.0.0/4 ff00::/8"),
        ("broadcast", "255.255.255.255/32"),
        ("documentation", "192.0.2.0/24 198.51.100.0/24 203.0.113.0/24 2001:db8::/32 3fff::/20"),
        ("reserved", "192.0.0.0/24 192.88.99.0/24 198.18.0.0/15 240.0.0.0/4 100::/64 100:0:0:1::/64 5f00::/16"),
        # Teredo (2001::/32) among them.
        ("reserved", "2001::/23"),
        ("translated", "64:ff9b:1::/48"),
    )
    for network in networks.split()
]
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
_SIX_TO_FOUR = IPv6Network("2002::/16")


def refusal_of(address: str | Address, allowed: Sequence[Network] = ()) -> str | None:
    """Return the kind of an address that must not be dialled, as "private", or None if it may be.

    Addresses in the networks `allowed` may be, except those of metadata services.
    """
    try:
        found = ip_address(address) if isinstance(address, str) else address
    except ValueError:
        return "malformed"
    if isinstance(found, IPv6Address) and found.scope_id is not None:
        return "link-local"
    found = _plain(found)
    if found in _METADATA:
        return "metadata"
    if any(found in network for network in allowed if network.version == found.version):
        return None
    return _kind_of(found)


def _plain(address: Address) -> Address:
    """Return the IPv4 address that the system dials for one of the form ::ffff:a.b.c.d."""
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


def _kind_of(address: Address) -> str | None:
    embedded = _embedded(address)
    if embedded is not None:
        return "metadata" if embedded in _METADATA else _kind_of(embedded)
    for kind, network in _KINDS:
        if address.version == network.version and address in network:
            return kind
    if address.version == 6 and address not in _GLOBAL_UNICAST:
        return "reserved"
    return None if address.is_global else "reserved"


def _embedded(address: Address) -> IPv4Address | None:
    """Return the IPv4 address to which a gateway forwards: of NAT64 (RFC 6052) or 6to4 (RFC 3056)."""
    if isinstance(address, IPv4Address):
        return None
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.sixtofour if address in _SIX_TO_FOUR else None
