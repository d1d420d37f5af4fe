"""Publisher with confirms: a publish ends when RabbitMQ has stored the message, or with an error at a deadline."""

from __future__ import annotations

import asyncio

import aio_pika
import structlog
from aio_pika.abc import AbstractChannel

from workers.broker.rabbitmq.connection import COMMAND_TIMEOUT, Connector, amqp_errors
from workers.broker.rabbitmq.driver import AmqpConnection
from workers.errors import BrokerError, UnroutableError

log = structlog.get_logger(__name__)


class _ConfirmChannel:
    """A channel with confirms, and the number of publishes that wait for one."""

    def __init__(self, connection: AmqpConnection, channel: AbstractChannel) -> None:
        self.connection = connection
        self.channel = channel
        self.pending = 0
        self.retired = False

    @property
    def usable(self) -> bool:
        return not (self.retired or self.channel.is_closed or self.connection.is_closed)


class Publisher:
    """Publisher over one connection, which is opened when it is first needed and again when it is lost.

    Messages are persistent and mandatory.
    """

    def __init__(self, connector: Connector, *, deadline: float = COMMAND_TIMEOUT) -> None:
        self._connector = connector
        self._deadline = deadline  # seconds for a publish, with reconnecting and a second attempt
        self._channel: _ConfirmChannel | None = None
        self._opening = asyncio.Lock()
        self._failures = 0  # in a row

    async def publish(self, message: aio_pika.Message, *, exchange: str, routing_key: str) -> None:
        """Return when the broker has stored the message; raise `BrokerError` when that is unknown.

        `exchange` "" is the default exchange, where a routing key is the name of a queue.
        """
        with amqp_errors():
            async with asyncio.timeout(self._deadline):
                try:
                    await self._attempt(message, exchange, routing_key)
                except BrokerError as error:
                    # Most first failures are a connection that was lost while idle.
                    log.debug("amqp_publish_repeated", routing_key=routing_key, error=str(error))
                    await self._attempt(message, exchange, routing_key)

    async def connection(self) -> AmqpConnection:
        """Return the connection, with the topology declared, for other channels; raise `BrokerError`."""
        return (await self._current()).connection

    async def close(self) -> None:
        """Close the connection."""
        current, self._channel = self._channel, None
        if current is not None:
            await self._connector.close(current.connection)

    async def _attempt(self, message: aio_pika.Message, exchange: str, routing_key: str) -> None:
        current = await self._current()
        current.pending += 1
        confirmed = False
        try:
            with amqp_errors():
                target = await current.channel.get_exchange(exchange, ensure=False) if exchange else None
                await (target or current.channel.default_exchange).publish(
                    message, routing_key, mandatory=True, timeout=self._deadline
                )
            confirmed, self._failures = True, 0
        except UnroutableError:
            # A queue may have been deleted; declaring them all again is cheap. Not at once: if a quorum queue is
            # deleted and declared within an instant, RabbitMQ 3.10 does not notify its consumers.
            await asyncio.sleep(self._deadline / 20)
            await self._connector.declare_topology(current.connection)
            raise
        finally:
            # A channel that has failed once is retired: after a change of a queue's leader an old channel may refuse
            # messages for long, while a new one works at once. The last pending publish closes it.
            self._failures += not confirmed
            current.pending -= 1
            current.retired = current.retired or not confirmed
            if current.retired and not current.pending:
                await self._discard(current)

    async def _current(self) -> _ConfirmChannel:
        async with self._opening:
            if self._channel is None or not self._channel.usable:
                self._channel = await self._open()
            return self._channel

    async def _open(self) -> _ConfirmChannel:
        previous = self._channel
        # The connection of a retired channel may still be good.
        reusable = previous is not None and not previous.connection.is_closed
        if previous is not None and reusable:
            connection = previous.connection
        else:
            connection = await self._connector.connect("publisher")
        try:
            if not reusable or self._failures > 1:
                await self._connector.ensure_topology(connection, failures=self._failures)
            with amqp_errors():
                async with asyncio.timeout(COMMAND_TIMEOUT / 2):
                    channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        except BaseException:
            await self._connector.close(connection)
            raise
        return _ConfirmChannel(connection, channel)

    async def _discard(self, retired: _ConfirmChannel) -> None:
        """Close a retired channel; close its connection only if that fails."""
        try:
            with amqp_errors():
                async with asyncio.timeout(COMMAND_TIMEOUT / 5):
                    await retired.channel.close()
        except BrokerError as error:
            log.info("amqp_channel_lost", error=str(error))
            await self._connector.close(retired.connection)
