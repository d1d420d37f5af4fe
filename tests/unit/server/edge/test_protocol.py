"""Requests that no handler sees: the response is a problem with our headers, and discloses no version."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from functools import partial

import pytest
from aiohttp import web

from server.edge.protocol import HttpProtocol
from tests.support.eventually import DEADLINE
from tests.support.raw_http import RawResponse, exchange


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """The port of a server without any middleware."""

    async def respond(_request: web.Request) -> web.Response:
        return web.Response(text="content")

    async def fail(_request: web.Request) -> web.Response:
        raise RuntimeError("secret detail")

    app = web.Application()
    app.router.add_get("/", respond)
    app.router.add_get("/fail", fail)
    runner = web.AppRunner(app, handle_signals=False)
    await runner.setup()
    loop = asyncio.get_running_loop()
    assert runner.server is not None
    connect = partial(HttpProtocol, runner.server, loop=loop, secure=True, access_log=None)
    server = await loop.create_server(connect, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await runner.cleanup()


def problem_in(response: RawResponse) -> tuple[dict[str, str], dict[str, object]]:
    """Return the header fields and the problem of a response."""
    head, _, body = response.text.partition("\r\n\r\n")
    fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:])
    problem: dict[str, object] = json.loads(body)
    return fields, problem


@pytest.mark.parametrize(
    ("request_text", "status", "code"),
    [
        ("GARBAGE\r\n\r\n", 400, "malformed_request"),
        ("GET / HTTP/9.9\r\nHost: x\r\n\r\n", 400, "malformed_request"),
        ("GET / HTTP/1.1\r\nHost x\r\n\r\n", 400, "malformed_request"),
        ("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400, "malformed_request"),
        ("GET / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "malformed_request"),
        (f"GET /{'x' * 9000} HTTP/1.1\r\nHost: x\r\n\r\n", 431, "header_too_large"),
        (f"GET / HTTP/1.1\r\nX: {'x' * 9000}\r\n\r\n", 431, "header_too_large"),
        ("GET / HTTP/1.1\r\nHost: x\r\nExpect: a-miracle\r\nConnection: close\r\n\r\n", 417, "http_error"),
        ("GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 404, "route_not_found"),
        ("GET /fail HTTP/1.1\r\nHost: x\r\n\r\n", 500, "internal_error"),
    ],
)
async def test_errors_of_the_http_server_are_problems(port: int, request_text: str, status: int, code: str) -> None:
    """Whatever the server refuses by itself has the form, the headers and the wording of every other error."""
    response = await exchange(port, request_text.encode(), within=DEADLINE)
    fields, problem = problem_in(response)
    assert (response.status, problem["status"], problem["code"]) == (status, status, code)
    assert fields["Content-Type"].startswith("application/problem+json")
    assert fields["Server"] == "PicShare"
    assert fields["X-Request-Id"] == problem["request_id"]
    assert fields["Cache-Control"] == "no-store"
    assert fields["X-Content-Type-Options"] == "nosniff"
    assert fields["Content-Security-Policy"].startswith("default-src 'none'")
    assert fields["Strict-Transport-Security"]
    for disclosed in ("aiohttp", "python", "secret", "xxxx"):
        assert disclosed not in response.text.lower()


async def test_other_responses_are_unchanged(port: int) -> None:
    """What a handler returns is sent as it is, and the connection stays open for the next request."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(2):
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        assert b"\r\nServer: PicShare\r\n" in head
        assert await reader.readexactly(7) == b"content"
    writer.close()
