"""Servers for reads or for writes alone: a request that belongs to the other server is refused, and not executed."""

from __future__ import annotations

from aiohttp import web
from aiohttp.typedefs import Middleware

from server.edge.methods import Methods, accepts
from server.edge.middleware import QUIET_ROUTES, Handler
from server.edge.problem import ProblemError


def only(methods: Methods) -> Middleware:
    """Return a middleware that refuses other methods with 421, on every path but those of health and metrics.

    The status is 421 (RFC 9110, section 15.5.20) and not 405: the resource has the method, this server does not. A
    proxy or client may repeat the request elsewhere, whatever its method, because it was not executed.
    """
    kind = "reads" if methods is Methods.READS else "writes"

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if accepts(methods, request.method, request.path) or request.path in QUIET_ROUTES:
            return await handler(request)
        raise ProblemError(
            421, "misdirected", f"This server answers {kind} alone. The proxy in front of it has to route by method."
        )

    return middleware
