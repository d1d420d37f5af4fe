"""Consuming one queue of RabbitMQ: acknowledge only what is done, put off, or safe among the dead letters."""

from __future__ import annotations

import asyncio

import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage

from workers.broker.backoff import next_hop, reconnect_pause
from workers.broker.outcomes import Outcome, work
from workers.broker.port import Handler, Message, Policy
from workers.broker.rabbitmq.connection import COMMAND_TIMEOUT, BrokerConnection, amqp_errors
from workers.broker.rabbitmq.messages import incoming, outgoing, remaining_of
from workers.broker.rabbitmq.publisher import Publisher
from workers.errors import BrokerError

log = structlog.get_logger(__name__)


class QueueConsumer:
    """Work one queue until cancelled, over a connection of its own that is made anew when it is lost.

    RabbitMQ hands out no more than `policy.concurrency` messages at once, so none waits here while
    another process has nothing to do. When the connection is lost, handlers at work are cancelled:
    RabbitMQ gives their messages to somebody else at that moment.
    """

    def __init__(
        self, link: BrokerConnection, publisher: Publisher, queue: str, handler: Handler, policy: Policy
    ) -> None:
        self._link = link
        self._publisher = publisher
        self._queue = queue
        self._handler = handler
        self._policy = policy
        self._failures = 0

    async def run(self) -> None:
        """Consume until cancelled."""
        self._link.wait_in(self._policy.backoff)
        while True:
            try:
                await self._connected()
            except* BrokerError as group:
                self._failures += 1
                log.warning(
                    "amqp_consumer_lost",
                    queue=self._queue,
                    failures=self._failures,
                    errors=[str(error) for error in group.exceptions],
                )
            await asyncio.sleep(reconnect_pause(self._failures))

    async def _connected(self) -> None:
        connection = await self._link.connect(f"consumer {self._queue}")
        try:
            await self._link.prepare(connection)
            async with asyncio.TaskGroup() as tasks:
                await self._consume(connection, tasks)
        finally:
            await self._link.drop(connection)

    async def _consume(self, connection: AbstractConnection, tasks: asyncio.TaskGroup) -> None:
        arrivals: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()  # bounded by the prefetch count
        lost = asyncio.Event()
        with amqp_errors():
            async with asyncio.timeout(COMMAND_TIMEOUT):
                channel = await connection.channel(publisher_confirms=False)
                await self._watch(channel, lost)
                await channel.set_qos(prefetch_count=self._policy.concurrency)
                queue = await channel.get_queue(self._link.topology.queue(self._queue), ensure=False)
                await queue.consume(arrivals.put)
        self._failures = 0
        tasks.create_task(self._pump(arrivals, tasks))
        await lost.wait()
        raise BrokerError("the connection or the subscription was closed")

    async def _watch(self, channel: AbstractChannel, lost: asyncio.Event) -> None:
        """Set `lost` when the channel closes, or when RabbitMQ ends the subscription, its queue being gone."""

        def ended(*_: object) -> None:
            lost.set()

        channel.close_callbacks.add(ended)
        (await channel.get_underlay_channel()).on_consumer_cancel_callbacks.add(ended)

    async def _pump(self, arrivals: asyncio.Queue[AbstractIncomingMessage], tasks: asyncio.TaskGroup) -> None:
        while True:
            tasks.create_task(self._deliver(await arrivals.get()))

    async def _deliver(self, raw: AbstractIncomingMessage) -> None:
        message = incoming(raw)
        still = remaining_of(raw)
        if still:
            await self._put_off(message, still, error="")
        else:
            await self._work(message)
        with amqp_errors():
            await raw.ack()

    async def _work(self, message: Message) -> None:
        verdict = await work(self._handler, message, self._policy)
        if verdict.outcome is Outcome.RETRIED:
            again = Message(
                event_id=message.event_id,
                topic=message.topic,
                key=message.key,
                body=message.body,
                headers=message.headers,
                attempt=message.attempt + 1,
            )
            await self._put_off(again, verdict.delay, error=verdict.error)
        elif verdict.outcome is Outcome.DEAD:
            target = self._link.topology.dead(self._queue)
            await self._publisher.publish(outgoing(message, error=verdict.error), exchange="", routing_key=target)

    async def _put_off(self, message: Message, delay: float, *, error: str) -> None:
        step, remaining = next_hop(self._policy.backoff, delay)
        target = self._link.topology.retry(self._queue, step)
        await self._publisher.publish(
            outgoing(message, remaining=remaining, error=error), exchange="", routing_key=target
        )
