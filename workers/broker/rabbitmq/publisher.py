"""Publishing that is over only when RabbitMQ has confirmed it: persistent, mandatory, within a deadline."""

from __future__ import annotations

import asyncio

import aio_pika
import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection

from workers.broker.rabbitmq.connection import COMMAND_TIMEOUT, BrokerConnection, amqp_errors
from workers.errors import BrokerError, UnroutableError

log = structlog.get_logger(__name__)


class _ConfirmChannel:
    """A channel with confirms, how many publishes wait on it, and whether new ones should avoid it."""

    def __init__(self, connection: AbstractConnection, channel: AbstractChannel) -> None:
        self.connection = connection
        self.channel = channel
        self.waiting = 0
        self.retired = False

    @property
    def usable(self) -> bool:
        return not (self.retired or self.channel.is_closed or self.connection.is_closed)


class Publisher:
    """Publish over one connection, made when it is first needed and made anew when it is lost.

    A channel that once refused a message is retired, because after a change of a queue's leader an old
    channel may go on refusing for long while a fresh one works at once.
    """

    def __init__(self, link: BrokerConnection, *, deadline: float = COMMAND_TIMEOUT) -> None:
        self._link = link
        self._deadline = deadline  # seconds for a publish, a new connection and a second try included
        self._outlet: _ConfirmChannel | None = None
        self._opening = asyncio.Lock()

    async def publish(self, message: aio_pika.Message, *, exchange: str, routing_key: str) -> None:
        """Return when the broker has the message safe; raise `BrokerError` when that is not known.

        `exchange` "" is the default one, where a routing key is the name of a queue.
        """
        with amqp_errors():
            async with asyncio.timeout(self._deadline):
                try:
                    await self._once(message, exchange, routing_key)
                except BrokerError as error:
                    log.debug("amqp_publish_repeated", routing_key=routing_key, error=str(error))
                    await self._once(message, exchange, routing_key)

    async def connection(self) -> AbstractConnection:
        """Return the connection, with everything declared, for channels of the caller's own; raise `BrokerError`."""
        return (await self._current()).connection

    async def close(self) -> None:
        """Close the connection."""
        outlet, self._outlet = self._outlet, None
        if outlet is not None:
            await self._link.drop(outlet.connection)

    async def _once(self, message: aio_pika.Message, exchange: str, routing_key: str) -> None:
        outlet = await self._current()
        outlet.waiting += 1
        fine = False
        try:
            with amqp_errors():
                target = await outlet.channel.get_exchange(exchange, ensure=False) if exchange else None
                await (target or outlet.channel.default_exchange).publish(
                    message, routing_key, mandatory=True, timeout=self._deadline
                )
            fine = True
        except UnroutableError:
            # A queue may have been deleted under us; declaring them all again is cheap. Not at once: of a
            # quorum queue that is gone and back in an instant RabbitMQ 3.10 tells its consumers nothing.
            await asyncio.sleep(self._deadline / 20)
            await self._link.prepare(outlet.connection)
            raise
        finally:
            outlet.waiting -= 1
            outlet.retired = outlet.retired or not fine
            if outlet.retired and not outlet.waiting:
                await self._discard(outlet)

    async def _current(self) -> _ConfirmChannel:
        async with self._opening:
            if self._outlet is None or not self._outlet.usable:
                self._outlet = await self._open()
            return self._outlet

    async def _open(self) -> _ConfirmChannel:
        previous = self._outlet
        if previous is not None and not previous.connection.is_closed:
            connection = previous.connection
        else:
            connection = await self._link.connect("publisher")
        try:
            if previous is None or previous.connection is not connection:
                await self._link.prepare(connection)
            with amqp_errors():
                async with asyncio.timeout(COMMAND_TIMEOUT / 2):
                    channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        except BaseException:
            await self._link.drop(connection)
            raise
        return _ConfirmChannel(connection, channel)

    async def _discard(self, outlet: _ConfirmChannel) -> None:
        """Close a retired channel; leave its connection to the next one, if that still stands."""
        try:
            with amqp_errors():
                async with asyncio.timeout(COMMAND_TIMEOUT / 5):
                    await outlet.channel.close()
        except BrokerError as error:
            log.info("amqp_channel_lost", error=str(error))
            await self._link.drop(outlet.connection)
