"""The middleware of traces."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_network

import pytest
import structlog
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from server.edge.client_addresses import ClientAddresses
from server.edge.tracing import traced


@dataclass
class RecordedSpan:
    """A span, with its attributes once it has ended."""

    name: str
    parent: str
    traceparent: str = "00-of-the-span-01"
    attributes: dict[str, str | int] = field(default_factory=dict)

    def end(self, **attributes: str | int) -> None:
        """Keep the attributes."""
        self.attributes = attributes


class RecordedTracing:
    """Samples what is given, and keeps all spans."""

    def __init__(self) -> None:
        self.spans: list[RecordedSpan] = []

    def sample(self, given: str | None) -> str | None:
        """Return what is given."""
        return given

    def begin(self, name: str, parent: str, *, start: float | None = None) -> RecordedSpan:
        """Keep a span."""
        assert start is None
        self.spans.append(RecordedSpan(name, parent))
        return self.spans[-1]


async def handler(_request: web.Request) -> web.Response:
    """Respond with the trace in the context."""
    return web.Response(text=str(structlog.contextvars.get_contextvars().get("traceparent")), status=201)


async def client_of(tracing: RecordedTracing, *proxies: str) -> TestClient[web.Request, web.Application]:
    """Return a client of an application with the middleware."""
    addresses = ClientAddresses([ip_network(proxy) for proxy in proxies])
    app = web.Application(middlewares=[traced(tracing, addresses)])
    for path in ("/photos/{id}", "/healthz", "/connection/websocket"):
        app.router.add_get(path, handler)
    client = TestClient(TestServer(app))
    await client.start_server()
    return client


async def test_a_sampled_request_has_a_span() -> None:
    """Its name is the route, never the path; what it emits carries its trace, and the next request does not."""
    tracing = RecordedTracing()
    client = await client_of(tracing, "127.0.0.1")
    try:
        response = await client.get("/photos/5", headers={"traceparent": "given"})
        assert await response.text() == "00-of-the-span-01"
        # The same connection serves both.
        assert await (await client.get("/photos/6")).text() == "None"
    finally:
        await client.close()
    (span,) = tracing.spans
    assert (span.name, span.parent) == ("GET /photos/{id}", "given")
    assert span.attributes == {
        "http.route": "/photos/{id}",
        "http.request.method": "GET",
        "http.response.status_code": 201,
    }


@pytest.mark.parametrize(
    ("path", "proxies"),
    [("/photos/5", ["10.0.0.0/8"]), ("/healthz", ["127.0.0.1"]), ("/connection/websocket", ["127.0.0.1"])],
    ids=["from a client", "health", "live"],
)
async def test_what_has_no_span(path: str, proxies: list[str]) -> None:
    """A client cannot have its requests traced; health checks and live connections never are."""
    tracing = RecordedTracing()
    client = await client_of(tracing, *proxies)
    try:
        await client.get(path, headers={"traceparent": "given"})
    finally:
        await client.close()
    assert tracing.spans == []
