"""A complete PicShare in separate processes, half of it behind a pooler, on real engines and behind a cache."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from storage.embedded.postgres import embedded_postgres
from tests.engines.nginx import UNLIMITED, Nginx
from tests.engines.object_store import ObjectStore
from tests.engines.pgbouncer import Pgbouncer, pgbouncer
from tests.engines.private import RedisNode, free_port
from tests.engines.rabbitmq import RabbitNode
from tests.support.service import Service

# Those that connect through the pooler; the others of each role, and the other workers, connect to the server.
POOLED = {"api2", "live2", "fanout", "notify", "relay"}
WORKERS = ("media", "fanout", "notify", "bulk", "video", "webhooks", "purge", "relay", "janitor")


Engines = tuple[RedisNode, RabbitNode]


class Cluster:
    """Engines and processes by name; `kill` and `restart` take any of them. `nginx` is in front of the API."""

    def __init__(self, folder: Path, dsn: str, pooler: Pgbouncer, engines: Engines, store: ObjectStore) -> None:
        redis, rabbit = engines
        self.redis = redis
        self.rabbit = rabbit
        self._dsn = dsn
        ports = {f"{role}{number}": free_port() for role in ("api", "live") for number in (1, 2)}
        secret = secrets.token_hex(32)
        self.nginx = Nginx(folder / "nginx", api=[ports["api1"], ports["api2"]], secret=secret, changes=UNLIMITED)
        env = {
            "PICSHARE_DATABASE__URL": dsn,
            "PICSHARE_DATABASE__POOL_MAX": "6",
            "PICSHARE_REDIS__URL": redis.url,
            "PICSHARE_BROKER__URL": rabbit.url,
            # The keys are in Amazon's usual variables.
            "PICSHARE_BLOBS__URL": store.url(store.create_bucket().bucket),
            "AWS_ACCESS_KEY_ID": store.access_key,
            "AWS_SECRET_ACCESS_KEY": store.secret_key,
            "PICSHARE_DATA__DIR": str(folder / "data"),
            "PICSHARE_AUTH__SECRET": secret,
            "PICSHARE_EDGE__CACHES": self.nginx.url,
            "PICSHARE_LOG__FORMAT": "json",
            "PICSHARE_LIMITS__UPLOADS": "100000/m",
            "PICSHARE_LIMITS__LIKES": "100000/m",
        }
        pooled = env | {
            "PICSHARE_DATABASE__URL": pooler.url(dsn),
            "PICSHARE_DATABASE__POOLER": "transaction",
            "PICSHARE_DATABASE__DIRECT_URL": dsn,
        }
        self._folder, self._env = folder, env
        self._migrate = Service(["migrate"], folder=folder, name="migrate", env=env)
        self.processes: dict[str, Service] = {}
        for name, port in ports.items():
            self.processes[name] = Service(
                ["serve", "--role", name[:-1], "--port", str(port)],
                folder=folder,
                name=name,
                port=port,
                env=pooled if name in POOLED else env,
            )
        for role in WORKERS:
            port = free_port()
            self.processes[role] = Service(
                ["worker", role, "--health-port", str(port)],
                folder=folder,
                name=role,
                port=port,
                env=pooled if role in POOLED else env,
            )

    def url(self, name: str) -> str:
        """Return the address of a process."""
        return self.processes[name].url

    def service(self, name: str, *command: str, port: int, env: Mapping[str, str]) -> Service:
        """Return another process with these settings in addition, which the caller starts and stops."""
        return Service(list(command), folder=self._folder, name=name, port=port, env={**self._env, **env})

    async def start(self) -> None:
        """Migrate, then start every process and wait until all are ready."""
        await self._migrate.start(wait=False)
        assert self._migrate.process is not None
        assert await self._migrate.process.wait() == 0, self._migrate.log()
        await asyncio.gather(self.nginx.start(), *(process.start() for process in self.processes.values()))

    async def promote(self, username: str) -> None:
        """Make a user a moderator, by the command for operators."""
        command = Service(["user", "promote", username], folder=self._folder, name="promote", env=self._env)
        await command.start(wait=False)
        assert command.process is not None
        assert await command.process.wait() == 0, command.log()

    async def stop(self) -> None:
        """Stop every process that still runs."""
        running = [item for item in self.processes.values() if item.process and item.process.returncode is None]
        await asyncio.gather(self.nginx.stop(), *(process.stop() for process in running))

    async def kill(self, name: str) -> None:
        """Kill a process or an engine with SIGKILL."""
        if name == "redis":
            await asyncio.to_thread(self.redis.kill)
        elif name == "rabbitmq":
            await asyncio.to_thread(self.rabbit.kill)
        else:
            await self.processes[name].kill()

    async def restart(self, name: str) -> None:
        """Restart what was killed, and wait until it is ready."""
        if name == "redis":
            await asyncio.to_thread(self.redis.start)
        elif name == "rabbitmq":
            await asyncio.to_thread(self.rabbit.start)
        else:
            await self.processes[name].start()


@asynccontextmanager
async def cluster_in(folder: Path, store: ObjectStore) -> AsyncIterator[Cluster]:
    """Run a cluster in a directory until the end of the block; images are in a bucket of `store`."""
    async with AsyncExitStack() as stack:
        # Durability stays on, because these tests check what survives.
        dsn = await stack.enter_async_context(embedded_postgres(folder / "pg"))
        pooler = await stack.enter_async_context(pgbouncer(folder / "pgbouncer", dsn))
        redis, rabbit = RedisNode(folder / "redis", free_port()), RabbitNode(folder / "rabbit")
        stack.callback(redis.stop)
        stack.callback(rabbit.stop)
        await asyncio.gather(asyncio.to_thread(redis.start), asyncio.to_thread(rabbit.start))
        cluster = Cluster(folder, dsn, pooler, (redis, rabbit), store)
        stack.push_async_callback(cluster.stop)
        await cluster.start()
        yield cluster
