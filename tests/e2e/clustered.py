"""PicShare behind nginx on engines that survive the loss of a server: PostgreSQL, Redis and RabbitMQ, three of each.

Without RabbitMQ it is two processes `picshare run`, each of which does everything, with the broker in the database.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
from prometheus_client.parser import text_string_to_metric_families
from redis.crc import key_slot

from storage import ids
from tests.e2e.load import Load
from tests.engines.nginx import UNLIMITED, Nginx
from tests.engines.postgres_trio import PostgresTrio, postgres_trio
from tests.engines.private import free_port
from tests.engines.rabbitmq import RabbitCluster
from tests.engines.redis_cluster import ClusterNode, RedisCluster
from tests.support.api_user import ApiUser
from tests.support.service import Service

WORKERS = ("media", "fanout", "notify", "bulk", "relay")
PAUSE = 0.1  # seconds between two reads
# So that workers on a busy machine keep pace: what arrives late then shows the outage, and no backlog.
UPLOAD_PAUSE = 0.4  # seconds


class Installation:
    """The engines and the processes; `url` is nginx's."""

    def __init__(self, folder: Path, postgres: PostgresTrio, redis: RedisCluster, rabbit: RabbitCluster | None) -> None:
        self.postgres, self.redis, self.rabbit = postgres, redis, rabbit
        secret = secrets.token_hex(32)
        env = {
            "PICSHARE_DATABASE__URL": postgres.url,
            "PICSHARE_DATABASE__REPLICAS": ",".join(server.url for server in postgres.servers),
            "PICSHARE_DATABASE__POOL_MAX": "6",
            "PICSHARE_REDIS__URL": redis.url,
            "PICSHARE_BLOBS__URL": f"file:{folder / 'blobs'}",
            "PICSHARE_AUTH__SECRET": secret,
            "PICSHARE_LOG__FORMAT": "json",
            **{f"PICSHARE_LIMITS__{name}": "1000000/m" for name in ("READS", "WRITES", "UPLOADS", "LIKES")},
        }
        if rabbit is not None:
            env["PICSHARE_BROKER__URL"] = rabbit.url
        ports = {"one": free_port(), "two": free_port()}
        commands: dict[str, list[str]] = {}
        if rabbit is None:
            commands = {name: ["run", "--no-demo", "--port", str(port)] for name, port in ports.items()}
        else:
            commands = {name: ["serve", "--role", "api", "--port", str(port)] for name, port in ports.items()}
            ports |= {name: free_port() for name in ("live", *WORKERS)}
            commands["live"] = ["serve", "--role", "live", "--port", str(ports["live"])]
            commands |= {name: ["worker", name, "--health-port", str(ports[name])] for name in WORKERS}
        api = [ports["one"], ports["two"]]
        live = api if rabbit is None else [ports["live"]]
        self.nginx = Nginx(folder / "nginx", api=api, live=live, secret=secret, changes=UNLIMITED)
        self._migrate = Service(["migrate"], folder=folder, name="migrate", env=env)
        self.processes = {
            name: Service(
                command,
                folder=folder,
                name=name,
                port=ports[name],
                env={**env, "PICSHARE_DATA__DIR": str(folder / f"data-{name}")},
            )
            for name, command in commands.items()
        }

    @property
    def url(self) -> str:
        """The address for clients."""
        return self.nginx.url

    async def start(self) -> None:
        """Migrate, then start every process and wait until all are ready."""
        await self._migrate.start(wait=False)
        assert self._migrate.process is not None
        assert await self._migrate.process.wait() == 0, self._migrate.log()
        await self.nginx.start()
        # Not all at once: on two cores none of them would be ready in time.
        names = list(self.processes)
        for pair in zip(names[::2], [*names[1::2], None], strict=False):
            await asyncio.gather(*(self.processes[name].start() for name in pair if name is not None))

    async def stop(self) -> None:
        """Stop every process that still runs."""
        running = [item for item in self.processes.values() if item.process and item.process.returncode is None]
        await asyncio.gather(self.nginx.stop(), *(process.stop() for process in running))

    async def load(self, http: aiohttp.ClientSession, *, pause: float = UPLOAD_PAUSE) -> Load:
        """Create the users of a load that goes through nginx, with so many seconds between two requests of a user."""
        return await Load.prepare(http, apis=[self.url], lives=[self.url], pause=pause)

    def redis_master_of(self, user: ApiUser) -> ClusterNode:
        """Return the master that has what Redis keeps for a user."""
        return self.redis.owner_of(key_slot(b"{%d}" % ids.slot_group(ids.decode(user.id))))

    async def metric(self, http: aiohttp.ClientSession, process: str, name: str) -> Mapping[str, float]:
        """Return the values of a metric of a process by the first label."""
        async with http.get(f"{self.processes[process].url}/metrics") as response:
            families = text_string_to_metric_families(await response.text())
        samples = [sample for family in families for sample in family.samples if sample.name == name]
        return {next(iter(sample.labels.values())): sample.value for sample in samples}


class Reader:
    """A user who reads a photo and the feed in turn, and the statuses of the responses."""

    def __init__(self, user: ApiUser, photo: str) -> None:
        self._user = user
        self._photo = photo
        self.statuses: Counter[tuple[str, int]] = Counter()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[None]:
        """Read until the end of the block."""
        task = asyncio.create_task(self._read())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled():
                task.result()

    @property
    def failed(self) -> dict[tuple[str, int], int]:
        """The responses that are not 200, by path and status."""
        return {key: count for key, count in self.statuses.items() if key[1] != 200}

    async def _read(self) -> None:
        while True:
            for path in (f"/photos/{self._photo}", "/feed"):
                try:
                    status = (await self._user.call("GET", path)).status
                except (aiohttp.ClientError, TimeoutError):
                    status = 0
                self.statuses[path, status] += 1
                await asyncio.sleep(PAUSE)


@asynccontextmanager
async def installation_in(folder: Path, *, rabbitmq: bool = False) -> AsyncIterator[Installation]:
    """Run an installation in a directory until the end of the block."""
    async with AsyncExitStack() as stack:
        postgres = await stack.enter_async_context(postgres_trio(folder / "pg"))
        redis = RedisCluster(folder / "redis", replicas=True)
        stack.callback(redis.stop)
        rabbit = RabbitCluster(folder / "rabbit") if rabbitmq else None
        starting = [asyncio.to_thread(redis.start)]
        if rabbit is not None:
            stack.callback(rabbit.stop)
            starting.append(asyncio.to_thread(rabbit.start))
        await asyncio.gather(*starting)
        installation = Installation(folder, postgres, redis, rabbit)
        stack.push_async_callback(installation.stop)
        await installation.start()
        yield installation


async def lose_primary(postgres: PostgresTrio) -> float:
    """End the primary as a crash does, promote the standby that has most, and return the moment of the crash."""
    lost = time.monotonic()
    await postgres.primary.crash()
    await postgres.promote(await postgres.most_advanced())
    return lost
