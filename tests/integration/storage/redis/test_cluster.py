"""Connections to a cluster: every command reaches its slot, wherever it is and whatever happens to the nodes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import redis.exceptions as driver
from redis.crc import key_slot

from storage.errors import StorageError, UnavailableError
from storage.limits.quotas import QuotaPolicy, Quotas
from storage.redis.address import RedisAddress
from storage.redis.client import open_redis, redis_errors, values_of
from storage.redis.cluster import ClusterConnections
from storage.redis.scripts import Script
from tests.engines.private import free_port
from tests.engines.redis_cluster import ClusterNode, RedisCluster
from tests.support.commandstats import calls
from tests.support.driver_commands import commands
from tests.support.eventually import PROMPTLY, eventually
from tests.support.redis_handshake import answer_handshake

pytestmark = pytest.mark.engines

KEYS = [b"key%d" % number for number in range(300)]
POLICY = QuotaPolicy(name="p", limit=1000, window_seconds=60)


@pytest.fixture
def redis_url(cluster_url: str) -> str:
    """The cluster only."""
    return cluster_url


async def set_all(redis: Any) -> None:
    """Set every key to its own name."""
    await asyncio.gather(*(redis.execute_command("SET", key, key) for key in KEYS))


def other_than(cluster: RedisCluster, node: ClusterNode) -> ClusterNode:
    """Return another master."""
    return next(other for other in cluster.nodes if other is not node)


async def test_every_slot(redis: Any) -> None:
    """Keys of all masters are written and read, one by one and together; each master has some."""
    await set_all(redis)
    assert await asyncio.gather(*(redis.execute_command("GET", key) for key in KEYS)) == KEYS
    assert await values_of(redis, [*KEYS, b"missing"]) == [*KEYS, None]
    assert await commands(redis).get(KEYS[0].decode()) == KEYS[0]
    sizes = (await redis.execute_everywhere("DBSIZE")).values()
    assert sum(sizes) == len(KEYS)
    assert min(sizes) > 50


async def test_commands_for_all_masters(redis: Any) -> None:
    """FLUSHALL and SCRIPT FLUSH run on every master; an unknown script is sent again."""
    await set_all(redis)
    await commands(redis).flushall()
    assert set((await redis.execute_everywhere("DBSIZE")).values()) == {0}
    quotas = Quotas(redis)
    for _ in range(2):
        taken = await asyncio.gather(*(quotas.take(POLICY, f"subject{number}") for number in range(20)))
        assert all(quota.allowed for quota in taken)
        await commands(redis).script_flush()
    assert await commands(redis).ping()
    assert await commands(redis).time()


async def test_one_reachable_node_is_enough(cluster: RedisCluster) -> None:
    """One reachable node of those in the URL is enough."""
    url = f"redis+cluster://127.0.0.1:{free_port()},127.0.0.1:{cluster.nodes[2].port},127.0.0.1:{free_port()}"
    redis = open_redis(url)
    assert await commands(redis).ping()
    await set_all(redis)
    await redis.aclose()


async def test_no_node_answers() -> None:
    """If no node replies, commands fail at once with `UnavailableError`."""
    redis = open_redis(f"redis+cluster://127.0.0.1:{free_port()},127.0.0.1:{free_port()}")
    with pytest.raises(UnavailableError, match="no node of the cluster answers"), redis_errors():
        await redis.execute_command("GET", "a")
    with pytest.raises(UnavailableError, match="no node of the cluster answers"), redis_errors():
        await commands(redis).ping()
    await redis.aclose()


async def test_wrong_kind_of_url(cluster: RedisCluster, real_redis_url: str) -> None:
    """A cluster's URL for a single server, and a server's URL for a node of a cluster, give errors that explain it."""
    for url, message in (
        (real_redis_url.replace("redis://", "redis+cluster://"), "cluster support disabled"),
        (f"redis://127.0.0.1:{cluster.nodes[0].port}", r"should begin with redis\+cluster://"),
    ):
        redis = open_redis(url)
        with pytest.raises(StorageError, match=message), redis_errors():
            await set_all(redis)
        await redis.aclose()


async def test_moved_slot(redis: Any, cluster: RedisCluster) -> None:
    """A moved slot is followed, there and back."""
    await set_all(redis)
    slot = key_slot(KEYS[0])
    source = cluster.owner_of(slot)
    target = other_than(cluster, source)
    for destination in (target, source):
        await asyncio.to_thread(cluster.move, slot, destination)
        await redis.execute_command("APPEND", KEYS[0], "+")
        assert redis.server_of(KEYS[0]).port == destination.port
    assert await redis.execute_command("GET", KEYS[0]) == KEYS[0] + b"++"


async def test_slot_during_migration(redis: Any, cluster: RedisCluster) -> None:
    """During a migration keys are found on both sides; a script with keys on both is refused meanwhile."""
    slot = key_slot(b"{x}")
    source = cluster.owner_of(slot)
    target = other_than(cluster, source)
    keys = [b"{x}:%d" % number for number in range(20)]
    for key in keys:
        await redis.execute_command("SET", key, key)
    await asyncio.to_thread(cluster.begin_to_move, slot, target)
    await asyncio.to_thread(cluster.migrate, slot, target, 10)
    # Other callers use the connections meanwhile; ASKING must not apply to their commands.
    both = await asyncio.gather(*(redis.execute_command("GET", key) for key in [*keys, *KEYS]))
    assert both[:20] == keys
    with pytest.raises(UnavailableError, match=r"(?i)redirected|multiple keys"):
        await Script("limits/gcra", "limits/quota").run(redis, keys, (1, 0, *(1, 1000) * 20))
    await asyncio.to_thread(cluster.move, slot, target)
    assert await redis.execute_command("MGET", *keys) == keys
    await asyncio.to_thread(cluster.move, slot, source)


async def test_script_waits_for_the_end_of_a_migration(redis: Any, cluster: RedisCluster) -> None:
    """A script whose keys are just being moved is tried again for a moment."""
    slot = key_slot(b"{y}")
    source = cluster.owner_of(slot)
    target = other_than(cluster, source)
    keys = [b"{y}:%d" % number for number in range(2)]
    for key in keys:
        await redis.execute_command("SET", key, "0")
    await asyncio.to_thread(cluster.begin_to_move, slot, target)
    await asyncio.to_thread(cluster.migrate, slot, target, 1)
    reading = asyncio.create_task(redis.execute_command("MGET", *keys))
    await asyncio.to_thread(cluster.move, slot, target)
    assert await reading == [b"0", b"0"]
    await asyncio.to_thread(cluster.move, slot, source)


async def test_lost_master(redis: Any, cluster: RedisCluster) -> None:
    """While a master is down its slots fail quickly and the others work; later the same client finds it again."""
    await set_all(redis)
    node = cluster.nodes[1]
    asked = await calls(redis, "cluster|slots")
    await asyncio.to_thread(node.kill)
    started = time.monotonic()
    replies = await asyncio.gather(*(redis.execute_command("GET", key) for key in KEYS), return_exceptions=True)
    assert time.monotonic() - started < PROMPTLY
    lost = [key for key, reply in zip(KEYS, replies, strict=True) if isinstance(reply, driver.ConnectionError)]
    assert {redis.server_of(key).port for key in lost} == {node.port}
    assert [reply for reply in replies if isinstance(reply, bytes)] == [key for key in KEYS if key not in lost]
    for _ in range(50):
        with pytest.raises(driver.ConnectionError):
            await redis.execute_command("GET", lost[0])
    assert await calls(redis, "cluster|slots") - asked < 20  # not once per failed command
    assert await commands(redis).ping()
    await asyncio.to_thread(node.start)

    async def serves_again() -> bool:
        try:
            await redis.execute_command("GET", lost[0])
        except driver.ConnectionError:  # refused, or the cluster is not complete yet
            return False
        return True

    await eventually(serves_again)
    await asyncio.to_thread(cluster.wait)
    assert await values_of(redis, KEYS) == KEYS


async def test_silent_master(cluster: RedisCluster) -> None:
    """A master that does not reply delays its own commands to their timeout, and no others."""
    seeds = [RedisAddress(host="127.0.0.1", port=node.port) for node in cluster.nodes]
    connections = ClusterConnections(seeds, reply_timeout=0.4, connect_timeout=0.4)
    await connections.refresh_slots()
    node = cluster.nodes[1]
    node.freeze()
    try:
        replies = await asyncio.gather(
            *(connections.execute_command("GET", key) for key in KEYS), return_exceptions=True
        )
    finally:
        node.thaw()
    for key, reply in zip(KEYS, replies, strict=True):
        assert isinstance(reply, driver.TimeoutError) == (connections.server_of(key).port == node.port)
    await connections.aclose()
    await asyncio.to_thread(cluster.wait)


async def test_late_reply() -> None:
    """A command whose reply is late is not repeated at the slot's new master: it may have been carried out."""
    received: dict[int, list[bytes]] = {}
    master: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        port = writer.get_extra_info("sockname")[1]
        await answer_handshake(reader, writer)
        while data := await reader.read(1000):
            if b"SLOTS" in data:
                writer.write(b"*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n:%d\r\n" % master[0])
            else:
                received.setdefault(port, []).append(data)
                master[0] = next(other for other in ports if other != port)
        writer.close()

    servers = [await asyncio.start_server(serve, "127.0.0.1", 0) for _ in range(2)]
    ports = [server.sockets[0].getsockname()[1] for server in servers]
    master.append(ports[0])
    seeds = [RedisAddress(host="127.0.0.1", port=port) for port in ports]
    connections = ClusterConnections(seeds, reply_timeout=0.2, connect_timeout=1)
    with pytest.raises(driver.TimeoutError):
        await connections.execute_command("INCR", "a")
    assert connections.server_of(b"a").port == ports[1]
    assert list(received) == [ports[0]]
    await connections.aclose()
    for server in servers:
        server.close()


@asynccontextmanager
async def two_nodes() -> AsyncIterator[tuple[ClusterConnections, dict[int, int]]]:
    """A client of two scripted nodes, and the master of all slots in the opinion of each, by port: the first node.

    A node that is not the master in the opinion of the second one replies CLUSTERDOWN.
    """
    masters: dict[int, int] = {}

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        port = writer.get_extra_info("sockname")[1]
        await answer_handshake(reader, writer)
        while data := await reader.read(1000):
            if b"SLOTS" in data:
                writer.write(b"*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n:%d\r\n" % masters[port])
            else:
                writer.write(b"+OK\r\n" if masters[ports[1]] == port else b"-CLUSTERDOWN The cluster is down\r\n")
        writer.close()

    servers = [await asyncio.start_server(serve, "127.0.0.1", 0) for _ in range(2)]
    ports = [server.sockets[0].getsockname()[1] for server in servers]
    masters |= dict.fromkeys(ports, ports[0])
    seeds = [RedisAddress(host="127.0.0.1", port=port) for port in ports]
    connections = ClusterConnections(seeds, reply_timeout=1, connect_timeout=1)
    try:
        assert await connections.execute_command("SET", "a", "1") == b"OK"
        yield connections, masters
    finally:
        await connections.aclose()
        for server in servers:
            server.close()


async def test_isolated_master() -> None:
    """A master that replies CLUSTERDOWN is left for its successor, of which only the other nodes know."""
    async with two_nodes() as (connections, masters):
        _, successor = masters
        masters[successor] = successor

        async def succeeded() -> bool:
            try:
                return bool(await connections.execute_command("SET", "a", "1") == b"OK")
            except driver.ClusterDownError:  # the slot map was read a moment ago
                return False

        await eventually(succeeded)


async def test_slot_map_from_just_before_a_failover(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first command that finds its master gone succeeds, although the slot map was read a moment before."""
    async with two_nodes() as (connections, masters):
        # So long that the map cannot become too old by itself before the next command.
        monkeypatch.setattr("storage.redis.cluster._FRESH", 0.5)
        await connections.refresh_slots()
        _, successor = masters
        masters[successor] = successor
        assert await connections.execute_command("SET", "a", "1") == b"OK"


async def test_promoted_replica(redis: Any, cluster: RedisCluster) -> None:
    """After a failover commands go to the promoted replica, also those that find the old master gone."""
    redis.reconnect()  # FLUSHALL before this test deleted the marks
    await set_all(redis)
    node = cluster.owner_of(key_slot(KEYS[0]))
    with cluster.replica_of(node) as replica:
        acquainted = open_redis(f"redis+cluster://127.0.0.1:{replica.port}")
        assert await acquainted.execute_command("GET", KEYS[0]) == KEYS[0]
        await asyncio.to_thread(cluster.promote, replica)
        await asyncio.to_thread(node.kill)
        for client in (acquainted, redis):
            assert await client.execute_command("GET", KEYS[0]) is None
            assert client.server_of(KEYS[0]).port == replica.port
        assert await redis.execute_command("SET", KEYS[0], "new") == b"OK"
        assert await acquainted.execute_command("GET", KEYS[0]) == b"new"
        await asyncio.to_thread(node.start)
        await acquainted.aclose()
