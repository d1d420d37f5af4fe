"""The broker on RabbitMQ: quorum queues, confirmed publishing, delayed retries and dead letters."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from aio_pika.abc import AbstractChannel

from workers.broker.port import DeadLetter, Handler, Message, Policy
from workers.broker.rabbitmq.connection import COMMAND_TIMEOUT, Connector, amqp_errors, declare
from workers.broker.rabbitmq.consumer import QueueConsumer
from workers.broker.rabbitmq.dead_letters import DeadLetterQueue
from workers.broker.rabbitmq.messages import to_amqp
from workers.broker.rabbitmq.publisher import Publisher
from workers.broker.rabbitmq.topology import QueueSpec, Topology
from workers.broker.routing import QUEUES


class RabbitBroker:
    """Broker on one RabbitMQ; see `workers.broker.port.Broker`, and `topology` for what it declares.

    `url` is amqp:// or amqps://; `prefix` goes before every name, so that several systems can share a virtual host.
    `steps` are the retry delays in seconds, each with a queue of its own; those of a consumer's policy are added. A
    publish fails after `deadline` seconds. Connections are opened when they are first needed.
    """

    def __init__(
        self, url: str, *, prefix: str = "", steps: Sequence[float] | None = None, deadline: float = COMMAND_TIMEOUT
    ) -> None:
        self._connector = Connector(url, Topology(prefix=prefix), Policy().backoff if steps is None else steps)
        self._publisher = Publisher(self._connector, deadline=deadline)
        self._dead_letters = DeadLetterQueue(self._connector, self._publisher)

    async def publish(self, message: Message, *, queue: str | None = None) -> None:
        """Deliver an event to every queue that is bound to its topic, or to `queue` alone, and wait for the confirm.

        Raise `UnroutableError` when no queue is bound, and `BrokerError` when it is unknown whether the event is
        stored: the caller then publishes it again, and a queue may get it twice.
        """
        topology = self._connector.topology
        # Every queue is bound to the default exchange ("") by its own name.
        exchange, key = (topology.exchange, message.topic) if queue is None else ("", topology.queue(queue))
        await self._publisher.publish(to_amqp(message), exchange=exchange, routing_key=key)

    async def consume(self, queue: str, handler: Handler, policy: Policy) -> None:
        """Consume a queue until cancelled; wait while RabbitMQ is unavailable."""
        await QueueConsumer(self._connector, self._publisher, queue, handler, policy).run()

    async def dead_letters(self, queue: str | None = None, *, limit: int = 100) -> Sequence[DeadLetter]:
        """Return the dead letters of one queue, or of all, oldest first."""
        return await self._dead_letters.page(queue, limit)

    async def replay(self, dead_letter_id: str) -> bool:
        """Move a dead letter back to its queue as a first attempt; return False if it does not exist."""
        return await self._dead_letters.replay(dead_letter_id)

    async def delete(self, dead_letter_id: str) -> bool:
        """Delete a dead letter; return False if it does not exist."""
        return await self._dead_letters.delete(dead_letter_id)

    async def depths(self) -> Mapping[str, int]:
        """Return the number of messages in each queue and its retry queues; those in progress are not counted."""
        topology, steps = self._connector.topology, self._connector.steps
        async with self._declaring() as channel:
            depths: dict[str, int] = {}
            for name in QUEUES:
                depths[f"{name}.dead"] = await _depth(channel, topology.dead_spec(name))
                specs = (topology.work_spec(name), *topology.retries(name, steps))
                depths[name] = sum([await _depth(channel, spec) for spec in specs])
            return depths

    async def queues_without_consumers(self) -> Sequence[str]:
        """Return the worker queues that no process consumes."""
        async with self._declaring() as channel:
            declared = {name: await declare(channel, self._connector.topology.work_spec(name)) for name in QUEUES}
        return [name for name, queue in declared.items() if not queue.declaration_result.consumer_count]

    @asynccontextmanager
    async def _declaring(self) -> AsyncIterator[AbstractChannel]:
        """Yield a channel for the declaration of queues, whose replies have counts; raise `BrokerError`."""
        connection = await self._publisher.connection()
        # Declarations, and not the management API: that is a plugin, with other credentials.
        with amqp_errors():
            async with asyncio.timeout(COMMAND_TIMEOUT), connection.channel() as channel:
                yield channel

    async def close(self) -> None:
        """Close the publisher's connection; each consumer closes its own."""
        await self._publisher.close()


async def _depth(channel: AbstractChannel, spec: QueueSpec) -> int:
    # Declaring a queue that exists changes nothing, and returns the number of messages that are ready.
    return (await declare(channel, spec)).declaration_result.message_count or 0
