"""The check of the target, and a service that refuses accounts."""

from __future__ import annotations

import io
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from rich.console import Console

from loadtest.errors import LoadTestError
from loadtest.plan import Plan
from loadtest.profiles import PROFILES, ProfileName
from loadtest.report.progress import Progress
from loadtest.run import check, run
from loadtest.target import check_target, live_urls, tls_context
from tests.support.certificates import self_signed

Handler = Callable[[web.Request], Awaitable[web.Response]]


@asynccontextmanager
async def serving(handler: Handler, context: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Serve every address with one handler until the end of the block; yield the base URL."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    server = TestServer(app)
    await server.start_server(access_log=None, ssl=context)
    try:
        yield str(server.make_url("")).rstrip("/")
    finally:
        await server.close()


def refusing(status: int, **headers: str) -> Handler:
    """Return a handler that looks like a PicShare and responds to sign-ups with a status."""

    async def handler(request: web.Request) -> web.Response:
        if request.path == "/api/v1/users/me":
            return web.json_response({"code": "unauthorized"}, status=401)
        assert request.path == "/api/v1/users"
        return web.json_response({"detail": "nobody new today"}, status=status, headers=headers)

    return handler


async def attempt(url: str, *, prepare_within: float = 30.0) -> str:
    """Run a load test that fails, and return its error."""
    name = ProfileName.LIKES
    plan = Plan(
        url=url,
        live=live_urls(url, ()),
        profile_name=name,
        profile=PROFILES[name],
        sockets=4,
        prepare_within=prepare_within,
    )
    with pytest.raises(LoadTestError) as caught:
        await run(check(plan), Progress(Console(file=io.StringIO())))
    return str(caught.value)


async def test_a_picshare_is_recognised() -> None:
    """It requires authentication, with PicShare's error code."""
    async with serving(refusing(201)) as url:
        await check_target(url, tls_context(None, insecure=False))


async def test_another_server_is_refused() -> None:
    """Any other page, and an address that redirects, are different errors."""

    async def page(request: web.Request) -> web.Response:
        return web.Response(text="<html>")

    async def elsewhere(request: web.Request) -> web.Response:
        raise web.HTTPMovedPermanently(f"https://photos.example.com{request.path}")

    async with serving(page) as url:
        with pytest.raises(LoadTestError, match=r"responds, but not as PicShare does \(200 at /api/v1/users/me\)"):
            await check_target(url, tls_context(None, insecure=False))
    async with serving(elsewhere) as url:
        with pytest.raises(LoadTestError, match=r"redirects to https://photos\.example\.com; use that address"):
            await check_target(url, tls_context(None, insecure=False))


async def test_an_untrusted_certificate_has_a_hint(tmp_path: Path) -> None:
    """The error names both options; each of them works."""
    certificate = self_signed(tmp_path)
    async with serving(refusing(201), certificate.server) as url:
        with pytest.raises(
            LoadTestError,
            match=r"not trusted: self-signed certificate\. Pass the certificate of its authority with --ca",
        ):
            await check_target(url, tls_context(None, insecure=False))
        await check_target(url, tls_context(str(certificate.path), insecure=False))
        await check_target(url, tls_context(None, insecure=True))


async def test_a_refused_sign_up_is_an_error() -> None:
    """It contains the server's error text."""
    async with serving(refusing(403)) as url:
        assert await attempt(url) == "The server refused to create a test account (403: nobody new today)."


async def test_a_sign_up_limit_is_named_on_timeout() -> None:
    """The tester waits as the server requests, and in the end names the setting that limits it."""
    limited = refusing(429, **{"Retry-After": "1", "RateLimit-Policy": '"sign_up_address";q=1;w=3600'})
    async with serving(limited) as url:
        error = await attempt(url, prepare_within=1.2)
    assert error.startswith("The preparation did not finish within 1 s: 0 of ")
    assert "raise limits.sign_up_address (PICSHARE_LIMITS__SIGN_UP_ADDRESS)" in error
