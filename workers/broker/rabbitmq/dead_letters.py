"""Dead letters of RabbitMQ: read by taking and returning them, so that a crash at any point loses none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from aio_pika.abc import AbstractIncomingMessage, AbstractQueue

from workers.broker.port import DeadLetter
from workers.broker.rabbitmq.connection import COMMAND_TIMEOUT, Connector, amqp_errors, declare
from workers.broker.rabbitmq.messages import dead_letter, dead_letter_id, from_amqp, to_amqp
from workers.broker.rabbitmq.publisher import Publisher
from workers.broker.routing import QUEUES


class DeadLetterQueue:
    """The `<queue>.dead` queues, to list, replay and delete.

    AMQP has no way to look at a message without taking it. A reader holds the dead letters that it has seen until it
    is done, so another process that reads at the same moment may miss them.
    """

    def __init__(self, connector: Connector, publisher: Publisher) -> None:
        self._connector = connector
        self._publisher = publisher
        # Readers of one process take turns, so that they do not miss what the other holds.
        self._reading = asyncio.Lock()

    async def page(self, queue: str | None, limit: int) -> list[DeadLetter]:
        """Return the oldest dead letters of one queue, or of all."""
        found: list[DeadLetter] = []
        async with self._reading:
            for name in QUEUES if queue is None else (queue,):
                async with self._open(name) as dead:
                    seen = 0
                    while seen < limit and (raw := await _take(dead)) is not None:
                        found.append(dead_letter(name, raw))
                        seen += 1
        found.sort(key=lambda each: each.died_at.timestamp() if each.died_at else 0.0)
        return found[:limit]

    async def replay(self, identity: str) -> bool:
        """Publish a dead letter to its queue as a first attempt, and then remove it."""
        return await self._remove(identity, replay=True)

    async def delete(self, identity: str) -> bool:
        """Remove a dead letter."""
        return await self._remove(identity, replay=False)

    async def _remove(self, identity: str, *, replay: bool) -> bool:
        queue, separator, _ = identity.partition(":")
        if not separator or queue not in QUEUES:
            return False
        async with self._reading, self._open(queue) as dead:
            while (raw := await _take(dead)) is not None:
                if dead_letter_id(queue, raw) != identity:
                    continue
                if replay:
                    first = to_amqp(replace(from_amqp(raw), attempt=1))
                    target = self._connector.topology.queue(queue)
                    # Confirmed before the acknowledgement: a crash in between keeps both copies.
                    await self._publisher.publish(first, exchange="", routing_key=target)
                with amqp_errors():
                    await raw.ack()
                return True
        return False

    @asynccontextmanager
    async def _open(self, queue: str) -> AsyncIterator[AbstractQueue]:
        """Yield the dead-letter queue of a queue."""
        connection = await self._publisher.connection()
        with amqp_errors():
            async with asyncio.timeout(COMMAND_TIMEOUT):
                channel = await connection.channel(publisher_confirms=False)
                dead = await declare(channel, self._connector.topology.dead_spec(queue))
        try:
            yield dead
        finally:
            # Closing the channel returns every message that was not acknowledged.
            with amqp_errors():
                async with asyncio.timeout(COMMAND_TIMEOUT):
                    await channel.close()


async def _take(queue: AbstractQueue) -> AbstractIncomingMessage | None:
    with amqp_errors():
        return await queue.get(fail=False, timeout=COMMAND_TIMEOUT)
