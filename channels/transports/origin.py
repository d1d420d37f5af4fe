"""Decide which web pages may open a live connection (CWE-1385: cross-site WebSocket hijacking)."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}


def origin_allowed(origin: str | None, host: str, allowed: Collection[str]) -> bool:
    """Tell whether a request with this `Origin` may connect to the host named in its `Host` header.

    Programs send no origin and may. A page may if it was loaded from the same host and port, or if
    its origin is listed; "*" lists all. The opaque origin "null" is nobody's.
    """
    if origin is None or "*" in allowed:
        return True
    given = _normal(origin)
    if given is None:
        return False
    if given in {_normal(entry) for entry in allowed}:
        return True
    # The scheme before a proxy that ends TLS is not known here; host and port are.
    scheme, name, port = given
    return (name, port) in {(own[1], own[2]) for own in (_normal(f"{scheme}://{host}"),) if own is not None}


def _normal(origin: str) -> tuple[str, str, int] | None:
    """Return scheme, host and port of a web origin, or None if it is not one."""
    try:
        parts = urlsplit(origin)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or parts.path not in ("", "/"):
        return None
    return parts.scheme, parts.hostname, port or _DEFAULT_PORTS[parts.scheme]
