"""CORS: pages of the allowed origins may send every request of the API and read the response; others may not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from server.edge.access_log import EventLog
from server.edge.client_addresses import ClientAddresses
from server.edge.cors import CrossOrigin
from server.edge.middleware import NoHttpMetrics, edge

PHOTOS, OTHER = "https://photos.example", "https://other.example"
ASKED = {"Origin": PHOTOS, "Access-Control-Request-Method": "PATCH"}

Client = TestClient[web.Request, web.Application]
Serve = Callable[..., AbstractAsyncContextManager[Client]]


@pytest.fixture
def serve() -> Serve:
    """Return a function that serves an API for the allowed origins."""

    @asynccontextmanager
    async def serve(*allowed: str) -> AsyncIterator[Client]:
        async def respond(_request: web.Request) -> web.Response:
            return web.Response(text="content")

        middleware = edge(ClientAddresses(()), CrossOrigin(allowed), NoHttpMetrics(), EventLog(), secure=False)
        app = web.Application(middlewares=[middleware])
        for path in ("/api/v1/users/me", "/media/image", "/oauth/token", "/page"):
            app.router.add_get(path, respond)
        async with TestClient(TestServer(app)) as client:
            yield client

    return serve


async def test_a_page_of_an_allowed_origin_may_use_the_api(serve: Serve) -> None:
    """A preflight lists the methods and headers of the API; credentials are allowed."""
    async with serve(f"{PHOTOS}/", OTHER) as client:
        response = await client.options("/api/v1/users/me", headers=ASKED)
        assert response.status == 204
        headers = response.headers
        assert headers["Access-Control-Allow-Origin"] == PHOTOS
        assert headers["Access-Control-Allow-Credentials"] == "true"
        assert {"PUT", "PATCH", "DELETE", "POST"} <= set(headers["Access-Control-Allow-Methods"].split(", "))
        assert {"Authorization", "Content-Type", "X-CSRF-Token", "Idempotency-Key"} <= set(
            headers["Access-Control-Allow-Headers"].split(", ")
        )
        assert int(headers["Access-Control-Max-Age"]) > 0
        assert headers["Vary"] == "Origin"


@pytest.mark.parametrize("path", ["/api/v1/users/me", "/media/image", "/oauth/token", "/api/v1/nothing"])
async def test_every_response_can_be_read(serve: Serve, path: str) -> None:
    """Successes and errors have the origin, and expose the headers that clients use."""
    async with serve(PHOTOS) as client:
        headers = (await client.get(path, headers={"Origin": PHOTOS})).headers
        assert headers["Access-Control-Allow-Origin"] == PHOTOS
        assert headers["Access-Control-Allow-Credentials"] == "true"
        assert {"RateLimit", "Retry-After", "X-Request-Id", "Idempotent-Replayed"} <= set(
            headers["Access-Control-Expose-Headers"].split(", ")
        )
        # A cache must not give a response without the headers to that page.
        vary = (await client.get(path)).headers["Vary"]
        # Errors depend on the language as well.
        assert vary in {"Origin", "Accept-Language, Cookie, Origin"}


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "http://photos.example", "https://photos.example:8443", "null", "", "x"]
)
async def test_pages_of_other_origins_get_nothing(serve: Serve, origin: str) -> None:
    """Neither a preflight nor a response has CORS headers for an origin that is not listed."""
    async with serve(PHOTOS) as client:
        preflight = await client.options("/api/v1/users/me", headers={**ASKED, "Origin": origin})
        response = await client.get("/api/v1/users/me", headers={"Origin": origin})
        for headers in (preflight.headers, response.headers):
            assert not [name for name in headers if name.startswith("Access-Control")]
        assert preflight.status == 405


async def test_every_origin_may_be_allowed_without_cookies(serve: Serve) -> None:
    """With "*" other origins get no credentials; those that are also listed do."""
    async with serve("*", PHOTOS) as client:
        other = (await client.get("/api/v1/users/me", headers={"Origin": OTHER})).headers
        assert other["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Credentials" not in other
        listed = (await client.get("/api/v1/users/me", headers={"Origin": PHOTOS})).headers
        assert (listed["Access-Control-Allow-Origin"], listed["Access-Control-Allow-Credentials"]) == (PHOTOS, "true")
        assert (await client.options("/api/v1/users/me", headers={**ASKED, "Origin": OTHER})).status == 204


async def test_pages_and_services_without_origins_have_no_cors(serve: Serve) -> None:
    """The headers are those of the API and of images, and only where origins are configured."""
    async with serve(PHOTOS) as client:
        assert "Access-Control-Allow-Origin" not in (await client.get("/page", headers={"Origin": PHOTOS})).headers
        # Without a requested method it is no preflight, but a request like any other.
        assert (await client.options("/api/v1/users/me", headers={"Origin": PHOTOS})).status == 405
    async with serve() as client:
        headers = (await client.get("/api/v1/users/me", headers={"Origin": PHOTOS})).headers
        assert "Access-Control-Allow-Origin" not in headers
        assert "Vary" not in headers
