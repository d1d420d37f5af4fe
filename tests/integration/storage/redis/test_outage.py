"""Redis goes down, freezes and comes back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from server.composition.delivery import delivery_script
from storage.errors import StorageError, UnavailableError
from storage.feeds.window_log import WindowLog
from storage.limits.quotas import QuotaPolicy, Quotas
from storage.redis.client import open_redis, redis_errors
from tests.engines.private import RedisNode, free_port
from tests.support.driver_commands import commands
from tests.support.eventually import PROMPTLY, eventually
from tests.support.tcp_proxy import TcpProxy

pytestmark = pytest.mark.engines

POLICY = QuotaPolicy(name="p", limit=1000, window_seconds=60)


@pytest.fixture
def node(short_dir: Path) -> Iterator[RedisNode]:
    """A Redis that may be killed."""
    node = RedisNode(short_dir / "redis", free_port())
    node.start()
    yield node
    node.stop()


async def test_restart_is_survived(node: RedisNode) -> None:
    """While Redis is down every call fails quickly with `UnavailableError`; afterwards the same client works."""
    redis = open_redis(node.url)
    quotas, log = Quotas(redis), WindowLog(redis, "feed", delivery_script(redis))
    await asyncio.gather(*(quotas.take(POLICY, "x") for _ in range(20)))
    node.kill()
    for call in (lambda: quotas.take(POLICY, "x"), lambda: log.read(1), lambda: log.insert(1, [1, 2], b"body")):
        started = time.monotonic()
        with pytest.raises(UnavailableError, match="redis is unavailable"):
            await call()
        assert time.monotonic() - started < PROMPTLY
    node.start()
    # The restarted server has none of the scripts.
    assert (await quotas.take(POLICY, "y")).remaining == 999
    assert (await log.insert(1, [1, 2, 70_000], b"body")).feeds == 0
    await redis.aclose()


async def test_restart_between_two_commands_is_not_noticed(node: RedisNode) -> None:
    """Connections that were lost while idle are replaced without an error."""
    redis = open_redis(node.url)
    quotas = Quotas(redis)
    await asyncio.gather(*(quotas.take(POLICY, "x") for _ in range(20)))
    node.kill()
    node.start()
    for _ in range(30):
        assert (await quotas.take(POLICY, "x")).allowed
    await redis.aclose()


async def test_frozen_redis_is_detected(node: RedisNode) -> None:
    """Calls to a Redis that does not reply fail within five seconds, later ones at once; they work once it replies."""
    async with TcpProxy.to(int(node.url.rpartition(":")[2])) as proxy:
        redis = open_redis(f"redis://127.0.0.1:{proxy.port}")
        quotas = Quotas(redis)
        await quotas.take(POLICY, "x")
        proxy.freeze()
        started = time.monotonic()
        with pytest.raises(UnavailableError):
            await quotas.take(POLICY, "x")
        assert time.monotonic() - started < PROMPTLY
        # Longer than a connection takes that is not answered, so that some calls come while one is being tried.
        started, calls = time.monotonic(), 0
        while time.monotonic() - started < 2:
            with pytest.raises(UnavailableError, match="silent"):
                await quotas.take(POLICY, "x")
            await asyncio.sleep(0.01)
            calls += 1
        assert calls > 20
        proxy.thaw()

        async def works() -> bool:
            try:
                return (await quotas.take(POLICY, "x")).allowed
            except UnavailableError:
                return False

        assert await eventually(works)
        await redis.aclose()


async def test_refusals_are_not_outages(redis: Any) -> None:
    """A command that Redis refuses is not reported as an outage, so it is not retried."""
    await commands(redis).set("text", "x")
    with pytest.raises(StorageError) as refused, redis_errors():
        await commands(redis).hget("text", "field")
    assert not isinstance(refused.value, UnavailableError)
