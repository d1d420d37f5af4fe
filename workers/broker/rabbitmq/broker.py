"""The broker on RabbitMQ: quorum queues, confirmed publishing, delayed retries and dead letters."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from aio_pika.abc import AbstractChannel

from workers.broker.port import DeadLetter, Handler, Message, Policy
from workers.broker.rabbitmq.connection import COMMAND_TIMEOUT, BrokerConnection, amqp_errors, declare
from workers.broker.rabbitmq.consumer import QueueConsumer
from workers.broker.rabbitmq.dead_letters import DeadLetterQueue
from workers.broker.rabbitmq.messages import outgoing
from workers.broker.rabbitmq.publisher import Publisher
from workers.broker.rabbitmq.topology import QueueSpec, Topology
from workers.broker.routing import QUEUES


class RabbitBroker:
    """Deliver over one RabbitMQ; see `workers.broker.port.Broker`, and `topology` for what is declared there.

    `url` is amqp:// or amqps://; `prefix` goes before every name, to share a virtual host. `steps` are
    the seconds that retries wait in a queue for each; those of a consumer's policy are added. A
    publish is given up after `deadline` seconds. Nothing connects before it is needed.
    """

    def __init__(
        self, url: str, *, prefix: str = "", steps: Sequence[float] | None = None, deadline: float = COMMAND_TIMEOUT
    ) -> None:
        self._link = BrokerConnection(url, Topology(prefix=prefix), Policy().backoff if steps is None else steps)
        self._publisher = Publisher(self._link, deadline=deadline)
        self._letters = DeadLetterQueue(self._link, self._publisher)

    async def publish(self, message: Message, *, queue: str | None = None) -> None:
        """Hand an event to every queue that wants its topic, or to one `queue` alone, and wait for the confirm.

        Raise `UnroutableError` when no queue wants it, and `BrokerError` when it is not known to be safe:
        the caller then publishes it again, and some queue may get it twice.
        """
        topology = self._link.topology
        exchange, key = (topology.exchange, message.topic) if queue is None else ("", topology.queue(queue))
        await self._publisher.publish(outgoing(message), exchange=exchange, routing_key=key)

    async def consume(self, queue: str, handler: Handler, policy: Policy) -> None:
        """Work a queue until cancelled; wait out any time that RabbitMQ is away."""
        await QueueConsumer(self._link, self._publisher, queue, handler, policy).run()

    async def dead_letters(self, queue: str | None = None, *, limit: int = 100) -> Sequence[DeadLetter]:
        """List what was given up on, oldest first."""
        return await self._letters.page(queue, limit)

    async def replay(self, letter_id: str) -> bool:
        """Deliver a dead letter to its queue again, as a first attempt; False if there is none such."""
        return await self._letters.replay(letter_id)

    async def delete(self, letter_id: str) -> bool:
        """Forget a dead letter for good; False if there is none such."""
        return await self._letters.delete(letter_id)

    async def depths(self) -> Mapping[str, int]:
        """Return how many messages wait in each queue and its retry queues; those at work are not counted."""
        topology, steps = self._link.topology, self._link.steps
        connection = await self._publisher.connection()
        with amqp_errors():
            async with asyncio.timeout(COMMAND_TIMEOUT), connection.channel() as channel:
                depths: dict[str, int] = {}
                for name in QUEUES:
                    depths[f"{name}.dead"] = await _depth(channel, topology.dead_spec(name))
                    waiting = (topology.work_spec(name), *topology.retries(name, steps))
                    depths[name] = sum([await _depth(channel, spec) for spec in waiting])
                return depths

    async def close(self) -> None:
        """Close the publishing connection; each consumer closes its own."""
        await self._publisher.close()


async def _depth(channel: AbstractChannel, spec: QueueSpec) -> int:
    # Declaring what is there already changes nothing, and answers how many messages are ready.
    return (await declare(channel, spec)).declaration_result.message_count or 0
