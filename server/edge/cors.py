"""CORS: pages of the origins in `server.allowed_origins` may use the API and read its responses.

The rules are those of the Fetch standard (https://fetch.spec.whatwg.org/#http-cors-protocol). Other origins get no
CORS headers, so their pages can neither read a response nor send a request that needs a preflight. The live endpoints
have their own headers (`channels.transports`).
"""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import web

from channels.contract.origins import parse_origin
from server.edge.api_request import DEGRADED
from server.edge.authentication import CSRF_HEADER
from server.edge.endpoint import PREFIX
from server.edge.idempotency import HEADER
from server.edge.positions import HEADER as POSITION_HEADER

# Applications that run in browsers exchange their codes themselves.
_PATHS = (f"{PREFIX}/", "/graphql", "/media/", "/oauth/", "/.well-known/oauth-authorization-server")
_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
# "*" would include neither Authorization nor, with credentials, any other header.
_REQUEST_HEADERS = (
    f"Authorization, Content-Type, {HEADER}, {CSRF_HEADER}, {POSITION_HEADER}, X-Request-Id, "
    "If-Match, If-None-Match, If-Modified-Since, If-Range, Range, Content-Digest, "
    "Tus-Resumable, Upload-Length, Upload-Offset, Upload-Metadata, Upload-Checksum, X-HTTP-Method-Override"
)
_RESPONSE_HEADERS = (
    f"X-Request-Id, {POSITION_HEADER}, {DEGRADED}, "
    "RateLimit, RateLimit-Policy, Retry-After, Idempotent-Replayed, Location, Allow, WWW-Authenticate, "
    "ETag, Accept-Ranges, Content-Range, Content-Disposition, "
    "Tus-Resumable, Tus-Version, Tus-Extension, Tus-Max-Size, Tus-Checksum-Algorithm, "
    "Upload-Offset, Upload-Length, Upload-Expires, Upload-Metadata"
)
_MAX_AGE = "86400"  # seconds for which a browser may keep the result of a preflight


class CrossOrigin:
    """CORS headers for pages of the allowed origins.

    With "*" pages of every origin may use the API, but with cookies only those of origins that are also listed.
    """

    def __init__(self, allowed: Iterable[str]) -> None:
        listed = set(allowed)
        self._any = "*" in listed
        self._origins = {parse_origin(entry) for entry in listed} - {None}

    def preflight(self, request: web.Request) -> web.Response | None:
        """Return the response to a preflight request from an allowed origin, or None for any other request."""
        if request.method != "OPTIONS" or "Access-Control-Request-Method" not in request.headers:
            return None
        if "Access-Control-Allow-Origin" not in self.headers(request):
            return None
        # `headers` are added to every response, this one included.
        fields = {
            "Access-Control-Allow-Methods": _METHODS,
            "Access-Control-Allow-Headers": _REQUEST_HEADERS,
            "Access-Control-Max-Age": _MAX_AGE,
        }
        return web.Response(status=204, headers=fields)

    def headers(self, request: web.BaseRequest) -> dict[str, str]:
        """Return the header fields that a response to the request needs."""
        if not (self._any or self._origins) or not request.path.startswith(_PATHS):
            return {}
        given = request.headers.get("Origin")
        if given is not None and parse_origin(given) in self._origins:
            return {
                "Access-Control-Allow-Origin": given,
                "Access-Control-Allow-Credentials": "true",
                "Access-Control-Expose-Headers": _RESPONSE_HEADERS,
                "Vary": "Origin",
            }
        # Caches must keep the responses for different origins apart, so requests without one get `Vary` as well.
        others = {"Vary": "Origin"} if self._origins else {}
        if given is None or not self._any:
            return others
        return {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": _RESPONSE_HEADERS, **others}
