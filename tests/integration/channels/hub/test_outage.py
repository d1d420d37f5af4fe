"""Losses between Redis and the process: every stream recovers from its offset, in order and without repeats."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from channels.bus.addressing import registry_key
from channels.bus.envelope import stream_body
from channels.bus.publisher import LivePublisher
from channels.contract.settings import LiveSettings
from storage.redis.client import Redis, open_redis
from tests.integration.channels.conftest import QUICK, Serve
from tests.support.driver_commands import commands
from tests.support.eventually import eventually
from tests.support.live import BareClient, LiveServer, group_of
from tests.support.tcp_proxy import TcpProxy

pytestmark = pytest.mark.engines

Behind = Callable[..., AbstractAsyncContextManager[tuple[LiveServer, TcpProxy]]]


@pytest.fixture
def behind_proxy(redis: Redis, redis_url: str) -> Behind:
    """Start a live process whose connections to Redis can be cut, unlike the test's own."""

    @asynccontextmanager
    async def start(**settings: Any) -> AsyncIterator[tuple[LiveServer, TcpProxy]]:
        parts = urlsplit(redis_url)
        async with TcpProxy.to(parts.port or parts.path) as proxy:
            client = open_redis(f"redis://127.0.0.1:{proxy.port}")
            values = {**QUICK, "pubsub_deadline": 0.5, **settings}
            async with LiveServer(client, LiveSettings(**values)).running() as server:
                yield server, proxy
                proxy.thaw()
            await client.aclose()

    return start


async def numbers(client: BareClient, last: int) -> list[int]:
    """Return the numbers of all publications up to one."""
    seen: list[int] = []
    while not seen or seen[-1] != last:
        seen.append((await client.data())["n"])
    return seen


async def test_cut_connections(behind_proxy: Behind, redis: Redis) -> None:
    """While the connection to Redis is cut repeatedly, every client receives everything once, in order."""
    async with behind_proxy() as (server, proxy), BareClient.to(server.url) as one, BareClient.to(server.url) as two:
        await one.connect("7")
        await two.connect("8")
        for number in range(1, 301):
            await server.publish(redis, [7, 8], "feed", {"n": number})
            if number % 60 == 30:
                await proxy.cut()
            if number % 60 == 59:
                await eventually(lambda: server.live.ready)
            await asyncio.sleep(0.002)
        for client in (one, two):
            assert await numbers(client, 300) == list(range(1, 301))
            assert await client.quiet() == []
        assert sum(recovered for recovered, _ in server.metrics.recoveries) >= 5
        assert not any(lost for _, lost in server.metrics.recoveries)


async def test_dropped_packets(behind_proxy: Behind, redis: Redis) -> None:
    """A peer that drops packets is detected by its silence, and missed publications are recovered."""
    async with behind_proxy() as (server, proxy), BareClient.to(server.url) as client:
        await client.connect("7")
        proxy.freeze()
        for number in (1, 2, 3):
            await server.publish(redis, [7], "feed", {"n": number})
        await eventually(lambda: not server.live.ready)
        proxy.thaw()
        assert await numbers(client, 3) == [1, 2, 3]
        await server.publish(redis, [7], "feed", {"n": 4})
        assert await numbers(client, 4) == [4]


async def test_silently_dead_connections(behind_proxy: Behind, redis: Redis) -> None:
    """After an outage that broke no connection, streams recover once one command has timed out."""
    async with behind_proxy() as (server, proxy), BareClient.to(server.url) as client:
        await client.connect("7")
        proxy.abandon_connections()
        await server.publish(redis, [7], "feed", {"n": 1})
        assert await numbers(client, 1) == [1]


async def test_registrations_after_a_loss(behind_proxy: Behind, redis: Redis) -> None:
    """A process that writers took for dead during a loss registers its users again once it is subscribed."""
    publisher = LivePublisher(redis, group_of)
    async with behind_proxy() as (server, proxy), BareClient.to(server.url) as client:
        await client.connect("7")
        proxy.freeze()
        await proxy.cut()
        body = stream_body("feed", b'{"n":0}')

        async def taken_for_dead() -> bool:
            return await publisher.to_users([7], body) == 0

        await eventually(taken_for_dead)
        proxy.thaw()

        async def found_again() -> bool:
            return await publisher.to_users([7], body) == 1

        await eventually(found_again)
        assert (await client.data())["n"] == 0


async def test_connecting_before_the_first_subscription(redis: Redis) -> None:
    """Before pub/sub is connected for the first time, a connect gets a temporary error at once."""
    server = LiveServer(redis, LiveSettings(command_deadline=60))
    app = web.Application()
    app.router.add_get("/", server.live.handle)
    async with TestServer(app) as http, BareClient.to(str(http.make_url("/"))) as client:
        reply = await client.request("connect", token="7")
        assert reply["error"] == {"code": 100, "message": "internal server error", "temporary": True}


async def test_new_history(behind_proxy: Behind, redis: Redis) -> None:
    """A client whose gap cannot be filled is closed with 3010, so that it reconnects and learns of it."""
    async with behind_proxy() as (server, proxy), BareClient.to(server.url) as client:
        await client.connect("7")
        server.streams.epoch = "e2"
        await proxy.cut()
        assert await client.closed() == (3010, "insufficient state")
        await eventually(lambda: server.metrics.recoveries == [(0, 1)])


async def test_topics_after_a_loss(behind_proxy: Behind, redis: Redis) -> None:
    """After a loss, clients are informed of the gap in their topics, and subscribe again."""
    async with behind_proxy() as (server, proxy), BareClient.to(server.url) as client:
        await client.connect("7")
        await client.request("subscribe", channel="photo:5")
        await proxy.cut()
        push = await client.push()
        assert push["channel"] == "photo:5"
        assert push["unsubscribe"] == {"code": 2500, "reason": "insufficient state"}
        assert "subscribe" in await client.request("subscribe", channel="photo:5")
        await LivePublisher(redis, group_of).to_topic("photo:5", b'{"n":1}')
        assert await client.data() == {"n": 1}


async def test_connecting_during_an_outage(behind_proxy: Behind, redis: Redis) -> None:
    """While pub/sub is down, connects and subscribes get the temporary error 100; afterwards they succeed."""
    async with behind_proxy(command_deadline=0.3) as (server, proxy), BareClient.to(server.url) as before:
        await before.connect("8")
        proxy.freeze()
        await eventually(lambda: not server.live.ready)
        async with BareClient.to(server.url) as client:
            reply = await client.request("connect", token="7")
            assert (reply["error"]["code"], reply["error"]["temporary"]) == (100, True)
            assert (await before.request("subscribe", channel="photo:1"))["error"]["code"] == 100
            proxy.thaw()
            await eventually(lambda: server.live.ready)

            async def connects() -> bool:
                return "connect" in await client.request("connect", token="7")

            await eventually(connects)
            assert "subscribe" in await before.request("subscribe", channel="photo:1")


async def test_streams_down_after_the_loss(behind_proxy: Behind, redis: Redis) -> None:
    """While the streams cannot be read after a loss, publications are held, and arrive in order afterwards."""
    async with behind_proxy() as (server, proxy), BareClient.to(server.url) as client:
        await client.connect("7")
        server.streams.broken = True
        reads = server.streams.reads
        await proxy.cut()
        await eventually(lambda: server.streams.reads > reads)
        for number in (1, 2):
            await server.publish(redis, [7], "feed", {"n": number})
        assert await client.quiet() == []
        server.streams.broken = False
        assert await numbers(client, 2) == [1, 2]


async def test_held_publications_are_bounded(behind_proxy: Behind, redis: Redis) -> None:
    """More held publications than allowed close with 3010 instead of using memory."""
    async with behind_proxy(held_publications=5) as (server, proxy), BareClient.to(server.url) as client:
        await client.connect("7")
        server.streams.broken = True
        reads = server.streams.reads
        await proxy.cut()
        await eventually(lambda: server.streams.reads > reads)
        for number in range(6):
            await server.publish(redis, [7], "feed", {"n": number})
        assert await client.closed() == (3010, "insufficient state")


async def test_lost_registration(serve: Serve, redis: Redis) -> None:
    """A lost registration is detected at the next renewal, and missed publications are recovered."""
    async with serve(renewal_interval=0.2) as server, BareClient.to(server.url) as client:
        await client.connect("7")
        await commands(redis).delete(registry_key(group_of(7)))
        await server.publish(redis, [7], "feed", {"n": 1})
        assert await numbers(client, 1) == [1]
        await server.publish(redis, [7], "feed", {"n": 2})
        assert await numbers(client, 2) == [2]
