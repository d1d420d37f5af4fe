"""Seconds from the loss of an engine's server until the service goes on, and what was acknowledged and is lost.

The service is behind nginx on PostgreSQL, Redis and RabbitMQ of three servers each, with the settings of `deploy/`. Two
authors upload meanwhile. The standby of PostgreSQL is promoted at once, so the time until a manager notices the loss
comes on top.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import aiohttp

from bench.report import COUNT, Figure, figure
from tests.e2e.clustered import Installation, installation_in, lose_primary
from tests.e2e.load import Load
from tests.support.eventually import eventually

GROUP = "loss of {name} under load"
LIMIT = "what is acknowledged is on the disks of two servers"
WITHIN = 120.0  # seconds
PHOTOS = 8  # before the loss, and after the first that was acknowledged again

# Each takes a server away and returns the moment, and the way to bring it back.
Loss = Callable[[Installation, Load], Awaitable[tuple[float, Callable[[], Awaitable[None]]]]]


async def measure(*, quick: bool) -> list[Figure]:
    """Return for each engine the seconds to the first upload and to its arrival, and the number of lost photos."""
    figures: list[Figure] = []
    losses = {"the primary of PostgreSQL": _primary, "a master of Redis": _master, "the leader of a queue": _leader}
    with tempfile.TemporaryDirectory(prefix="psb-", ignore_cleanup_errors=True) as folder:
        async with installation_in(Path(folder), rabbitmq=True) as installation:
            for name, lose in losses.items():
                rounds = [await _round(installation, lose) for _ in range(1 if quick else 3)]
                acknowledged, arrived, lost = zip(*rounds, strict=True)
                group = GROUP.format(name=name)
                figures += [
                    figure(group, "until an upload is acknowledged", "s", acknowledged),
                    figure(group, "until a follower's socket has it", "s", arrived),
                    figure(group, "acknowledged and lost", COUNT, lost, at_most=0, limit=LIMIT),
                ]
    return figures


async def _round(installation: Installation, lose: Loss) -> tuple[float, float, float]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15)) as http:
        load = await installation.load(http)
        async with load.running():
            await load.until(acknowledged=PHOTOS)
            lost, restore = await lose(installation, load)
            arrived = await load.first_arrival_since(lost, within=WITHIN)
            await load.until(acknowledged=len(load.acknowledged) + PHOTOS)
        with suppress(AssertionError):  # what is still missing is reported
            await eventually(lambda: _complete(load), within=WITHIN)
        missing = len(await load.missing())
        await load.close()
    await restore()
    return load.first_success_since(lost), arrived, float(missing)


async def _complete(load: Load) -> bool:
    return not await load.missing()


async def _primary(installation: Installation, _load: Load) -> tuple[float, Callable[[], Awaitable[None]]]:
    postgres = installation.postgres
    former = postgres.primary
    return await lose_primary(postgres), lambda: postgres.rejoin(former)


async def _master(installation: Installation, load: Load) -> tuple[float, Callable[[], Awaitable[None]]]:
    redis, master = installation.redis, installation.redis_master_of(load.authors[0])
    lost = time.monotonic()
    await asyncio.to_thread(master.kill)

    async def restore() -> None:
        await asyncio.to_thread(master.start)
        await asyncio.to_thread(redis.wait)
        await eventually(master.is_synced_replica, within=WITHIN)

    return lost, restore


async def _leader(installation: Installation, _load: Load) -> tuple[float, Callable[[], Awaitable[None]]]:
    rabbit = installation.rabbit
    assert rabbit is not None
    leader = await asyncio.to_thread(rabbit.leader_of, "fanout")
    lost = time.monotonic()
    await asyncio.to_thread(leader.kill)

    async def restore() -> None:
        await asyncio.to_thread(rabbit.start_node, leader)
        await asyncio.to_thread(rabbit.wait)

    return lost, restore
