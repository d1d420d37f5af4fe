"""How the consumers of the outbox are woken, as the composition root connects them."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import asyncpg
import pytest
from structlog.testing import capture_logs

from server.composition.backends import open_local_broker, open_stores
from server.composition.process import ProcessBuilder
from server.composition.wake_ups import notify_relay, relay_signal
from server.config.settings import Settings
from server.errors import ConfigError
from server.operation.metrics import Metrics
from storage.events import PhotoRejected, UserChanged
from storage.postgres.database import Database
from storage.postgres.outbox import CHANNEL
from storage.redis.client import Redis, open_redis
from tests.support.eventually import eventually
from workers.broker.listener import WakeUp
from workers.broker.routing import relay_of

pytestmark = pytest.mark.engines


async def test_a_commit_wakes_the_relay_over_redis(database_dsn: str, redis: Redis) -> None:
    """The relay is woken after the commit of an event, and not by a transaction without one."""
    db = await Database.connect(database_dsn, routes=relay_of, min_size=1, max_size=2, notify=notify_relay(redis))
    rows = WakeUp()
    receiving = asyncio.create_task(relay_signal(redis).receive(rows.notify))
    assert await rows.wait(5)  # it has subscribed
    async with db.transaction() as tx:
        await tx.execute("SELECT 1")
    assert not await rows.wait(0.05)
    async with db.transaction() as tx:
        tx.emit(UserChanged(user_id=1))
    assert await rows.wait(5)
    receiving.cancel()
    await asyncio.wait([receiving])
    await db.close()


async def test_without_redis_a_commit_succeeds(database_dsn: str, short_dir: Path) -> None:
    """While Redis is away, rows are left to the relay's polling, which is logged once for each outage."""
    redis = open_redis(f"unix://{short_dir}/none")
    db = await Database.connect(database_dsn, routes=relay_of, min_size=1, max_size=2, notify=notify_relay(redis))
    with capture_logs() as logs:
        for user_id in range(3):
            async with db.transaction() as tx:
                tx.emit(UserChanged(user_id=user_id))
            await eventually(lambda: [entry["event"] for entry in logs] == ["outbox_notify_failed"])
        await db.close()
    assert [entry["event"] for entry in logs] == ["outbox_notify_failed"]
    await redis.aclose()


async def test_commits_wake_the_workers_of_the_same_process_directly(database_dsn: str, valkey_url: str) -> None:
    """PostgreSQL is asked to notify only of queues that this process does not consume."""
    settings = Settings().with_values("database", url=database_dsn).with_values("redis", url=valkey_url)
    settings = settings.with_values("auth", secret="s" * 32)
    notified: list[object] = []
    listening = await asyncpg.connect(database_dsn)
    await listening.add_listener(CHANNEL, lambda *message: notified.append(message[-1]))
    async with AsyncExitStack() as stack:
        stores = await stack.enter_async_context(open_stores(settings))
        builder = ProcessBuilder(settings, stores, Metrics(), stack)
        await builder.add(frozenset({"notify"}))
        worker = asyncio.ensure_future(builder.node().services["notify"]())
        await eventually(
            lambda: stores.db.fetchval("SELECT count(*) > 0 FROM pg_stat_activity WHERE query LIKE 'LISTEN%'")
        )
        for event in (PhotoRejected(photo_id=1, author_id=2), UserChanged(user_id=1)):
            async with stores.db.transaction() as tx:
                tx.emit(event)
            await eventually(lambda: stores.db.fetchval("SELECT count(*) = 0 FROM outbox WHERE queue = 'notify'"))
        await eventually(lambda: notified)
        worker.cancel()
        await asyncio.wait([worker])
    await listening.close()
    assert notified == ["webhooks", "fanout"]


async def test_the_embedded_broker_is_refused_on_a_cluster(database: Database, database_dsn: str) -> None:
    """Rows cannot be claimed on a cluster, and its notifications stay on one server."""
    settings = Settings().with_values("database", url=database_dsn)
    async with open_local_broker(settings, 1) as broker:
        assert set((await broker.depths()).values()) == {0}
    async with database.transaction() as tx:
        await tx.execute("SET LOCAL allow_system_table_mods = on")
        await tx.execute(
            "INSERT INTO pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion) "
            "SELECT 99999, 'citus', extowner, extnamespace, false, '1' FROM pg_extension WHERE extname = 'plpgsql'"
        )
    with pytest.raises(ConfigError, match="citus"):
        async with open_local_broker(settings, 1):
            raise AssertionError
