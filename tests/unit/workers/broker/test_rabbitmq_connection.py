"""No connection to RabbitMQ stays open, whatever interrupts its opening or delays its closing."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import suppress

import pytest

from tests.engines.private import free_port
from tests.support.eventually import eventually
from tests.support.fake_rabbitmq import HANDSHAKE, FakeRabbit
from workers.broker.amqp_address import node_name
from workers.broker.rabbitmq.connection import CLOSE_TIMEOUT, Connector
from workers.broker.rabbitmq.driver import AmqpConnection
from workers.broker.rabbitmq.topology import Topology
from workers.errors import BrokerError

MORE_THAN_SOCKET_BUFFERS = 16_000_000  # bytes


def connector_to(fake: FakeRabbit) -> Connector:
    """A connector to a fake server."""
    return Connector(fake.url, Topology(), [])


async def cancel_after(turns: int, attempt: asyncio.Task[AmqpConnection]) -> AmqpConnection | None:
    """Cancel an attempt to connect after so many turns of the event loop; return its connection if it was faster."""
    for _ in range(turns):
        await asyncio.sleep(0)
    attempt.cancel()
    with suppress(asyncio.CancelledError):
        return await attempt
    return None


async def test_an_attempt_cancelled_at_any_moment_leaves_nothing() -> None:
    """Whenever an attempt to connect is cancelled, its connection and all tasks of the driver end."""
    before = asyncio.all_tasks()
    async with FakeRabbit.listening(len(HANDSHAKE)) as fake:
        connector = connector_to(fake)
        for turns in itertools.count():
            connection = await cancel_after(turns, asyncio.create_task(connector.connect("test")))
            if connection is not None:
                await connector.close(connection)
            await eventually(lambda: not fake.connections and asyncio.all_tasks() == before)
            if connection is not None:
                break
        assert fake.accepted > 5  # attempts that were cancelled within the handshake


async def test_a_connection_to_any_node_and_then_to_the_same() -> None:
    """Nodes that refuse or do not answer are passed over; the one that accepted is tried first from then on."""
    gone = f"127.0.0.1:{free_port()}"
    async with FakeRabbit.listening(len(HANDSHAKE)) as fake, FakeRabbit.listening(0) as silent:
        nodes = [gone, node_name(fake.url), node_name(silent.url)]
        connector = Connector(f"amqp://guest:guest@{','.join(nodes)}/", Topology(), [])
        await connector.close(await connector.connect("test"))
        before = silent.accepted
        for _ in range(5):
            await connector.close(await connector.connect("test"))
        assert silent.accepted == before
        assert fake.accepted == 6


async def test_the_error_names_every_node_and_no_password() -> None:
    """Each with its own reason."""
    async with FakeRabbit.listening(0) as silent:
        gone = f"127.0.0.1:{free_port()}"
        connector = Connector(f"amqp://u:hunter2@{gone},{node_name(silent.url)}/", Topology(), [])
        with pytest.raises(BrokerError) as caught:
            await connector.connect("test")
    assert f"{gone}: RabbitMQ is unavailable" in str(caught.value)
    assert f"{node_name(silent.url)}: RabbitMQ is unavailable" in str(caught.value)
    assert "hunter2" not in str(caught.value)


async def test_a_server_that_reads_nothing_does_not_delay_a_close() -> None:
    """With more data to send than the socket takes, a close drops the socket at its deadline."""
    async with FakeRabbit.listening(len(HANDSHAKE), reads=False) as fake:
        connector = connector_to(fake)
        connection = await connector.connect("test")
        sending = asyncio.create_task(connection.update_secret("x" * MORE_THAN_SOCKET_BUFFERS))
        # `wait` instead of a timeout: the driver delays a cancellation, too.
        await asyncio.wait({sending}, timeout=0.1)
        closing = asyncio.create_task(connector.close(connection))
        closed, _ = await asyncio.wait({closing}, timeout=CLOSE_TIMEOUT * 3)
        sending.cancel()
        fake.reset()
        await closing
        assert closed
