"""Live connections over TLS in the process: the shortcuts past the transport, which would send plain text, are off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
import uvloop

from channels.contract.settings import LiveSettings
from storage.redis.client import open_redis
from tests.integration.channels.conftest import QUICK
from tests.support.certificates import self_signed
from tests.support.live import BareClient, LiveServer

pytestmark = pytest.mark.engines


@asynccontextmanager
async def served(url: str, folder: Path) -> AsyncIterator[LiveServer]:
    """Serve live connections over TLS inside the block."""
    redis, settings = open_redis(url), LiveSettings(**QUICK)  # type: ignore[arg-type]
    async with LiveServer(redis, settings).running(self_signed(folder).server) as server:
        yield server
    await redis.aclose()


async def receive(url: str, folder: Path) -> None:
    """Receive small and large messages on a WebSocket, then an event of the read-only stream."""
    async with served(url, folder) as server:
        async with BareClient.to(server.url) as client:
            await client.connect("7")
            # The second exceeds the buffers of the kernel.
            for text in ("first", "x" * 500_000, "last"):
                await server.publish(server.redis, [7], "feed", {"text": text})
                assert (await client.data())["text"] == text
            assert await client.quiet() == []
        async with (
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=False)) as session,
            session.get(f"{server.origin}/live/sse", params={"token": "7"}) as response,
        ):
            assert response.status == 200
            async with asyncio.timeout(30):
                await response.content.readuntil(b"event: ready")
                await server.publish(server.redis, [7], "feed", {"text": "news"})
                await response.content.readuntil(b'{"text":"news"}')


@pytest.mark.parametrize("new_loop", [uvloop.new_event_loop, asyncio.new_event_loop], ids=["uvloop", "asyncio"])
def test_messages_arrive_over_tls(
    new_loop: Callable[[], asyncio.AbstractEventLoop], valkey_url: str, tmp_path: Path
) -> None:
    """Replies, pushes and events arrive whole and in order; each loop has a transport of its own for TLS."""
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(asyncio.wait_for(receive(valkey_url, tmp_path), 60))
