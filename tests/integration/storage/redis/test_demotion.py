"""A master is demoted, and its connections stay open: they are replaced, since its address leads to its successor."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio as raw

from storage.errors import UnavailableError
from storage.limits.quotas import QuotaPolicy, Quotas
from storage.redis.client import Redis, check_writable, open_redis, redis_errors
from tests.engines.private import RedisNode, free_port
from tests.support.driver_commands import commands
from tests.support.tcp_proxy import TcpProxy

pytestmark = pytest.mark.engines

POLICY = QuotaPolicy(name="p", limit=1000, window_seconds=60)


@dataclass
class Losses:
    """A pub/sub listener that records the ends of its connection."""

    errors: list[str] = field(default_factory=list)

    def message_received(self, message: Any, *, more: bool) -> None:
        """Ignore it."""

    def connection_lost(self, error: Exception) -> None:
        """Record it."""
        self.errors.append(str(error))


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A client of an address that leads to the server `old`; `new` is another master."""

    client: Redis
    proxy: TcpProxy
    old: RedisNode
    new: RedisNode

    async def configure_old(self, *command: str | int) -> None:
        """Run a command on the old server directly."""
        direct = raw.Redis(port=self.old.port)
        await direct.execute_command(*command)  # type: ignore[no-untyped-call]
        await direct.aclose()

    async def demote(self) -> None:
        """Make the old server a replica of the new one; the address still leads to the old one."""
        await self.configure_old("REPLICAOF", "127.0.0.1", self.new.port)

    def redirect(self) -> None:
        """Let the address lead to the new server; open connections stay."""
        self.proxy.redirect_to(self.new.port)


@pytest.fixture
def nodes(short_dir: Path) -> Iterator[list[RedisNode]]:
    """Two masters."""
    with ExitStack() as stack:
        nodes = [RedisNode(short_dir / name, free_port()) for name in ("old", "new")]
        for node in nodes:
            node.start()
            stack.callback(node.stop)
        yield nodes


@pytest.fixture
async def scene(nodes: list[RedisNode]) -> AsyncIterator[Scene]:
    """A client that has written to the old server."""
    old, new = nodes
    async with TcpProxy.to(old.port) as proxy:
        client = open_redis(f"redis://127.0.0.1:{proxy.port}")
        await client.execute_command("SET", "key", "old")
        yield Scene(client=client, proxy=proxy, old=old, new=new)
        await client.aclose()


async def test_successor_is_found_by_the_first_write(scene: Scene) -> None:
    """The first command that the demoted server refuses is carried out by its successor, in a script too."""
    quotas = Quotas(scene.client)
    await quotas.take(POLICY, "x")
    await scene.demote()
    scene.redirect()
    assert (await quotas.take(POLICY, "x")).allowed
    assert await commands(scene.client).get("key") is None  # the demoted server had it


async def test_unavailable_until_there_is_a_successor(scene: Scene) -> None:
    """While the address leads to a replica nothing is read or written there; afterwards the same client works."""
    await check_writable(scene.client)
    await scene.demote()
    for _ in range(3):
        with pytest.raises(UnavailableError, match="READONLY"):
            await check_writable(scene.client)
    with pytest.raises(UnavailableError, match="does not act as a master"), redis_errors():
        await scene.client.execute_command("GET", "key")
    scene.redirect()
    await check_writable(scene.client)
    assert await commands(scene.client).set("key", "new")


async def test_master_that_has_lost_its_replicas(scene: Scene) -> None:
    """A master that refuses writes because its replicas are gone may have a successor; it is looked for."""
    await scene.configure_old("CONFIG", "SET", "min-replicas-to-write", 1)
    with pytest.raises(UnavailableError, match="NOREPLICAS"):
        await check_writable(scene.client)
    scene.redirect()
    await check_writable(scene.client)


async def test_proof_of_a_write_changes_nothing(scene: Scene) -> None:
    """The check leaves no key, and nothing for the append-only file or replicas."""

    async def state() -> tuple[int, int]:
        info = await commands(scene.client).info("persistence")
        return info["rdb_changes_since_last_save"], await scene.client.execute_command("DBSIZE")

    before = await state()
    for _ in range(3):
        await check_writable(scene.client)
    assert await state() == before


async def test_full_memory_is_not_writable(scene: Scene) -> None:
    """A server that refuses writes because its memory is full fails the check, and works once there is space."""
    await scene.configure_old("CONFIG", "SET", "maxmemory", 1)
    with pytest.raises(UnavailableError, match="OOM"):
        await check_writable(scene.client)
    await scene.configure_old("CONFIG", "SET", "maxmemory", 0)
    await check_writable(scene.client)


async def test_subscribers_leave_a_demoted_server(scene: Scene) -> None:
    """A refused command ends the pub/sub connections too, because nothing is published there any more."""
    losses = Losses()
    await scene.client.subscriber(scene.client.server_of(b"key"), losses)
    await scene.demote()
    scene.redirect()
    await check_writable(scene.client)
    (error,) = losses.errors
    assert "READONLY" in error


async def test_subscribers_are_where_commands_are(scene: Scene) -> None:
    """When commands reach another server after a loss, pub/sub connections to the former one are closed."""
    losses = Losses()
    await scene.client.subscriber(scene.client.server_of(b"key"), losses)
    scene.redirect()
    scene.client.reconnect()
    await check_writable(scene.client)
    assert losses.errors == ["commands reach another server"]


async def test_commands_are_where_subscribers_are(scene: Scene) -> None:
    """When a new subscriber reaches another server than commands do, commands follow it."""
    scene.redirect()
    losses = Losses()
    subscriber = await scene.client.subscriber(scene.client.server_of(b"key"), losses)
    assert await commands(scene.client).get("key") is None
    assert losses.errors == []
    await subscriber.close()


async def test_subscribers_stay_where_the_server_is_the_same(scene: Scene) -> None:
    """A new connection for commands to the same server does not end its subscribers."""
    losses = Losses()
    subscriber = await scene.client.subscriber(scene.client.server_of(b"key"), losses)
    for _ in range(3):
        scene.client.reconnect()
        await check_writable(scene.client)
    assert losses.errors == []
    await subscriber.close()


async def test_one_writable_master_of_a_cluster_is_enough(cluster_url: str) -> None:
    """A cluster passes the check."""
    client = open_redis(cluster_url)
    await check_writable(client)
    await client.aclose()


async def test_nothing_answers() -> None:
    """Without a server the check fails with `UnavailableError`."""
    for url in (f"redis://127.0.0.1:{free_port()}", f"redis+cluster://127.0.0.1:{free_port()}"):
        client = open_redis(url)
        with pytest.raises(UnavailableError):
            await check_writable(client)
        await client.aclose()
