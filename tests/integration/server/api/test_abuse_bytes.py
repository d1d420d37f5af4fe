"""Bytes that are no UTF-8 wherever a request may have any: in header fields, cookies, paths and queries."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from storage.redis.client import Redis
from tests.support.api import Api, InspectableServices
from tests.support.eventually import DEADLINE
from tests.support.live_api import running_live_api
from tests.support.raw_http import RawResponse, exchange

pytestmark = pytest.mark.engines

BYTES = b"\xe9\xff\x80"
FIELDS = (
    *("Authorization", "X-CSRF-Token", "Idempotency-Key", "Cookie", "Origin", "User-Agent", "X-Forwarded-For"),
    *("X-Request-Id", "If-None-Match", "If-Match", "If-Range", "Range", "Accept", "Accept-Encoding", "Content-Type"),
    *("Last-Event-ID", "Access-Control-Request-Method", "Referer"),
)


@pytest.fixture
async def api(services: InspectableServices, redis: Redis) -> AsyncIterator[Api]:
    """A running API with live connections."""
    async with running_live_api(services, redis) as running:
        yield running


async def send(api: Api, line: bytes, *fields: bytes, body: bytes = b"{}") -> RawResponse:
    """Send a request with these header fields and return the response."""
    common = (b"Host: x", b"Connection: close", b"Content-Length: %d" % len(body))
    head = b"\r\n".join((line + b" HTTP/1.1", *common, *fields))
    return await exchange(api.port, head + b"\r\n\r\n" + body, within=DEADLINE)


async def test_no_bytes_in_a_header_field_are_an_error_of_the_server(api: Api) -> None:
    """The response is that to a wrong value, or to a request without the field."""
    ann = await api.user()
    bearer = b"Authorization: Bearer " + ann.token.encode()
    lines = (b"GET /api/v1/users/me", b"POST /api/v1/notifications/seen", b"OPTIONS /api/v1/feed", b"GET /signin")
    for name in FIELDS:
        field = name.encode() + b": " + BYTES
        for line in lines:
            known = () if name == "Authorization" else (bearer,)
            response = await send(api, line, *known, b"Content-Type: application/json", field)
            assert response.status < 500, (line, name, response.text)


@pytest.mark.parametrize("value", [BYTES, b'"' + BYTES + b'"', b'"\\351"'])
async def test_no_bytes_in_a_cookie_are_an_error_of_the_server(api: Api, value: bytes) -> None:
    """A cookie of the session with any bytes is no valid token."""
    json = b"Content-Type: application/json"
    for path in (b"/api/v1/tokens/refresh", b"/api/v1/notifications/seen"):
        for name in (b"picshare_refresh", b"picshare_csrf", b"picshare_access"):
            others = (b"picshare_access", b"picshare_refresh", b"picshare_csrf")
            cookies = b"; ".join(each + b"=" + (value if each == name else b"x") for each in others)
            for proof in (b"x", BYTES, value):
                response = await send(api, b"POST " + path, b"Cookie: " + cookies, b"X-CSRF-Token: " + proof, json)
                assert 400 <= response.status < 500, (path, name, proof, response.text)


async def test_the_csrf_header_of_a_cookie_session_may_have_any_bytes(api: Api) -> None:
    """A write with a valid session's cookie and such a header is refused like one with a wrong value."""
    ann = await api.user()
    cookie = b"Cookie: picshare_access=" + ann.token.encode()
    response = await send(api, b"POST /api/v1/notifications/seen", cookie, b"X-CSRF-Token: " + BYTES)
    assert response.status == 403, response.text


@pytest.mark.parametrize("raw", [BYTES, b"%E9%FF", b"%00", b"%ED%A0%80", b"\xc3"])
async def test_no_bytes_in_a_path_or_query_are_an_error_of_the_server(api: Api, raw: bytes) -> None:
    """A name, cursor, tag or ticket with any bytes is not found or not valid."""
    ann = await api.user()
    bearer = b"Authorization: Bearer " + ann.token.encode()
    for line in (
        b"GET /api/v1/users/" + raw,
        b"GET /api/v1/photos/" + raw,
        b"GET /api/v1/photos?tag=" + raw,
        b"GET /api/v1/photos?cursor=" + raw,
        b"GET /api/v1/feed?limit=" + raw,
        b"GET /api/v1/users?q=" + raw,
        b"GET /api/v1/search?q=" + raw,
        b"POST /api/v1/photos/" + raw + b"/comments",
        b"GET /media/" + b"a" * 64 + b"/thumb.jpg?exp=" + raw + b"&sig=" + raw,
        b"GET /media/" + b"a" * 64 + b"/thumb.jpg?exp=1&sig=" + raw,
        b"GET /static/" + raw,
        b"GET /live/sse?ticket=" + raw,
        b"GET /connection/sse?cf_connect=" + raw,
        b"GET /" + raw,
    ):
        response = await send(api, line, bearer, b"Content-Type: application/json", b"Idempotency-Key: k")
        assert response.status < 500, (line, response.text)


@pytest.mark.parametrize("name", ["Sec-WebSocket-Key", "Sec-WebSocket-Version", "Sec-WebSocket-Protocol", "Origin"])
async def test_no_bytes_in_a_handshake_are_an_error_of_the_server(api: Api, name: str) -> None:
    """A WebSocket handshake with any bytes in a field is refused, or the field is ignored."""
    good = {"Sec-WebSocket-Key": b"dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version": b"13"}
    fields = [field.encode() + b": " + value for field, value in {**good, name: BYTES}.items()]
    head = b"GET /connection/websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(head + b"\r\n".join(fields) + b"\r\n\r\n")
    async with asyncio.timeout(DEADLINE):
        status = int((await reader.readuntil(b"\r\n")).split(b" ")[1])
    writer.close()
    assert status < 500


async def test_lone_surrogates_in_json_are_invalid(api: Api) -> None:
    """JSON can escape half of a character, which no text of ours may have."""
    json = b"Content-Type: application/json"
    for path, name in ((b"/tokens/refresh", b"refresh_token"), (b"/tokens", b"username")):
        for half in (b"\\ud800", b"\\udce9"):
            body = b'{"%b": "%b", "password": "%b"}' % (name, half, half)
            response = await send(api, b"POST /api/v1" + path, json, body=body)
            assert response.status in {400, 422}, (path, half, response.text)
