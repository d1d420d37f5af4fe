"""Stale data of a server are flushed before they are read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio as raw
from structlog.testing import capture_logs

from server.composition.delivery import delivery_script
from storage.cache.cards import Cards
from storage.cache.counters import CounterCache
from storage.errors import UnavailableError
from storage.feeds.feeds import Feeds
from storage.feeds.home import Home
from storage.limits.quotas import QuotaPolicy
from storage.postgres.database import Database
from storage.postgres.reads import PrimaryReads
from storage.redis.client import Redis, open_redis, redis_errors
from tests.engines.private import RedisNode, free_port
from tests.support.eventually import eventually
from tests.support.gallery import Gallery

pytestmark = pytest.mark.engines


@contextmanager
def running(folder: Path, *options: str) -> Iterator[RedisNode]:
    """Run a server for the time of the block."""
    node = RedisNode(folder, free_port(), options)
    node.start()
    try:
        yield node
    finally:
        node.kill()


@pytest.fixture
def node(tmp_path: Path) -> Iterator[RedisNode]:
    """A server that writes its snapshot on SAVE only, and restarts from it."""
    with running(tmp_path / "redis", "--appendonly", "no", "--repl-diskless-sync-delay", "0") as node:
        yield node


async def restarted_from(client: Redis, node: RedisNode, *, later: dict[str, str]) -> None:
    """Restart the server from its present data, without the keys written `later`."""
    await client.execute_command("SAVE")
    for key, value in later.items():
        await client.execute_command("SET", key, value)
    node.kill()
    node.start()


async def test_data_of_a_snapshot_are_flushed(node: RedisNode) -> None:
    """Data from a snapshot are flushed when a client connects, with a warning; what is written afterwards stays."""
    client = open_redis(node.url)
    await client.execute_command("SET", "key", "old")
    await restarted_from(client, node, later={"key": "new"})
    with capture_logs() as logs:
        assert await client.execute_command("GET", "key") is None
    assert [(event["event"], event["server"]) for event in logs] == [("redis_emptied", f"127.0.0.1:{node.port}")]
    await client.execute_command("SET", "key", "newest")
    again = open_redis(node.url)
    assert await again.execute_command("GET", "key") == b"newest"
    await client.aclose()
    await again.aclose()


class _Deaf:
    """A listener that ignores everything."""

    def message_received(self, message: Any, *, more: bool) -> None:
        """Ignore it."""

    def connection_lost(self, error: Exception) -> None:
        """Ignore it."""


async def test_subscribers_check_the_run_id(node: RedisNode) -> None:
    """A pub/sub connection checks the run id, too; the first connection of any kind flushes."""
    client = open_redis(node.url)
    await client.execute_command("SET", "key", "old")
    await restarted_from(client, node, later={})
    listening = await client.subscriber(client.server_of(b"key"), _Deaf())
    other = raw.Redis(port=node.port)
    assert await other.get("key") is None
    await other.aclose()
    await listening.close()
    await client.aclose()


async def test_data_of_an_append_only_file_stay(tmp_path: Path) -> None:
    """Data that a server reads from its own append-only file stay, and clients recover."""
    with running(tmp_path / "redis", "--appendonly", "yes") as node:
        client = open_redis(node.url)
        await client.execute_command("SET", "key", "kept")
        node.kill()
        node.start()
        with capture_logs() as logs:
            assert await client.execute_command("GET", "key") == b"kept"
        assert logs == []
        await client.aclose()


async def test_data_of_a_promoted_replica_are_flushed(tmp_path: Path, node: RedisNode) -> None:
    """A promoted replica is flushed, also if it has an append-only file."""
    client = open_redis(node.url)
    await client.execute_command("SET", "key", "old")
    with running(tmp_path / "replica", "--replicaof", f"127.0.0.1 {node.port}") as replica:
        copy = raw.Redis(port=replica.port)

        async def has_copied() -> bool:
            return bool(await copy.get("key") == b"old")

        await eventually(has_copied)
        await copy.replicaof("NO", "ONE")
        promoted = open_redis(replica.url)
        assert await promoted.execute_command("GET", "key") is None
        for one in (client, copy, promoted):
            await one.aclose()


async def test_data_of_an_unknown_run_stay(node: RedisNode) -> None:
    """Nothing is flushed from a server that has no mark yet."""
    other = raw.Redis(port=node.port)
    await other.set("theirs", "1")
    client = open_redis(node.url)
    assert await client.execute_command("GET", "theirs") == b"1"
    await client.aclose()
    await other.aclose()


async def test_missing_permission(node: RedisNode) -> None:
    """If the server does not permit the check, the error says so and nothing is read."""
    other = raw.Redis(port=node.port)
    await other.acl_setuser(
        "clerk",
        enabled=True,
        passwords=["+secret"],
        keys=["*"],
        channels=["*"],
        categories=["+@all"],
        commands=["-info"],
    )
    await other.aclose()
    client = open_redis(f"redis://clerk:secret@127.0.0.1:{node.port}")
    with (
        pytest.raises(UnavailableError, match="must be allowed INFO and FLUSHDB"),
        redis_errors(),
    ):
        await client.execute_command("GET", "key")
    await client.aclose()


async def test_deleted_photos_stay_deleted(node: RedisNode, database: Database) -> None:
    """A page does not show a photo deleted since the snapshot, and positions of before the restart are unknown."""
    client, gallery = open_redis(node.url), Gallery(database)
    cards, counter_cache = Cards(database, client), CounterCache(database, client)
    feeds = Feeds(database, client, cards, delivery_script(client), window=20)
    home = Home(PrimaryReads(database), client, feeds, cards, counter_cache)
    ann = await gallery.user("ann")
    photo = await gallery.photo(ann, "gone by then")
    policy = QuotaPolicy(name="reads", limit=1000, window_seconds=60)
    assert (await home.page(ann, session="s", before=None, limit=5, policy=policy)).pieces
    epoch, offset = await feeds.position(ann)
    assert await feeds.since(ann, epoch, offset) is not None
    await client.execute_command("SAVE")

    await gallery.delete(photo, ann)
    await cards.tombstone(photo)
    node.kill()
    node.start()

    assert (await home.page(ann, session="s", before=None, limit=5, policy=policy)).pieces == []
    assert await feeds.since(ann, epoch, offset) is None
    await client.aclose()
