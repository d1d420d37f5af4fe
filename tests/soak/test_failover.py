"""Losses and upgrades of clusters of engines under load, with a process for each role; `make soak` alone runs them.

"For an hour" is no time here but a number of events: what is away misses so many that it has to catch up.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from tests.e2e.clustered import Installation, installation_in, lose_primary
from tests.e2e.load import Load
from tests.engines.rabbitmq import RabbitCluster
from tests.support.eventually import eventually

pytestmark = [pytest.mark.engines, pytest.mark.asyncio(loop_scope="module")]

WITHIN = 120.0  # seconds
MANY = 30  # photos


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def installation(engines_dir: Path) -> AsyncIterator[Installation]:
    """One for this module; each test leaves all servers running."""
    async with installation_in(engines_dir / "clusters", rabbitmq=True) as installation:
        yield installation


@pytest.fixture
def rabbit(installation: Installation) -> RabbitCluster:
    """The nodes of RabbitMQ."""
    assert installation.rabbit is not None
    return installation.rabbit


@pytest_asyncio.fixture(loop_scope="module")
async def load(installation: Installation) -> AsyncIterator[Load]:
    """Uploads and likes of users of the test's own."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15)) as http:
        load = await installation.load(http)
        yield load
        await load.close()


def _print(what: str, load: Load, lost: float, arrived: float) -> None:
    success, failed = load.first_success_since(lost), len(load.failures_since(lost))
    print(
        f"\n{what}: first upload after {success:.1f} s, first arrival after {arrived:.1f} s, {failed} refused, 0 lost"
    )


async def test_the_leader_of_a_queue_is_lost(load: Load, rabbit: RabbitCluster) -> None:
    """The queue goes on with another leader."""
    async with load.running():
        await load.until(acknowledged=6)
        leader = await asyncio.to_thread(rabbit.leader_of, "fanout")
        lost = time.monotonic()
        await asyncio.to_thread(leader.kill)
        arrived = await load.first_arrival_since(lost, within=WITHIN)
        await load.until(acknowledged=len(load.acknowledged) + 6)
    await load.everything_arrives(within=WITHIN)
    _print("leader of a quorum queue", load, lost, arrived)
    await asyncio.to_thread(rabbit.start_node, leader)
    await asyncio.to_thread(rabbit.wait)


async def test_a_node_of_rabbitmq_is_away_for_long(load: Load, rabbit: RabbitCluster) -> None:
    """It catches up, so that another one may be lost afterwards."""
    away, other, _ = rabbit.nodes
    async with load.running():
        await asyncio.to_thread(away.kill)
        await load.until(acknowledged=MANY)
        await asyncio.to_thread(rabbit.start_node, away)
        await asyncio.to_thread(rabbit.wait)
        await asyncio.to_thread(other.kill)
        await load.until(acknowledged=len(load.acknowledged) + 6)
    await load.everything_arrives(within=WITHIN)
    await asyncio.to_thread(rabbit.start_node, other)
    await asyncio.to_thread(rabbit.wait)


async def test_a_rolling_upgrade_of_rabbitmq(load: Load, rabbit: RabbitCluster) -> None:
    """Each node is restarted in turn."""
    async with load.running():
        await asyncio.to_thread(rabbit.restart_each)
    assert load.failures_since(0) == []
    await load.everything_arrives(within=WITHIN)


async def test_a_master_of_redis_is_away_for_long(installation: Installation, load: Load) -> None:
    """Its replica takes over; it comes back as a replica, and takes over in turn when that is lost."""
    author = load.authors[0]
    first = installation.redis_master_of(author)
    async with load.running():
        await load.until(acknowledged=4)
        lost = time.monotonic()
        await asyncio.to_thread(first.kill)
        await eventually(lambda: installation.redis_master_of(author) is not first, within=WITHIN)
        arrived = await load.first_arrival_since(lost, within=WITHIN)
        await load.until(acknowledged=len(load.acknowledged) + MANY)
        await asyncio.to_thread(first.start)
        await asyncio.to_thread(installation.redis.wait)
        await eventually(first.is_synced_replica, within=WITHIN)
        second = installation.redis_master_of(author)
        await asyncio.to_thread(second.kill)
        await eventually(lambda: installation.redis_master_of(author) is first, within=WITHIN)
        await load.until(acknowledged=len(load.acknowledged) + 4)
    await load.everything_arrives(within=WITHIN, refetched=True)
    _print("master of Redis", load, lost, arrived)
    await asyncio.to_thread(second.start)
    await asyncio.to_thread(installation.redis.wait)


async def test_a_rolling_upgrade_of_redis(installation: Installation, load: Load) -> None:
    """Each node is restarted in turn; masters hand over to their replicas before."""
    async with load.running():
        await asyncio.to_thread(installation.redis.restart_each)
        await load.until(acknowledged=len(load.acknowledged) + 4)
    await load.everything_arrives(within=WITHIN, refetched=True)


async def test_the_primary_of_postgresql_is_lost(installation: Installation, load: Load) -> None:
    """With the relay between the database and RabbitMQ, no event is lost either."""
    postgres = installation.postgres
    former = postgres.primary
    async with load.running():
        await load.until(acknowledged=6)
        lost = await lose_primary(postgres)
        arrived = await load.first_arrival_since(lost, within=WITHIN)
        await load.until(acknowledged=len(load.acknowledged) + 6)
    await load.everything_arrives(within=WITHIN)
    _print("primary of PostgreSQL", load, lost, arrived)
    await postgres.rejoin(former)
