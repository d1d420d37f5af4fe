"""Dead letters of RabbitMQ: read by taking and giving back, so that a crash at any point loses none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import structlog
from aio_pika.abc import AbstractIncomingMessage, AbstractQueue

from workers.broker.port import DeadLetter
from workers.broker.rabbitmq.connection import COMMAND_TIMEOUT, BrokerConnection, amqp_errors, declare
from workers.broker.rabbitmq.messages import incoming, letter, letter_id, outgoing
from workers.broker.rabbitmq.publisher import Publisher
from workers.broker.routing import QUEUES

log = structlog.get_logger(__name__)


class DeadLetterQueue:
    """List, replay and delete what stands in the `<queue>.dead` queues; one reader at a time in a process.

    A reader holds the letters that it has looked at until it is done, so another process that reads at
    the same moment may miss them for that moment.
    """

    def __init__(self, link: BrokerConnection, publisher: Publisher) -> None:
        self._link = link
        self._publisher = publisher
        self._reading = asyncio.Lock()

    async def page(self, queue: str | None, limit: int) -> list[DeadLetter]:
        """Return the oldest dead letters of one queue, or of all."""
        letters: list[DeadLetter] = []
        async with self._reading:
            for name in QUEUES if queue is None else (queue,):
                async with self._open(name) as dead:
                    seen = 0
                    while seen < limit and (raw := await _take(dead)) is not None:
                        letters.append(letter(name, raw))
                        seen += 1
        letters.sort(key=lambda each: each.died_at.timestamp() if each.died_at else 0.0)
        return letters[:limit]

    async def replay(self, identity: str) -> bool:
        """Publish a dead letter to its queue as a first attempt, and only then remove it."""
        return await self._settle(identity, again=True)

    async def delete(self, identity: str) -> bool:
        """Remove a dead letter."""
        return await self._settle(identity, again=False)

    async def _settle(self, identity: str, *, again: bool) -> bool:
        queue, separator, _ = identity.partition(":")
        if not separator or queue not in QUEUES:
            return False
        async with self._reading, self._open(queue) as dead:
            while (raw := await _take(dead)) is not None:
                if letter_id(queue, raw) != identity:
                    continue
                if again:
                    first = outgoing(replace(incoming(raw), attempt=1))
                    target = self._link.topology.queue(queue)
                    await self._publisher.publish(first, exchange="", routing_key=target)
                with amqp_errors():
                    await raw.ack()
                return True
        return False

    @asynccontextmanager
    async def _open(self, queue: str) -> AsyncIterator[AbstractQueue]:
        """Lend a queue's dead letters; those that were not acknowledged go back when the block ends."""
        connection = await self._publisher.connection()
        with amqp_errors():
            async with asyncio.timeout(COMMAND_TIMEOUT):
                channel = await connection.channel(publisher_confirms=False)
                dead = await declare(channel, self._link.topology.dead_spec(queue))
        try:
            yield dead
        finally:
            with amqp_errors():
                async with asyncio.timeout(COMMAND_TIMEOUT):
                    await channel.close()


async def _take(queue: AbstractQueue) -> AbstractIncomingMessage | None:
    with amqp_errors():
        return await queue.get(fail=False, timeout=COMMAND_TIMEOUT)
