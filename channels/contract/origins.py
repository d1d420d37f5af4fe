"""Web origins (RFC 6454), as a browser sends them in the header `Origin`."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple
from urllib.parse import urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}


class Origin(NamedTuple):
    """An origin in normal form: the scheme and host in lower case, and the port."""

    scheme: str
    host: str
    port: int


def parse_origin(text: str) -> Origin | None:
    """Return the origin that a text denotes, or None if it denotes none, as the opaque origin "null"."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or parts.path not in ("", "/"):
        return None
    # An origin has no user, query or fragment, and no wildcard.
    if "@" in parts.netloc or "*" in parts.hostname or parts.query or parts.fragment:
        return None
    return Origin(parts.scheme, parts.hostname, port or _DEFAULT_PORTS[parts.scheme])


def origin_allowed(origin: str | None, host: str, allowed: Collection[str]) -> bool:
    """Return whether a request with this `Origin` header may connect to the host of its `Host` header.

    Programs other than browsers send no origin and may connect. A page may connect if it was loaded from the same host
    and port, or if its origin is in `allowed`; "*" allows all. The opaque origin "null" is never allowed by itself.
    """
    if origin is None or "*" in allowed:
        return True
    given = parse_origin(origin)
    if given is None:
        return False
    if given in {parse_origin(entry) for entry in allowed}:
        return True
    # Behind a proxy that terminates TLS the scheme is unknown here; host and port are known.
    own = parse_origin(f"{given.scheme}://{host}")
    return own is not None and (own.host, own.port) == (given.host, given.port)
