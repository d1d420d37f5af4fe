"""Which requests may open a live connection; decided from the request alone, before the handshake.

Checking the origin prevents cross-site WebSocket hijacking (CWE-1385).
"""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from channels.contract.origins import origin_allowed
from channels.contract.settings import LiveSettings


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
        self.check_capacity(address)
        self.check_origin(request)

    def check_capacity(self, address: str) -> None:
        """Raise a 429 or 503 if no further connection of this address is accepted."""
        if not self._accepting:
            raise web.HTTPServiceUnavailable(text="this process is shutting down", headers={"Retry-After": "1"})
        if self._count_at(address) >= self._settings.connections_per_address:
            raise web.HTTPTooManyRequests(
                text="too many live connections from this address", headers={"Retry-After": "30"}
            )

    def check_origin(self, request: web.Request) -> None:
        """Raise a 403 for a page of a foreign origin."""
        if not origin_allowed(request.headers.get("Origin"), request.host, self._settings.allowed_origins):
            raise web.HTTPForbidden(text="pages of this origin may not connect")
