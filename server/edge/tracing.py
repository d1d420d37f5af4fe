"""The middleware of traces around the others: one span for each request that is sampled.

It is only there if traces are configured, so that they cost nothing otherwise. Of live connections, which last for
hours, and of health checks there are no spans.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web
from aiohttp.typedefs import Middleware

from channels.contract.tracing import Tracing
from server.edge.client_addresses import ClientAddresses

HEADER = "traceparent"
_UNTRACED = ("/connection/", "/healthz", "/readyz", "/metrics")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def traced(tracing: Tracing, addresses: ClientAddresses) -> Middleware:
    """Return the middleware; the `traceparent` of a client counts only if a trusted proxy sends it."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith(_UNTRACED):
            return await handler(request)
        given = request.headers.get(HEADER)
        parent = tracing.sample(given if given is not None and addresses.is_proxy(request) else None)
        if parent is None:
            return await handler(request)
        resource = request.match_info.route.resource
        route = resource.canonical if resource is not None else "unknown"
        span = tracing.begin(f"{request.method} {route}", parent)
        # Events that the request emits take it from this context, which is that of the request alone.
        structlog.contextvars.bind_contextvars(traceparent=span.traceparent)
        status = 499  # the client has gone
        try:
            response = await handler(request)
            status = response.status
        finally:
            attributes: dict[str, str | int] = {"http.route": route, "http.request.method": request.method}
            span.end(**attributes, **{"http.response.status_code": status})
        return response

    return middleware
