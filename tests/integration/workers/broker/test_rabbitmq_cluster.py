"""A RabbitMQ of three nodes with the shipped configuration. `tests/soak/test_failover.py` has the longer scenes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from tests.engines.rabbitmq import TEST_STEPS, RabbitCluster
from tests.support.broker_kits import QUICK, consuming, ids_of, make_message
from tests.support.eventually import eventually
from workers.broker.port import Message
from workers.broker.rabbitmq.broker import RabbitBroker
from workers.errors import BrokerError

pytestmark = pytest.mark.engines

WITHIN = 60.0  # seconds
MESSAGES = 900


@pytest.fixture(scope="module")
def rabbits(engines_dir: Path) -> Iterator[RabbitCluster]:
    """Three nodes."""
    cluster = RabbitCluster(engines_dir / "mqs")
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


async def test_a_lost_leader_loses_nothing(rabbits: RabbitCluster) -> None:
    """Every confirmed message is handled; publishers that were connected to another node go on on a new channel."""
    url, messages, done = rabbits.url, [make_message() for _ in range(MESSAGES)], set[str]()

    async def handler(message: Message) -> None:
        await asyncio.sleep(0.005)
        done.add(message.event_id)

    async def publish(broker: RabbitBroker, own: list[Message]) -> None:
        for message in own:
            while True:
                try:
                    await broker.publish(message)
                    break
                except BrokerError:  # as the relay does
                    await asyncio.sleep(0.1)

    async with AsyncExitStack() as stack:
        anywhere = RabbitBroker(url, steps=TEST_STEPS)
        stack.push_async_callback(anywhere.close)
        await anywhere.publish(make_message())
        leader = await asyncio.to_thread(rabbits.leader_of, "notify")
        # Its connection survives; its channel would get refusals for long.
        elsewhere = RabbitBroker(next(node for node in rabbits.nodes if node is not leader).url, steps=TEST_STEPS)
        stack.push_async_callback(elsewhere.close)
        async with consuming(anywhere, "notify", handler, replace(QUICK, concurrency=8)), asyncio.TaskGroup() as group:
            for number in range(20):
                group.create_task(publish((anywhere, elsewhere)[number % 2], messages[number::20]))
            await eventually(lambda: len(done) > MESSAGES // 10, within=WITHIN)
            await asyncio.to_thread(leader.kill)
            assert len(done) < MESSAGES
            await eventually(lambda: done >= ids_of(messages), within=WITHIN)
