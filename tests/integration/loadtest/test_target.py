"""The first look at a service, and people whom it does not take."""

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

from loadtest.client.trust import trust
from loadtest.errors import LoadTestError
from loadtest.plan import Plan
from loadtest.profiles import PROFILES, ProfileName
from loadtest.report.progress import Progress
from loadtest.run import check, run
from loadtest.target import live_of, look_at
from tests.support.certificates import self_signed

Handler = Callable[[web.Request], Awaitable[web.Response]]


@asynccontextmanager
async def serving(handler: Handler, context: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Serve every address by one handler for the time of the block; give the address."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    server = TestServer(app)
    await server.start_server(access_log=None, ssl=context)
    try:
        yield str(server.make_url("")).rstrip("/")
    finally:
        await server.close()


def refusing(status: int, **headers: str) -> Handler:
    """Return what looks like a PicShare and answers sign-ups with a status."""

    async def handler(request: web.Request) -> web.Response:
        if request.path == "/api/v1/users/me":
            return web.json_response({"code": "unauthorized"}, status=401)
        assert request.path == "/api/v1/users"
        return web.json_response({"detail": "nobody new today"}, status=status, headers=headers)

    return handler


async def attempt(url: str, *, prepare_within: float = 30.0) -> str:
    """Try a load test, which fails, and return what it says."""
    name = ProfileName.LIKES
    plan = Plan(
        url=url,
        live=live_of(url, ()),
        profile_name=name,
        profile=PROFILES[name],
        sockets=4,
        prepare_within=prepare_within,
    )
    with pytest.raises(LoadTestError) as caught:
        await run(check(plan), Progress(Console(file=io.StringIO())))
    return str(caught.value)


async def test_a_picshare_is_recognised() -> None:
    """It asks who one is, in its own words."""
    async with serving(refusing(201)) as url:
        await look_at(url, trust(None, insecure=False))


async def test_something_else_is_not_taken_for_one() -> None:
    """A page that happens to be there, and an address that leads elsewhere, are told apart."""

    async def page(request: web.Request) -> web.Response:
        return web.Response(text="<html>")

    async def elsewhere(request: web.Request) -> web.Response:
        raise web.HTTPMovedPermanently(f"https://photos.example.com{request.path}")

    async with serving(page) as url:
        with pytest.raises(LoadTestError, match=r"answers, but not as PicShare does \(200 at /api/v1/users/me\)"):
            await look_at(url, trust(None, insecure=False))
    async with serving(elsewhere) as url:
        with pytest.raises(LoadTestError, match=r"leads to https://photos\.example\.com; give that address"):
            await look_at(url, trust(None, insecure=False))


async def test_a_wrong_certificate_says_what_to_do(tmp_path: Path) -> None:
    """Untrusted it is one sentence with both ways out; each of them works."""
    certificate = self_signed(tmp_path)
    async with serving(refusing(201), certificate.server) as url:
        with pytest.raises(LoadTestError, match=r"not trusted: self-signed certificate\. Name its authority with --ca"):
            await look_at(url, trust(None, insecure=False))
        await look_at(url, trust(str(certificate.path), insecure=False))
        await look_at(url, trust(None, insecure=True))


async def test_a_refused_sign_up_is_told() -> None:
    """In the server's own words."""
    async with serving(refusing(403)) as url:
        assert await attempt(url) == "The server refused to sign a test person up (403: nobody new today)."


async def test_a_limit_of_sign_ups_is_named_when_the_time_is_over() -> None:
    """The tester waits as the server says, and in the end says which setting holds it back."""
    limited = refusing(429, **{"Retry-After": "1", "RateLimit-Policy": '"sign_up_address";q=1;w=3600'})
    async with serving(limited) as url:
        said = await attempt(url, prepare_within=1.2)
    assert said.startswith("The preparation was not done within 1 s: 0 of ")
    assert "raise limits.sign_up_address (PICSHARE_LIMITS__SIGN_UP_ADDRESS)" in said
