"""Who may open a live connection at all: decided from the request alone, before any handshake."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from channels.contract.settings import LiveSettings
from channels.transports.origin import origin_allowed


class Admission:
    """Let requests in, while this process accepts any and their address has not too many."""

    def __init__(self, settings: LiveSettings, count_at: Callable[[str], int]) -> None:
        self._settings = settings
        self._count_at = count_at
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
