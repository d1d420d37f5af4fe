"""An HTTP server in the place of an object store, which answers as a test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.test_utils import TestServer

from storage.blobs.s3_address import S3Address

Respond = Callable[[web.Request], Awaitable[web.StreamResponse]]


class FaultyStore:
    """The requests that have arrived, and the function that answers them."""

    def __init__(self, respond: Respond) -> None:
        self.respond = respond
        self.requests: list[web.Request] = []
        self.address = S3Address(bucket="photos")

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        self.requests.append(request)
        await request.read()
        return await self.respond(request)


@asynccontextmanager
async def faulty_store(respond: Respond) -> AsyncIterator[FaultyStore]:
    """Run the server until the end of the block."""
    store, app = FaultyStore(respond), web.Application(client_max_size=100_000_000)
    app.router.add_route("*", "/{path:.*}", store.handle)
    async with TestServer(app) as server:
        store.address = S3Address(bucket="photos", endpoint=f"http://127.0.0.1:{server.port}")
        yield store


def status(code: int, error: str) -> Respond:
    """Return a function that answers every request with an error of S3."""

    async def respond(_request: web.Request) -> web.StreamResponse:
        text = f"<?xml version='1.0'?><Error><Code>{error}</Code><Message>m</Message></Error>"
        return web.Response(status=code, text=text, content_type="application/xml")

    return respond


async def stall(_request: web.Request) -> web.StreamResponse:
    """Answer nothing."""
    await asyncio.Event().wait()
    raise AssertionError("the wait has no end")


async def close(request: web.Request) -> web.StreamResponse:
    """Close the connection."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()
