"""Which addresses may be dialled."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.outbound.addresses import refusal_of

REFUSED = {
    "unspecified": ["0.0.0.0", "0.1.2.3", "::"],
    "loopback": ["127.0.0.1", "127.255.255.254", "::1"],
    "private": [
        *("10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1"),
        *("fc00::1", "fd12:3456:789a::1", "fec0::1"),
    ],
    "shared": ["100.64.0.1", "100.127.255.255"],
    "link-local": ["169.254.0.1", "fe80::1", "fe80::1%eth0", "2600::1%eth0"],
    "multicast": ["224.0.0.1", "239.255.255.255", "ff02::1"],
    "documentation": ["192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1"],
    "reserved": [
        *("192.0.0.1", "192.88.99.1", "198.18.0.1", "198.19.255.255", "240.0.0.1", "255.255.255.254"),
        *("100::1", "5f00::1", "2001::1", "2001:2::1", "2001:10::1", "4000::1", "::7f00:1", "1::1", "fe00::1"),
        "2001:0:c000:0201:0:0:f5ff:fffe",  # Teredo with 10.0.0.1
        "2001:0:808:808:0:0:f7f7:f7f7",  # Teredo with a public address
    ],
    "broadcast": ["255.255.255.255"],
    "translated": ["64:ff9b:1::7f00:1", "64:ff9b:1::808:808"],
    "metadata": [
        *("169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16", "192.0.0.192"),
        *("fd00:ec2::254", "fd20:ce::254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1"),
    ],
    "malformed": ["", "127.1", "0x7f.0.0.1", "2130706433", "127.0.0.1.", "localhost", "１２７.0.0.1", "127.0.0.01"],
}
EMBEDDED = [
    ("::ffff:127.0.0.1", "loopback"),
    ("::ffff:10.0.0.1", "private"),
    ("2002:7f00:1::1", "loopback"),
    ("2002:c0a8:101::1", "private"),
    ("64:ff9b::7f00:1", "loopback"),
    ("64:ff9b::a00:1", "private"),
]
PUBLIC = [
    *("8.8.8.8", "1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255"),
    *("128.0.0.1", "172.15.255.255", "172.32.0.0", "192.167.255.255", "192.169.0.0", "223.255.255.255"),
    *("2606:4700:4700::1111", "2a00:1450:4001::1", "2400:cb00::1", "::ffff:8.8.8.8"),
    *("2002:808:808::1", "64:ff9b::808:808"),
]


@pytest.mark.parametrize(("kind", "address"), [(kind, each) for kind, found in REFUSED.items() for each in found])
def test_addresses_that_are_not_public(kind: str, address: str) -> None:
    """Each address is refused, with its kind."""
    assert refusal_of(address) == kind


@pytest.mark.parametrize(("address", "kind"), EMBEDDED)
def test_an_embedded_address_is_judged(address: str, kind: str) -> None:
    """An IPv6 address that leads to an IPv4 address is refused if that is."""
    assert refusal_of(address) == kind


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses(address: str) -> None:
    """Addresses of the internet may be dialled, also those next to a refused network."""
    assert refusal_of(address) is None


def test_allowed_networks() -> None:
    """An address in an allowed network may be dialled, in either form; its neighbours may not."""
    allowed = [ip_network("10.0.5.0/24"), ip_network("fd00::/8"), ip_network("127.0.0.1")]
    for address in ("10.0.5.7", "::ffff:10.0.5.7", "fd00::7", "127.0.0.1"):
        assert refusal_of(address, allowed) is None
    for address in ("10.0.6.7", "fc00::7", "127.0.0.2", "::1", "64:ff9b::a00:507", "2002:a00:507::1"):
        assert refusal_of(address, allowed) is not None


@pytest.mark.parametrize("address", REFUSED["metadata"][:8])
def test_metadata_services_are_never_allowed(address: str) -> None:
    """Credentials of a cloud are not given out, even if an allowed network contains the address of its service."""
    assert refusal_of(address, [ip_network("0.0.0.0/0"), ip_network("::/0")]) == "metadata"


@given(st.ip_addresses(v=4))
def test_every_form_of_an_address_has_the_same_answer(address: IPv4Address) -> None:
    """No embedding of an IPv4 address is allowed where the address is not."""
    kind, number = refusal_of(address), int(address)
    for prefix, shift in (("::ffff:0:0", 0), ("64:ff9b::", 0), ("2002::", 80)):
        assert refusal_of(IPv6Address(int(ip_address(prefix)) | number << shift)) == kind


@given(st.ip_addresses())
def test_nothing_that_python_knows_as_special_is_allowed(address: IPv4Address | IPv6Address) -> None:
    """The list of this project refuses at least what `ipaddress` does; embedded addresses have their own tests."""
    if isinstance(address, IPv6Address) and (address.ipv4_mapped or address in ip_network("64:ff9b::/96")):
        return
    if refusal_of(address) is None:
        special = (address.is_private, address.is_loopback, address.is_link_local, address.is_multicast)
        assert not any((*special, address.is_reserved, address.is_unspecified))
