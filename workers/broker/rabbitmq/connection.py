"""Connections to RabbitMQ that are opened, watched and closed within deadlines, with the driver's errors translated."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import aio_pika
import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractQueue
from aio_pika.exceptions import CONNECTION_EXCEPTIONS, ChannelPreconditionFailed, PublishError
from yarl import URL

from storage.cancellation import cancel_requested
from workers.broker.amqp_address import node_name, node_urls
from workers.broker.rabbitmq.driver import AmqpConnection
from workers.broker.rabbitmq.topology import QueueSpec, Topology
from workers.errors import BrokerError, UnroutableError

CONNECT_TIMEOUT = 5.0  # seconds
NODE_TIMEOUT = 2.0  # seconds for one of several nodes, so that the next one is reached within a publish's deadline
CLOSE_TIMEOUT = 2.0  # seconds
COMMAND_TIMEOUT = 10.0  # seconds for a confirm or a declaration
HEARTBEAT = 10  # seconds; the driver notices a broker that swallows packets after three of them and a second each

log = structlog.get_logger(__name__)


@contextmanager
def amqp_errors() -> Iterator[None]:
    """Translate the driver's errors into `BrokerError` and `UnroutableError`."""
    try:
        yield
    except asyncio.CancelledError as error:
        # The driver cancels its own futures when a connection is lost, which looks like a cancellation of the caller.
        if cancel_requested():
            raise
        raise BrokerError("RabbitMQ closed the connection during a command") from error
    except PublishError as error:
        raise UnroutableError("no queue of RabbitMQ is bound to the topic of this message") from error
    except ChannelPreconditionFailed as error:
        raise BrokerError(f"RabbitMQ has a queue of this name with other properties: {error}") from error
    except (*CONNECTION_EXCEPTIONS, TimeoutError) as error:
        raise BrokerError(f"RabbitMQ is unavailable: {str(error) or type(error).__name__}") from error


class Connector:
    """Opens connections to one RabbitMQ, or to any node of a cluster, and declares the topology there.

    The node that accepted the last connection is tried first, so that all connections of a process stay together. It
    is a random one at first, so that processes are spread over the nodes.
    """

    def __init__(self, url: str, topology: Topology, steps: Sequence[float]) -> None:
        urls = node_urls(url)
        self._urls = random.sample(urls, len(urls))
        self.topology = topology
        self._steps: set[float] = set(steps)
        self._declared: frozenset[float] | None = None  # the steps with which this process has declared the topology

    @property
    def steps(self) -> Sequence[float]:
        """Return the retry steps in seconds, shortest first."""
        return sorted(self._steps)

    def add_steps(self, steps: Sequence[float]) -> None:
        """Add retry steps (seconds), whose queues the next `declare_topology` declares."""
        self._steps.update(steps)

    async def connect(self, purpose: str) -> AmqpConnection:
        """Open a connection that RabbitMQ lists under the name `purpose`; raise `BrokerError`."""
        if len(self._urls) == 1:
            return await self._connect_to(self._urls[0], purpose, CONNECT_TIMEOUT)
        refused: list[str] = []
        for url in self._urls:
            try:
                connection = await self._connect_to(url, purpose, NODE_TIMEOUT)
            except BrokerError as error:
                refused.append(f"{node_name(url)}: {error}")
            else:
                # A new list, because other connections are being opened with the old one.
                self._urls = sorted(self._urls, key=lambda each: each != url)
                return connection
        raise BrokerError(f"no node of RabbitMQ is available ({'; '.join(refused)})")

    async def _connect_to(self, url: str, purpose: str, timeout: float) -> AmqpConnection:
        connection = AmqpConnection(_with_heartbeat(url), name=f"picshare {purpose}")
        try:
            with amqp_errors():
                await connection.connect(timeout=timeout)
        except (BrokerError, asyncio.CancelledError):
            await self.close(connection)
            raise
        return connection

    async def ensure_topology(self, connection: AbstractConnection, *, failures: int) -> None:
        """Declare the topology, unless this process has done so and the use of it has failed once at most.

        After the loss of a node every consumer connects again, and what it declares is there: the declarations of all
        of them would keep the other nodes busy for seconds.
        """
        if failures > 1 or self._declared is None or not self._declared.issuperset(self._steps):
            await self.declare_topology(connection)

    async def declare_topology(self, connection: AbstractConnection) -> None:
        """Declare exchange, queues and bindings, and remove bindings of earlier versions; the others stay."""
        steps = frozenset(self._steps)
        with amqp_errors():
            async with asyncio.timeout(COMMAND_TIMEOUT * 3), connection.channel() as channel:
                await channel.declare_exchange(self.topology.exchange, aio_pika.ExchangeType.TOPIC, durable=True)
                declared = [(spec, await declare(channel, spec)) for spec in self.topology.queues(sorted(steps))]
                for spec, queue in declared:
                    for topic in spec.topics:
                        await queue.bind(self.topology.exchange, topic)
                # A topic is bound to its new queue before it is taken from the former one: in between an event is
                # delivered twice, which does no harm.
                for spec, queue in declared:
                    for topic in spec.former_topics:
                        await queue.unbind(self.topology.exchange, topic)
        self._declared = steps

    async def close(self, connection: AmqpConnection) -> None:
        """Close a connection, open or not; a peer that does not respond delays this by `CLOSE_TIMEOUT` at most."""
        try:
            with amqp_errors():
                async with connection.deadline(CLOSE_TIMEOUT):
                    await connection.close()
        except BrokerError as error:
            log.info("amqp_close_unneeded", error=str(error))
            # The first call has already dropped the transport. This one only marks the connection as closed.
            await connection.close()


async def declare(channel: AbstractChannel, spec: QueueSpec) -> AbstractQueue:
    """Declare a queue if it does not exist, and return it with its current message count; raise the driver's errors."""
    return await channel.declare_queue(spec.name, durable=True, arguments=dict(spec.arguments))


def _with_heartbeat(url: str) -> URL:
    target = URL(url)
    return target if "heartbeat" in target.query else target.update_query(heartbeat=HEARTBEAT)
