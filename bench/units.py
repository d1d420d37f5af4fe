"""What one unit of each kind of work costs each role and each engine, which is what `picshare plan` reads.

The installation is one process of each role on real engines, as in production but on one machine. The same actions are
then measured with `picshare run`, as `picshare plan --measure` does, so that its figures can be split among the roles.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
import ssl
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aio_pika

from bench import edge
from bench.http_load import request_rate
from bench.report import Figure, figure
from server.measuring.installation import (
    ACCOUNTS,
    UNLIMITED,
    postgres_pid,
    redis_pid,
    running_installation,
)
from server.measuring.processor_time import children_of, tree_seconds
from server.measuring.units import Components, Costs, measure_units
from server.measuring.workload import Workload
from server.planning.unit_costs import GROUP, ONE_PROCESS
from storage.embedded.postgres import embedded_postgres
from tests.engines.nginx import UNLIMITED as NGINX_UNLIMITED
from tests.engines.nginx import Nginx, running_nginx
from tests.engines.private import RedisNode, free_port
from tests.engines.rabbitmq import RabbitNode
from tests.support.service import Service

ROLES = ("media", "fanout", "notify", "relay", "bulk", "webhooks", "janitor")
MESSAGES, HANDSHAKES = 4000, 1000


@dataclass(frozen=True, kw_only=True)
class _Roles:
    """An installation with a process for each role, and nginx in front of it."""

    api: str
    live: str
    components: Components
    rabbit: RabbitNode
    rabbit_pid: int
    nginx: Nginx


async def measure(*, quick: bool) -> list[Figure]:
    """Return the microseconds of each component for each unit."""
    runs, scale = (1, 0.3) if quick else (2, 1.0)
    apart: list[Costs] = []
    together: list[Costs] = []
    async with _roles() as roles:
        for _ in range(runs):
            async with Workload.open(roles.api, roles.live, accounts=ACCOUNTS) as workload:
                costs = await measure_units(workload, roles.components, scale=scale)
                token = workload.accounts[1].token
            costs["message"] = await _messages(roles)
            costs["gateway"] = _requests(roles.nginx, token)
            costs["handshake"] = await asyncio.to_thread(_handshakes, roles.nginx)
            apart.append(costs)
    (public,) = (item for item in await edge.measure(quick=True) if item.name == "public")
    for costs in apart:
        costs["image"] = {"nginx": public.median}
    async with running_installation() as here:
        for _ in range(runs):
            async with Workload.open(here.url, here.url, accounts=ACCOUNTS) as workload:
                together.append(await measure_units(workload, here.components, scale=scale))
    return [*_figures(GROUP, apart), *_figures(ONE_PROCESS, together)]


def _figures(group: str, runs: list[Costs]) -> list[Figure]:
    return [
        figure(f"{group} {unit}", component, "µs", [run[unit][component] for run in runs])
        for unit, components in runs[0].items()
        for component in components
    ]


@asynccontextmanager
async def _roles() -> AsyncIterator[_Roles]:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="psb-")))
        dsn = await stack.enter_async_context(embedded_postgres(folder))
        redis, rabbit = RedisNode(folder / "redis", free_port()), RabbitNode(folder / "rabbit")
        stack.callback(redis.stop)
        stack.callback(rabbit.stop)
        await asyncio.gather(asyncio.to_thread(redis.start), asyncio.to_thread(rabbit.start))
        secret = secrets.token_hex(32)
        env = {
            **UNLIMITED,
            "PICSHARE_DATABASE__URL": dsn,
            "PICSHARE_REDIS__URL": redis.url,
            "PICSHARE_BROKER__URL": rabbit.url,
            "PICSHARE_BLOBS__URL": f"file:{folder / 'blobs'}",
            "PICSHARE_DATA__DIR": str(folder / "data"),
            "PICSHARE_AUTH__SECRET": secret,
            "PICSHARE_LOG__LEVEL": "warning",
        }
        schema = Service(["migrate"], folder=folder, name="migrate", env=env)
        await schema.start(wait=False)
        assert schema.process is not None
        assert await schema.process.wait() == 0, schema.log()
        processes = {role: await stack.enter_async_context(_process(folder, env, role)) for role in ("api", "live")}
        for role in ROLES:
            processes[role] = await stack.enter_async_context(_process(folder, env, role))
        ports = {role: int(processes[role].url.rpartition(":")[2]) for role in ("api", "live")}
        nginx = await stack.enter_async_context(
            running_nginx(
                folder / "nginx", api=[ports["api"]], live=[ports["live"]], secret=secret, changes=NGINX_UNLIMITED
            )
        )
        # The janitor does nothing for a unit of work.
        pids = {role: [process.pid] for role, process in processes.items() if role != "janitor"}
        rabbit_pid = int((folder / "rabbit" / "pid").read_text())
        engines = {
            "postgres": [postgres_pid(folder)],
            "redis": [await redis_pid(redis.url)],
            "rabbitmq": [rabbit_pid],
        }
        yield _Roles(
            api=processes["api"].url,
            live=processes["live"].url,
            components=Components(pids={**pids, **engines}),
            rabbit=rabbit,
            rabbit_pid=rabbit_pid,
            nginx=nginx,
        )


@asynccontextmanager
async def _process(folder: Path, env: Mapping[str, str], role: str) -> AsyncIterator[Service]:
    port = free_port()
    command = ["serve", "--role", role, "--port", str(port)] if role in ("api", "live") else ["worker", role]
    if role not in ("api", "live"):
        command += ["--health-port", str(port)]
    service = Service(command, folder=folder, name=role, port=port, env=env)
    await service.start()
    try:
        yield service
    finally:
        await service.stop()


async def _messages(roles: _Roles) -> dict[str, float]:
    """Return RabbitMQ's cost of a message that is published with a confirmation and consumed, in a quorum queue."""
    connection = await aio_pika.connect(roles.rabbit.url)
    async with connection:
        channel = await connection.channel()
        await channel.set_qos(100)
        queue = await channel.declare_queue("bench", durable=True, arguments={"x-queue-type": "quorum"})
        left = asyncio.Semaphore(0)

        async def take(message: aio_pika.abc.AbstractIncomingMessage) -> None:
            await message.ack()
            left.release()

        await queue.consume(take)
        before = tree_seconds([roles.rabbit_pid])
        for _ in range(0, MESSAGES, 50):
            body = aio_pika.Message(b"x" * 300, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
            await asyncio.gather(*(channel.default_exchange.publish(body, "bench") for _ in range(50)))
        for _ in range(MESSAGES):
            await left.acquire()
        used = tree_seconds([roles.rabbit_pid]) - before
        await queue.delete(if_unused=False, if_empty=False)
    return {"rabbitmq": used / MESSAGES * 1e6}


def _requests(nginx: Nginx, token: str) -> dict[str, float]:
    """Return nginx's cost of a feed page that it passes on from the API."""
    workers, seconds = children_of(nginx.pid), 3.0
    before = tree_seconds(workers)
    responses = request_rate(nginx.port, "/api/v1/feed?limit=20", token, connections=8, seconds=seconds) * seconds
    return {"nginx": (tree_seconds(workers) - before) / responses * 1e6}


def _handshakes(nginx: Nginx) -> dict[str, float]:
    """Return nginx's cost of a new connection with TLS."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    workers = children_of(nginx.pid)
    before = tree_seconds(workers)
    for _ in range(HANDSHAKES):
        _connect(context, nginx.tls_port)
    return {"nginx": (tree_seconds(workers) - before) / HANDSHAKES * 1e6}


def _connect(context: ssl.SSLContext, port: int) -> None:
    with (
        socket.create_connection(("127.0.0.1", port)) as plain,
        context.wrap_socket(plain, server_hostname="localhost"),
    ):
        pass
