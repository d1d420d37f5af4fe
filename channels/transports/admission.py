"""Who may open a live connection at all: decided from the request alone, before any handshake."""

from __future__ import annotations

from collections.abc import Callable, Collection
from urllib.parse import urlsplit

from aiohttp import web

from channels.contract.settings import LiveSettings

_DEFAULT_PORTS = {"http": 80, "https": 443}


class Admission:
    """Let requests in, while this process accepts any and their address has not too many."""

    def __init__(self, settings: LiveSettings, count_at_address: Callable[[str], int]) -> None:
        self._settings = settings
        self._count_at = count_at_address
        self._accepting = True

    def stop(self) -> None:
        """Answer 503 from now on."""
        self._accepting = False

    def admit(self, request: web.Request, address: str) -> None:
        """Raise `web.HTTPException` 403, 429 or 503 for who may not."""
        if not self._accepting:
            raise web.HTTPServiceUnavailable(text="this process is shutting down", headers={"Retry-After": "1"})
        self.admit_origin(request)
        if self._count_at(address) >= self._settings.connections_per_address:
            raise web.HTTPTooManyRequests(
                text="too many live connections from this address", headers={"Retry-After": "30"}
            )

    def admit_origin(self, request: web.Request) -> None:
        """Raise a 403 for pages of foreign origins."""
        if not origin_allowed(request.headers.get("Origin"), request.host, self._settings.allowed_origins):
            raise web.HTTPForbidden(text="pages of this origin may not connect")


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
