"""The cluster of the soak: live processes and real engines, with proxies between them that can cut and freeze."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from redis.asyncio import Redis

from storage.embedded.postgres import embedded_postgres
from storage.postgres.database import Database
from storage.postgres.migrate import migrate
from tests.engines.private import RedisNode, free_port
from tests.engines.rabbitmq import RabbitNode
from tests.support.service import Service
from tests.support.tcp_proxy import TcpProxy
from workers.broker.routing import queues_of

WORKERS = ("media", "fanout", "notify", "bulk", "relay")
# Short, so that each side notices the silence of the other within seconds.
KEEPALIVE = {"PICSHARE_LIVE__PING_INTERVAL": "4", "PICSHARE_LIVE__PONG_DEADLINE": "3"}
WINDOW = 16 * 1024  # socket buffers between a live process and a device, in bytes: a slow reader fills them at once
UNLIMITED = ("READS", "WRITES", "LIKES", "FOLLOWS", "UPLOADS", "ANONYMOUS")


class Node:
    """One live process, the proxy through which clients reach it, and the one through which it reaches Redis."""

    def __init__(self, service: Service, front: TcpProxy, back: TcpProxy) -> None:
        self.service = service
        self.front = front
        self.back = back

    @property
    def url(self) -> str:
        """Return the address for clients."""
        return f"http://127.0.0.1:{self.front.port}"


class Cluster:
    """The engines and processes; `rest` is the proxy to Redis for all processes except the live ones."""

    def __init__(self, folder: Path, env: Mapping[str, str], redis: RedisNode, database: Database) -> None:
        self.folder = folder
        self.env = env
        self.redis = redis
        self.database = database
        self.secret = env["PICSHARE_AUTH__SECRET"].encode()
        self.nodes: list[Node] = []
        self.rest = TcpProxy(0)
        self.api: Service

    def urls(self) -> list[str]:
        """Return the addresses for clients."""
        return [node.url for node in self.nodes]

    def keep_logs(self) -> Path:
        """Copy the logs of all processes to a new folder that outlives the test, and return it."""
        folder = Path(tempfile.mkdtemp(prefix="soak-"))
        for log in self.folder.glob("*.log"):
            shutil.copy(log, folder)
        return folder

    def live_service(self, name: str, port: int, redis_url: str, **settings: str) -> Service:
        """Return a live process that is not started."""
        # A live process does not use the broker, but every role has to name one.
        env = {"PICSHARE_BROKER__URL": "amqp://nowhere/", **self.env, "PICSHARE_REDIS__URL": redis_url, **settings}
        command = ["serve", "--role", "live", "--port", str(port)]
        return Service(command, folder=self.folder, name=name, port=port, env=env)

    async def flush_redis(self) -> None:
        """Delete all data in Redis."""
        async with Redis(port=self.redis.port) as client:
            await client.flushall()

    async def empty_redis(self) -> None:
        """Kill Redis with SIGKILL and start it without data."""
        await asyncio.to_thread(self.redis.kill)
        await asyncio.to_thread(shutil.rmtree, self.redis.folder / "appendonlydir", ignore_errors=True)
        await asyncio.to_thread(self.redis.start)


@asynccontextmanager
async def cluster_in(folder: Path, *, rabbitmq: bool = False, live: int = 2) -> AsyncIterator[Cluster]:
    """Run a cluster in a directory until the end of the block.

    API and workers are one process on the embedded broker, or one each on RabbitMQ.
    """
    async with AsyncExitStack() as stack:
        dsn = await stack.enter_async_context(embedded_postgres(folder / "pg"))
        redis = RedisNode(folder / "redis", free_port())
        stack.callback(redis.stop)
        await asyncio.gather(asyncio.to_thread(redis.start), migrate(dsn))
        database = await Database.connect(dsn, routes=queues_of, min_size=1, max_size=4)
        stack.push_async_callback(database.close)
        cluster = Cluster(folder, _environment(folder, dsn), redis, database)
        cluster.rest = await stack.enter_async_context(TcpProxy.to(redis.port))
        workers = await _workers(cluster, stack) if rabbitmq else [_all_in_one(cluster)]
        cluster.api = workers[0]
        for number in range(1, live + 1):
            cluster.nodes.append(await _node(cluster, number, stack))
        services = [*workers, *(node.service for node in cluster.nodes)]
        stack.push_async_callback(_stop, services)
        await asyncio.gather(*(service.start() for service in services))
        yield cluster


def _environment(folder: Path, dsn: str) -> dict[str, str]:
    return {
        "PICSHARE_DATABASE__URL": dsn,
        "PICSHARE_DATABASE__POOL_MAX": "12",
        "PICSHARE_BLOBS__URL": f"file:{folder / 'blobs'}",
        "PICSHARE_DATA__DIR": str(folder / "data"),
        "PICSHARE_AUTH__SECRET": secrets.token_hex(32),
        "PICSHARE_AUTH__ACCESS_TTL": "86400",
        "PICSHARE_LOG__FORMAT": "json",
        **{f"PICSHARE_LIMITS__{name}": "1000000/m" for name in UNLIMITED},
    }


def _all_in_one(cluster: Cluster) -> Service:
    port = free_port()
    env = {**cluster.env, "PICSHARE_REDIS__URL": _url_of(cluster.rest)}
    command = ["run", "--no-demo", "--port", str(port)]
    return Service(command, folder=cluster.folder, name="all-in-one", port=port, env=env)


async def _workers(cluster: Cluster, stack: AsyncExitStack) -> list[Service]:
    rabbit = RabbitNode(cluster.folder / "rabbit")
    stack.callback(rabbit.stop)
    await asyncio.to_thread(rabbit.start)
    env = {**cluster.env, "PICSHARE_REDIS__URL": _url_of(cluster.rest), "PICSHARE_BROKER__URL": rabbit.url}
    commands = {"api": ["serve", "--role", "api", "--port"]}
    commands |= {role: ["worker", role, "--health-port"] for role in WORKERS}
    services = []
    for name, command in commands.items():
        port = free_port()
        services.append(Service([*command, str(port)], folder=cluster.folder, name=name, port=port, env=env))
    return services


async def _node(cluster: Cluster, number: int, stack: AsyncExitStack) -> Node:
    port = free_port()
    back = await stack.enter_async_context(TcpProxy.to(cluster.redis.port))
    front = await stack.enter_async_context(TcpProxy.to(port, window=WINDOW))
    # The smallest write buffer, so that a slow reader is detected.
    settings = {**KEEPALIVE, "PICSHARE_LIVE__WRITE_BUFFER_BYTES": "65536", "PICSHARE_LIVE__DRAIN_SECONDS": "2"}
    return Node(cluster.live_service(f"live{number}", port, _url_of(back), **settings), front, back)


def _url_of(proxy: TcpProxy) -> str:
    return f"redis://127.0.0.1:{proxy.port}"


async def _stop(services: Sequence[Service]) -> None:
    running = [service for service in services if service.process and service.process.returncode is None]
    await asyncio.gather(*(service.stop() for service in running))
