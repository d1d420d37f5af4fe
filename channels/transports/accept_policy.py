"""Which requests may open a live connection; decided from the request alone, before the handshake.

Checking the origin prevents cross-site WebSocket hijacking (CWE-1385).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from urllib.parse import urlsplit

from aiohttp import web

from channels.contract.settings import LiveSettings

_DEFAULT_PORTS = {"http": 80, "https": 443}


class AcceptPolicy:
    """Checks whether this process accepts connections, the origin, and the connections per address."""

    def __init__(self, settings: LiveSettings, count_at_address: Callable[[str], int]) -> None:
        self._settings = settings
        self._count_at = count_at_address
        self._accepting = True

    def stop(self) -> None:
        """Reject all requests with 503 from now on."""
        self._accepting = False

    def check(self, request: web.Request, address: str) -> None:
        """Raise `web.HTTPException` 403, 429 or 503 if the request is not accepted."""
        if not self._accepting:
            raise web.HTTPServiceUnavailable(text="this process is shutting down", headers={"Retry-After": "1"})
        self.check_origin(request)
        if self._count_at(address) >= self._settings.connections_per_address:
            raise web.HTTPTooManyRequests(
                text="too many live connections from this address", headers={"Retry-After": "30"}
            )

    def check_origin(self, request: web.Request) -> None:
        """Raise a 403 for a page of a foreign origin."""
        if not origin_allowed(request.headers.get("Origin"), request.host, self._settings.allowed_origins):
            raise web.HTTPForbidden(text="pages of this origin may not connect")


def origin_allowed(origin: str | None, host: str, allowed: Collection[str]) -> bool:
    """Return whether a request with this `Origin` header may connect to the host of its `Host` header.

    Programs other than browsers send no origin and may connect. A page may connect if it was loaded from the same host
    and port, or if its origin is in `allowed`; "*" allows all. The opaque origin "null" is never allowed by itself.
    """
    if origin is None or "*" in allowed:
        return True
    given = _normal(origin)
    if given is None:
        return False
    if given in {_normal(entry) for entry in allowed}:
        return True
    # Behind a proxy that terminates TLS the scheme is unknown here; host and port are known.
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
