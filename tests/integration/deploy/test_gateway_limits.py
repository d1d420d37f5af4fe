"""The gateway: what it refuses by itself, and that its refusals look like those of the API."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from server.edge.middleware import data_headers
from server.edge.problem import ProblemError, sign_in_required
from server.edge.problem_responses import render
from server.identity.rate_limits import Charge, rate_limit_headers
from storage.limits.quotas import Quota, QuotaPolicy
from tests.support.eventually import eventually
from tests.support.gateways import TOKEN, Gateway, Reply, Socket, plain_session, running_gateway
from tests.support.stand_ins import NAME

pytestmark = [pytest.mark.engines, pytest.mark.asyncio(loop_scope="module")]

WITHIN = 30.0  # seconds
AT_ONCE, IN_PROGRESS, SOCKETS = 6, 2, 3
PROXY = "127.0.0.7"  # whose X-Forwarded-For this gateway trusts
# Limits that a test reaches, and that do not recover while it runs.
SMALL = {
    "rate=100r/s": "rate=1r/m",
    "burst=400": f"burst={AT_ONCE - 1}",
    "picshare_in_progress 256": f"picshare_in_progress {IN_PROGRESS}",
    "picshare_live_clients 500": f"picshare_live_clients {SOCKETS}",
    "# set_real_ip_from 192.0.2.0/24;": f"set_real_ip_from {PROXY};",
    "# real_ip_header X-Forwarded-For;": "real_ip_header X-Forwarded-For;",
    '# "https://app.example.com" $http_origin;': '"https://app.example.com" $http_origin;',
}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def gateway(engines_dir: Path) -> AsyncIterator[Gateway]:
    """A gateway whose limits only a flood reaches."""
    async with running_gateway(engines_dir / "gateway-refusals") as gateway:
        yield gateway


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def strict(engines_dir: Path) -> AsyncIterator[Gateway]:
    """A gateway with small limits; each test has addresses of its own."""
    async with running_gateway(engines_dir / "gateway-limits", changes=SMALL) as gateway:
        yield gateway


async def get(gateway: Gateway, address: str, path: str, **headers: str) -> Reply:
    """Request a path from an address of the loopback; underscores in names of headers are hyphens."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    async with plain_session(address) as session:
        return await dataclasses.replace(gateway, session=session).get(path, token=False, headers=sent)


async def statuses(gateway: Gateway, address: str, path: str, forwarded: list[str]) -> list[int]:
    """Return the statuses of requests that each have another X-Forwarded-For."""
    return [(await get(gateway, address, path, X_Forwarded_For=text)).status for text in forwarded]


def assert_like_the_api(problem: ProblemError, headers: Mapping[str, str], body: bytes) -> None:
    """Check that a response has the body of a problem and all header fields that the API sends with it."""
    given = json.loads(body)
    expected = json.loads(_body_of(render(problem, headers["X-Request-Id"])))
    assert given == expected
    assert headers["Content-Type"] == "application/problem+json"
    own = {"Server", "Date", "Connection", "Content-Length"}
    for name, value in {**data_headers(secure=False), "Cache-Control": "no-store", **problem.headers}.items():
        assert name in own or headers[name] == value, name


def _body_of(response: web.Response) -> bytes:
    assert isinstance(response.body, bytes)
    return response.body


async def test_a_flood_of_requests_is_limited_by_address(strict: Gateway) -> None:
    """The response has the body and the fields of the API's own limits; other addresses are not affected."""
    answered = [await get(strict, "127.0.1.1", "/api/v1/photos") for _ in range(AT_ONCE)]
    assert [response.status for response in answered] == [200] * AT_ONCE
    refused = await get(strict, "127.0.1.1", "/api/v1/photos")
    policy = QuotaPolicy(name="address", limit=400, window_seconds=4)
    quota = Quota(allowed=False, limit=400, remaining=0, retry_after=1, reset_after=4)
    detail = "The rate limit of this address is used up. Try again in 1 s."
    headers = rate_limit_headers(Charge(policy=policy, quota=quota))
    problem = ProblemError(429, "too_many_requests", detail, headers=headers)
    assert_like_the_api(problem, refused.headers, refused.body)
    assert (await get(strict, "127.0.1.2", "/api/v1/photos")).status == 200
    assert sum(stand_in.count("/api/v1/photos") for stand_in in strict.all) == AT_ONCE + 1


async def test_a_rotating_x_forwarded_for_changes_nothing(strict: Gateway) -> None:
    """The limit counts the address of the connection, whatever the client claims to forward."""
    forged = [f"203.0.113.{number}" for number in range(AT_ONCE + 2)]
    assert await statuses(strict, "127.0.2.1", "/api/v1/photos", forged) == [200] * AT_ONCE + [429] * 2


async def test_clients_of_a_trusted_proxy_are_counted_apart(strict: Gateway) -> None:
    """With set_real_ip_from the limit counts what the proxy forwards, an IPv6 client by its /64 network."""
    one_network = [f"2001:db8:0:1:{number:x}::1" for number in range(AT_ONCE + 1)]
    assert await statuses(strict, PROXY, "/api/v1/photos", one_network) == [200] * AT_ONCE + [429]
    others = [f"2001:db8:0:{number:x}::1" for number in range(2, AT_ONCE + 3)]
    assert set(await statuses(strict, PROXY, "/api/v1/photos", others)) == {200}
    addresses = [f"203.0.113.{number}" for number in range(AT_ONCE + 1)]
    assert set(await statuses(strict, PROXY, "/api/v1/photos", addresses)) == {200}


async def test_images_and_static_files_are_not_counted(strict: Gateway) -> None:
    """A page of a feed has hundreds of images."""
    for path in (f"/media/r1/{'a' * 64}/320.webp", "/static/js/app.js"):
        assert {(await get(strict, "127.0.3.1", path)).status for _ in range(AT_ONCE + 2)} == {200}


async def test_live_connections_are_limited_by_address(strict: Gateway) -> None:
    """One more than the limit is a 429; after one is closed, the next is accepted; other addresses have their own."""
    async with AsyncExitStack() as stack:

        async def opened(address: str) -> Socket:
            session = await stack.enter_async_context(plain_session(address))
            return (await dataclasses.replace(strict, session=session).socket())[1]

        sockets = [await opened("127.0.4.1") for _ in range(SOCKETS)]
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await opened("127.0.4.1")
        assert refused.value.status == 429
        assert refused.value.headers is not None
        assert refused.value.headers["Retry-After"] == "30"
        assert "RateLimit" not in refused.value.headers
        sockets.append(await opened("127.0.4.2"))
        await sockets[0].close()
        await eventually(lambda: sum(len(stand_in.sockets) for stand_in in strict.live) == SOCKETS, within=WITHIN)
        await opened("127.0.4.1")


async def test_requests_in_progress_are_limited_by_address(strict: Gateway) -> None:
    """While an address has as many requests in progress as it may, the next is a 429."""
    path = "/api/v1/held"
    held = [asyncio.create_task(get(strict, "127.0.5.1", path)) for _ in range(IN_PROGRESS)]
    await eventually(lambda: sum(stand_in.count(path) for stand_in in strict.read) == IN_PROGRESS, within=WITHIN)
    refused = await get(strict, "127.0.5.1", "/api/v1/photos")
    detail = "Too many connections from this address. Try again later."
    problem = ProblemError(429, "too_many_requests", detail, headers={"Retry-After": "30"})
    assert_like_the_api(problem, refused.headers, refused.body)
    for stand_in in strict.read:
        stand_in.gate.set()
    assert [(await task).status for task in held] == [200] * IN_PROGRESS


async def test_pages_of_allowed_origins_can_read_refusals(strict: Gateway) -> None:
    """Without these fields a page would see a failed request, and no status."""
    for origin, allowed in (("https://app.example.com", True), ("https://evil.example", False)):
        refused = await get(strict, "127.0.6.1", "/api/v1/feed", Origin=origin)
        assert refused.status == 401
        assert refused.headers.get("Access-Control-Allow-Origin") == (origin if allowed else None)
        assert refused.headers.get("Access-Control-Allow-Credentials") == ("true" if allowed else None)
        assert ("WWW-Authenticate" in refused.headers.get("Access-Control-Expose-Headers", "")) == allowed
        assert refused.headers["Vary"] == "Origin"


async def test_a_refused_request_does_not_reach_picshare(gateway: Gateway) -> None:
    """The response is that of the API; a cookie counts as a token, and a preflight needs none."""
    reply = await gateway.get("/api/v1/feed?limit=3", token=False)
    assert_like_the_api(sign_in_required(), reply.headers, reply.body)
    assert not any(stand_in.count("/api/v1/feed") for stand_in in gateway.all)
    cookie = {"Cookie": "picshare_csrf=x; picshare_access=y"}
    assert (await gateway.get("/api/v1/feed", token=False, headers=cookie)).status == 200
    other = {"Cookie": "picshare_csrf=x"}
    assert (await gateway.get("/api/v1/feed", token=False, headers=other)).status == 401
    assert (await gateway.call("OPTIONS", "/api/v1/feed", token=False)).status == 200


@pytest.mark.parametrize(
    "request_line", ["GET /connection/sse?cf_connect=%s", "GET /live/sse?ticket=%s", "GET /connection/websocket?t=%s"]
)
async def test_a_token_in_a_url_is_refused_and_not_logged(gateway: Gateway, request_line: str) -> None:
    """PicShare does not get it, and neither log has it."""
    method, _, path = (request_line % "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2VjcmV0").partition(" ")
    reply = await gateway.call(method, path, token=False)
    detail = "A URL must not carry an access token; get a one-use ticket from POST /api/v1/live/token."
    challenge = {"WWW-Authenticate": 'Bearer realm="picshare", error="invalid_token"'}
    problem = ProblemError(401, "invalid_token", detail, headers=challenge)
    assert_like_the_api(problem, reply.headers, reply.body)
    assert not any("eyJ" in received.query for stand_in in gateway.all for received in stand_in.received)
    assert "eyJ" not in gateway.nginx.access_log.read_text()
    assert "eyJ" not in (gateway.nginx.folder / "error.log").read_text()


LOGGED = [
    ("/live/sse?ticket=secret-ticket", "/live/sse"),
    ("/api/v1/password-resets/secret-link", "/api/v1/password-resets/***"),
    ("/api/v1/photos?cursor=x", "/api/v1/photos"),
    ("/api/v1/exports/1/archive?sig=secret-signature", "/api/v1/exports/1/archive"),
]


@pytest.mark.parametrize(("path", "logged"), LOGGED, ids=[logged for _, logged in LOGGED])
async def test_the_access_log_has_no_secrets(gateway: Gateway, path: str, logged: str) -> None:
    """A line of JSON for each request, without the query, the token of a link, and the header Referer."""
    async with gateway.session.get(
        gateway.nginx.url + path, headers={**TOKEN, "Referer": "https://x/?secret-referrer", "User-Agent": "secret"}
    ) as response:
        name = response.headers[NAME]
    received = next(stand_in for stand_in in gateway.all if stand_in.name == name).received[-1]

    def line() -> dict[str, object]:
        lines = [json.loads(text) for text in gateway.nginx.access_log.read_text().splitlines()]
        found: dict[str, object] = next(
            (line for line in lines if line["request_id"] == received.headers["X-Request-Id"]), {}
        )
        return found

    await eventually(line, within=WITHIN)
    assert {name: line()[name] for name in ("event", "method", "path", "status", "address")} == {
        "event": "gateway_request",
        "method": "GET",
        "path": logged,
        "status": 200,
        "address": "127.0.0.1",
    }
    assert "secret" not in gateway.nginx.access_log.read_text()
