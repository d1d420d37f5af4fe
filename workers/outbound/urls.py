"""The check of a URL that a user or operator supplies, when it is stored.

It is for the user: what is refused here could not be dialled later. What protects the network is the check of each
address at the moment when it is dialled (`workers.outbound.dialling`), because a name may have another one by then.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address

from yarl import URL

from workers.outbound.addresses import Address, refusal_of
from workers.outbound.errors import OutboundError, UrlRefusedError
from workers.outbound.policy import OutboundPolicy
from workers.outbound.resolving import Resolver

MAX_LENGTH = 2048  # characters
MAX_NAME = 253  # characters of a host name (RFC 1035)
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f-\x9f\\]|\s")
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_OCTET = re.compile(r"0|[1-9][0-9]{0,2}")
_NOT_PUBLIC = (
    "The host {host} has no public address. Check the spelling of its name, and that it is reachable from the internet."
)


def check_url(text: str, policy: OutboundPolicy) -> URL:
    """Return a URL whose syntax, scheme, port and literal address the policy allows; raise `UrlRefusedError`."""
    if len(text) > MAX_LENGTH:
        raise UrlRefusedError(f"The URL has {len(text)} characters; at most {MAX_LENGTH} are possible.")
    if _FORBIDDEN.search(text):
        raise UrlRefusedError(
            "The URL has a space, a backslash or a control character. Write it as %XX if it is needed."
        )
    try:
        url = URL(text)
        port = url.port
    except (ValueError, IndexError) as error:  # yarl raises the latter for brackets before an @ without a host
        raise UrlRefusedError("This is not a URL. Write one as https://example.com/path.") from error
    _check_scheme(url, policy)
    if not url.raw_host:
        raise UrlRefusedError("The URL has no host. Write it as https://example.com/path.")
    if "@" in text.split("://", 1)[-1].split("/", 1)[0].split("?", 1)[0].split("#", 1)[0]:
        raise UrlRefusedError("The URL has a user or password before the host. Leave out everything up to the @.")
    if "#" in text:
        raise UrlRefusedError("The URL has a fragment, which is never sent. Leave out the # and what follows it.")
    _check_port(port, policy)
    _check_host(url.raw_host, policy)
    return url


async def check_url_resolves(text: str, policy: OutboundPolicy, resolver: Resolver) -> URL:
    """Check a URL, and that all addresses of its host may be dialled; raise `UrlRefusedError`.

    The error does not say whether a name has no address or a forbidden one: names and addresses of the internal
    network are not for users.
    """
    url = check_url(text, policy)
    host = url.raw_host or ""
    if address_in(host) is not None:
        return url  # has been checked
    try:
        addresses = await resolver.lookup(host)
    except OutboundError as error:
        raise UrlRefusedError(_NOT_PUBLIC.format(host=host)) from error
    if not addresses or any(refusal_of(address, policy.allowed_networks) for address in addresses):
        raise UrlRefusedError(_NOT_PUBLIC.format(host=host))
    return url


def address_in(host: str) -> Address | None:
    """Return the address if a host is one in its only accepted form, or None; a name is None, too."""
    try:
        if ":" in host:
            return IPv6Address(host)
        parts = host.split(".")
        return IPv4Address(host) if len(parts) == 4 and all(map(_OCTET.fullmatch, parts)) else None
    except ValueError:
        return None


def _check_scheme(url: URL, policy: OutboundPolicy) -> None:
    if url.scheme not in policy.schemes:
        names = " or ".join(f"{scheme}://" for scheme in sorted(policy.schemes, reverse=True))
        raise UrlRefusedError(f"The URL should begin with {names}.")


def _check_port(port: int | None, policy: OutboundPolicy) -> None:
    if not port or (policy.ports is not None and port not in policy.ports):
        names = " or ".join(map(str, sorted(policy.ports or ()))) or "a number from 1 to 65535"
        raise UrlRefusedError(f"The port {port} is not possible; it should be {names}.")


def _check_host(host: str, policy: OutboundPolicy) -> None:
    address = address_in(host)
    if address is not None:
        kind = refusal_of(address, policy.allowed_networks)
        if kind is not None:
            raise UrlRefusedError(f"The address {address} is not a public one ({kind}). Use the public address.")
        return
    labels = host.removesuffix(".").split(".")
    # Systems take 127.1, 2130706433 and 0x7f.1 for addresses, too: WHATWG's rule of a host that "ends in a number".
    if ":" in host or _NUMBER.fullmatch(labels[-1]):
        raise UrlRefusedError(f"The host {host} is not an address. Write one as 192.0.2.1 or [2001:db8::1].")
    if len(host) > MAX_NAME or not all(map(_LABEL.fullmatch, labels)):
        raise UrlRefusedError(f"The host {host} is not a name. Write one as example.com.")
    if labels[-1] == "localhost" and refusal_of("127.0.0.1", policy.allowed_networks):
        raise UrlRefusedError(_NOT_PUBLIC.format(host=host))
