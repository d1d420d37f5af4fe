"""What every sender of webhooks keeps: the product's over sockets, and the one in memory that other tests use."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.support.eventually import eventually
from tests.support.webhooks import Message, Receivers, response
from workers.outbound.client import OutboundClient
from workers.outbound.policy import OutboundPolicy
from workers.webhooks.port import MAX_RESPONSE, Response, Sender, SendError
from workers.webhooks.sending import OutboundSender

HEADERS = {"Content-Type": "application/json", "webhook-id": "msg_1"}
SHORT = 0.5  # seconds


@dataclass
class Kit:
    """A sender, the URL of a receiver, and what that has received; its response is that of `answer`."""

    sender: Sender
    url: str
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answer: Response = field(default_factory=lambda: response(200))


def policy(port: int) -> OutboundPolicy:
    """Return the policy for a receiver on this machine."""
    return OutboundPolicy(
        schemes=frozenset({"http"}), ports=frozenset({port}), allowed_networks=(ip_network("127.0.0.1/32"),)
    )


@pytest.fixture(params=["memory", "sockets"])
async def kit(request: pytest.FixtureRequest) -> AsyncIterator[Kit]:
    """Both senders."""
    if request.param == "memory":
        receivers = Receivers()
        kit = Kit(receivers, "https://hooks.example.org/")

        async def respond(message: Message) -> Response:
            kit.received.append((dict(message.headers), message.body))
            return kit.answer

        receivers.by_host["hooks.example.org"] = respond
        yield kit
        return

    async def handle(http: web.Request) -> web.Response:
        over_sockets.received.append((dict(http.headers), await http.read()))
        given = over_sockets.answer
        return web.Response(status=given.status, headers=given.headers, body=given.body)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    async with TestServer(app) as server:
        client = OutboundClient(policy(server.port or 0), name="webhooks")
        async with client:
            over_sockets = Kit(OutboundSender(client), f"http://127.0.0.1:{server.port}/hook")
            yield over_sockets


async def test_a_message_arrives_byte_for_byte_with_its_headers(kit: Kit) -> None:
    """The signature depends on every byte."""
    body = b'{"text": "\xe2\x80\xa6", "n": 1.0}\n'
    await kit.sender.post(kit.url, body=body, headers=HEADERS)
    ((headers, arrived),) = kit.received
    assert arrived == body
    assert headers.items() >= HEADERS.items()


@pytest.mark.parametrize("status", [200, 204, 302, 404, 410, 500])
async def test_a_response_of_any_status_is_returned(kit: Kit, status: int) -> None:
    """With its headers, in lower case; a redirect is not followed."""
    kit.answer = Response(status=status, headers={"retry-after": "7", "location": kit.url}, body=b"")
    found = await kit.sender.post(kit.url, body=b"{}", headers=HEADERS)
    assert (found.status, found.headers["retry-after"], found.body) == (status, "7", b"")
    assert len(kit.received) == 1


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def attempt_at(handler: Handler, *, timeout: float = SHORT) -> Response:
    """Send a message to a receiver that speaks on the bare socket."""
    held: list[asyncio.StreamWriter] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)
        await reader.readuntil(b"\r\n\r\n")
        try:
            await handler(reader, writer)
        except ConnectionError:
            return

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        async with OutboundClient(policy(port), name="webhooks") as client:
            sender = OutboundSender(client, timeout=timeout)
            return await sender.post(f"http://127.0.0.1:{port}/", body=b"{}", headers=HEADERS)
    finally:
        for writer in held:
            writer.transport.abort()
        server.close()


async def test_an_endless_response_is_cut_after_16_kib() -> None:
    """However much the receiver sends, so much is read."""
    sent = 0

    async def flood(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 65_536)
            await writer.drain()
            sent += 65_536

    found = await attempt_at(flood, timeout=10.0)
    assert (len(found.body), found.truncated) == (MAX_RESPONSE, True)
    before = sent
    await eventually(lambda: sent == before)


async def test_a_compressed_response_is_not_decompressed() -> None:
    """So a few bytes stay a few bytes."""
    bomb = gzip.compress(b"\0" * 10_000_000)

    async def explode(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n\r\n"
        writer.write(head.encode() + bomb)
        await writer.drain()

    found = await attempt_at(explode)
    assert found.body == bomb[:MAX_RESPONSE]


async def silence(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Accept, and never respond."""
    await asyncio.Event().wait()


async def trickle(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send a byte at a time, for ever."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.02)


async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Close the connection in the middle of the response."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nx")
    await writer.drain()
    writer.close()


async def gibberish(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send what is no HTTP."""
    writer.write(b"\0\1\2 hello\r\n\r\n")
    await writer.drain()
    writer.close()


@pytest.mark.parametrize("handler", [silence, trickle, hang_up, gibberish])
async def test_a_receiver_without_a_whole_response_in_time_is_a_failure(handler: Any) -> None:
    """With a sentence for the owner of the endpoint."""
    with pytest.raises(SendError, match=r"^[A-Z].*\.$"):
        await attempt_at(handler)


@pytest.mark.parametrize("url", ["https://127.0.0.1/", "https://169.254.169.254/", "http://93.184.215.14/"])
async def test_addresses_that_are_not_allowed_are_not_dialled(url: str) -> None:
    """Also when the policy has changed since the endpoint was created."""
    async with OutboundClient(OutboundPolicy(), name="webhooks") as client:
        with pytest.raises(SendError, match="not allowed"):
            await OutboundSender(client).post(url, body=b"{}", headers=HEADERS)


async def test_a_name_that_leads_to_an_internal_address_by_now_is_not_dialled() -> None:
    """It was public when the endpoint was created."""

    class Rebound:
        async def lookup(self, host: str) -> list[str]:
            assert host == "hooks.example.org"
            return ["93.184.215.14", "10.0.0.7"]

    async with OutboundClient(OutboundPolicy(), name="webhooks", resolver=Rebound()) as client:
        with pytest.raises(SendError, match="not allowed"):
            await OutboundSender(client).post("https://hooks.example.org/", body=b"{}", headers=HEADERS)
