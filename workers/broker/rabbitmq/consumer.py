"""Consumer of one RabbitMQ queue: acknowledges a message only once it is handled, delayed or dead-lettered."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage

from workers.broker.backoff import next_delay, reconnect_pause
from workers.broker.outcomes import JobStatus, run_handler
from workers.broker.port import Handler, Message, Policy
from workers.broker.rabbitmq.connection import COMMAND_TIMEOUT, Connector, amqp_errors
from workers.broker.rabbitmq.messages import from_amqp, remaining_delay, to_amqp
from workers.broker.rabbitmq.publisher import Publisher
from workers.errors import BrokerError

log = structlog.get_logger(__name__)


class QueueConsumer:
    """Consumer of one queue over a connection of its own, which is opened again when it is lost."""

    def __init__(
        self, connector: Connector, publisher: Publisher, queue: str, handler: Handler, policy: Policy
    ) -> None:
        self._connector = connector
        self._publisher = publisher
        self._queue = queue
        self._handler = handler
        self._policy = policy
        self._failures = 0

    async def run(self) -> None:
        """Consume until cancelled."""
        self._connector.add_steps(self._policy.backoff)
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
        connection = await self._connector.connect(f"consumer {self._queue}")
        try:
            await self._connector.ensure_topology(connection, failures=self._failures)
            # The group ends with the connection and cancels the handlers in progress: RabbitMQ redelivers their
            # messages to other consumers at that moment, and their acknowledgements would be invalid.
            async with asyncio.TaskGroup() as tasks:
                await self._consume(connection, tasks)
        finally:
            await self._connector.close(connection)

    async def _consume(self, connection: AbstractConnection, tasks: asyncio.TaskGroup) -> None:
        # The prefetch count bounds this queue to the number of handlers, so no message waits here while another
        # process is idle.
        arrivals: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
        lost = asyncio.Event()
        with amqp_errors():
            async with asyncio.timeout(COMMAND_TIMEOUT):
                channel = await connection.channel(publisher_confirms=False)
                await self._watch(channel, lost)
                await channel.set_qos(prefetch_count=self._policy.concurrency)
                queue = await channel.get_queue(self._connector.topology.queue(self._queue), ensure=False)
                await queue.consume(arrivals.put)
        self._failures = 0
        tasks.create_task(self._dispatch(arrivals, tasks))
        await lost.wait()
        raise BrokerError("the connection or the subscription was closed")

    async def _watch(self, channel: AbstractChannel, lost: asyncio.Event) -> None:
        """Set `lost` when the channel closes, or when RabbitMQ ends the subscription because the queue is gone."""

        def ended(*_: object) -> None:
            lost.set()

        channel.close_callbacks.add(ended)
        (await channel.get_underlay_channel()).on_consumer_cancel_callbacks.add(ended)

    async def _dispatch(self, arrivals: asyncio.Queue[AbstractIncomingMessage], tasks: asyncio.TaskGroup) -> None:
        while True:
            tasks.create_task(self._deliver(await arrivals.get()))

    async def _deliver(self, raw: AbstractIncomingMessage) -> None:
        message = from_amqp(raw)
        remaining = remaining_delay(raw)
        if remaining:
            # The message leaves a retry queue through this queue, and its delay is not over.
            await self._delay(message, remaining, error="")
        else:
            await self._handle(message)
        # Only after the retry or the dead letter is confirmed: a crash in between duplicates the message, and
        # the other order would lose it.
        with amqp_errors():
            await raw.ack()

    async def _handle(self, message: Message) -> None:
        # A retry is a new message with the attempt in a header: RabbitMQ counts only deliveries that it repeats itself.
        outcome = await run_handler(self._handler, message, self._policy)
        if outcome.status is JobStatus.RETRIED:
            await self._delay(replace(message, attempt=message.attempt + 1), outcome.delay, error=outcome.error)
        elif outcome.status is JobStatus.DEAD:
            target = self._connector.topology.dead(self._queue)
            await self._publisher.publish(to_amqp(message, error=outcome.error), exchange="", routing_key=target)

    async def _delay(self, message: Message, delay: float, *, error: str) -> None:
        """Publish a message to the retry queue of the first step of `delay` (seconds), with the remainder on it."""
        step, remaining = next_delay(self._policy.backoff, delay)
        target = self._connector.topology.retry(self._queue, step)
        await self._publisher.publish(
            to_amqp(message, remaining=remaining, error=error), exchange="", routing_key=target
        )
