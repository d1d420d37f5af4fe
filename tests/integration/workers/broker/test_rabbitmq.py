"""Failures that only RabbitMQ has: a node that dies or freezes, a deleted queue, a returned message."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace

import aio_pika
import pytest

from tests.engines.rabbitmq import TEST_STEPS, RabbitNode
from tests.support.broker_kits import QUICK, Recorder, consuming, ids_of, make_message, port_of
from tests.support.eventually import eventually
from tests.support.tcp_proxy import TcpProxy
from workers.broker.port import Message
from workers.broker.rabbitmq.broker import RabbitBroker
from workers.broker.rabbitmq.topology import CRASH_LIMIT, Topology
from workers.errors import BrokerError, UnroutableError

pytestmark = pytest.mark.engines


@pytest.fixture
async def broker(rabbitmq_url: str, rabbit_prefix: str) -> AsyncIterator[RabbitBroker]:
    """A broker with names of the test's own."""
    broker = RabbitBroker(rabbitmq_url, prefix=rabbit_prefix, steps=TEST_STEPS)
    yield broker
    await broker.close()


async def publish_until_confirmed(broker: RabbitBroker, message: Message) -> None:
    """Publish a message until it is confirmed, as the relay does."""

    async def confirmed() -> bool:
        try:
            await broker.publish(message)
        except BrokerError:
            return False
        return True

    await eventually(confirmed)


async def test_a_killed_node_loses_nothing_that_it_confirmed(broker: RabbitBroker, rabbit: RabbitNode) -> None:
    """All of 600 messages are handled although the node is killed and restarted meanwhile."""
    messages = [make_message() for _ in range(600)]
    done: set[str] = set()

    async def handler(message: Message) -> None:
        await asyncio.sleep(0.005)
        done.add(message.event_id)

    async def publisher(own: list[Message]) -> None:
        for message in own:
            await publish_until_confirmed(broker, message)

    async with consuming(broker, "notify", handler, replace(QUICK, concurrency=8)):
        publishers = [asyncio.create_task(publisher(messages[n::20])) for n in range(20)]
        await eventually(lambda: len(done) > 60)
        await asyncio.to_thread(rabbit.kill)
        assert len(done) < len(messages)
        await asyncio.to_thread(rabbit.start)
        await asyncio.gather(*publishers)
        await eventually(lambda: done == ids_of(messages), within=40)


async def test_a_frozen_broker_is_an_error_within_the_deadline(rabbitmq_url: str, rabbit_prefix: str) -> None:
    """A publish to a broker that does not respond fails at the deadline, and the next one works again."""
    async with TcpProxy.to(port_of(rabbitmq_url)) as proxy, AsyncExitStack() as stack:
        url = f"amqp://guest:guest@127.0.0.1:{proxy.port}/"
        broker = RabbitBroker(url, prefix=rabbit_prefix, steps=TEST_STEPS, deadline=2.0)
        stack.push_async_callback(broker.close)
        await broker.publish(make_message())
        proxy.freeze()
        started = time.monotonic()
        outcomes = await asyncio.gather(*(broker.publish(make_message()) for _ in range(5)), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [BrokerError] * 5
        assert time.monotonic() - started < 8
        proxy.thaw()
        await broker.publish(make_message())


async def test_an_unavailable_node_is_an_error(rabbit_prefix: str) -> None:
    """Without a server at the port, every method raises `BrokerError`."""
    broker = RabbitBroker("amqp://guest:guest@127.0.0.1:1/", prefix=rabbit_prefix)
    for call in (
        broker.publish(make_message()),
        broker.dead_letters(),
        broker.replay("notify:1"),
        broker.delete("notify:1"),
        broker.depths(),
        broker.queues_without_consumers(),
    ):
        with pytest.raises(BrokerError):
            await call


async def test_an_unbound_topic_is_unroutable(broker: RabbitBroker) -> None:
    """A message that would be lost raises `UnroutableError`, and the next one is accepted."""
    with pytest.raises(UnroutableError):
        await broker.publish(make_message("un.bound"))
    await broker.publish(make_message())


async def test_a_deleted_queue_is_declared_again(broker: RabbitBroker, rabbitmq_url: str, rabbit_prefix: str) -> None:
    """After a queue is deleted, a publish declares it again and its consumer subscribes again."""
    recorder = Recorder()
    async with consuming(broker, "notify", recorder):
        await broker.publish(make_message())
        await eventually(lambda: len(recorder.got) == 1)
        async with await aio_pika.connect(rabbitmq_url) as connection, connection.channel() as channel:
            await channel.queue_delete(Topology(prefix=rabbit_prefix).queue("notify"))
        await broker.publish(make_message())
        await eventually(lambda: len(recorder.got) == 2)


async def test_a_deleted_exchange_is_declared_again(
    broker: RabbitBroker, rabbitmq_url: str, rabbit_prefix: str
) -> None:
    """Publishes fail until one declares everything, as after a node has lost its data; it happens by itself."""
    recorder = Recorder()
    async with consuming(broker, "notify", recorder):
        await broker.publish(make_message())
        async with await aio_pika.connect(rabbitmq_url) as connection, connection.channel() as channel:
            await channel.exchange_delete(Topology(prefix=rabbit_prefix).exchange)
        await publish_until_confirmed(broker, make_message())
        await eventually(lambda: len(recorder.got) == 2)


async def test_a_lost_connection_is_no_reason_to_declare_everything(rabbitmq_url: str, rabbit_prefix: str) -> None:
    """What a process has declared is there, and all processes together would keep the other nodes busy with it."""
    recorder, unused = Recorder(), Topology(prefix=rabbit_prefix).queue("bulk")
    async with TcpProxy.to(port_of(rabbitmq_url)) as proxy, AsyncExitStack() as stack:
        broker = RabbitBroker(f"amqp://guest:guest@127.0.0.1:{proxy.port}/", prefix=rabbit_prefix, steps=TEST_STEPS)
        stack.push_async_callback(broker.close)
        async with consuming(broker, "notify", recorder):
            await broker.publish(make_message())
            async with await aio_pika.connect(rabbitmq_url) as connection, connection.channel() as channel:
                await eventually(lambda: len(recorder.got) == 1)
                await channel.queue_delete(unused)
                await proxy.cut()
                await publish_until_confirmed(broker, make_message())
                await eventually(lambda: len(recorder.got) == 2)
                with pytest.raises(aio_pika.exceptions.ChannelNotFoundEntity):
                    await channel.get_queue(unused)


async def test_a_topic_that_has_moved_leaves_its_former_queue(
    broker: RabbitBroker, rabbitmq_url: str, rabbit_prefix: str
) -> None:
    """In an installation of an earlier version a topic is bound to its new queue alone; what was delivered stays."""
    topology = Topology(prefix=rabbit_prefix)
    await broker.publish(make_message())
    async with await aio_pika.connect(rabbitmq_url) as connection, connection.channel() as channel:
        # As the earlier version has declared it.
        queue = await channel.get_queue(topology.queue("fanout"))
        await queue.bind(topology.exchange, "fanout.chunk")
    old, new = make_message("fanout.chunk"), make_message("fanout.chunk")
    await broker.publish(old)
    upgraded = RabbitBroker(rabbitmq_url, prefix=rabbit_prefix, steps=TEST_STEPS)
    await upgraded.publish(new)
    fanout, bulk = Recorder(), Recorder()
    async with consuming(upgraded, "fanout", fanout), consuming(upgraded, "bulk", bulk):
        await eventually(lambda: len(bulk.got) == 2 and fanout.got)
        await upgraded.publish(make_message("fanout.chunk"))
        await eventually(lambda: len(bulk.got) == 3)
    assert fanout.ids == [old.event_id]
    await upgraded.close()


async def test_a_message_that_ends_every_consumer_becomes_a_dead_letter(
    broker: RabbitBroker, rabbitmq_url: str, rabbit_prefix: str
) -> None:
    """A message whose consumer dies at every delivery becomes a dead letter with the reason."""
    message = make_message()
    await broker.publish(message)
    name = Topology(prefix=rabbit_prefix).queue("notify")
    for _ in range(CRASH_LIMIT + 1):
        async with await aio_pika.connect(rabbitmq_url) as connection, connection.channel() as channel:
            queue = await channel.get_queue(name)

            async def taken(queue: aio_pika.abc.AbstractQueue = queue) -> bool:
                return await queue.get(fail=False) is not None

            await eventually(taken)

    async def dead_lettered() -> bool:
        dead_letters = await broker.dead_letters("notify")
        return bool(dead_letters) and dead_letters[0].message == message and "consumer" in dead_letters[0].error

    await eventually(dead_lettered)


async def test_a_foreign_message_does_not_end_the_consumer(
    broker: RabbitBroker, rabbitmq_url: str, rabbit_prefix: str
) -> None:
    """A message without id, type or headers reaches the handler, and can be deleted as a dead letter."""
    recorder = Recorder(fails=[ValueError("what is this?")])
    async with consuming(broker, "notify", recorder, replace(QUICK, delivery_limit=1)):
        await broker.publish(make_message("photo.uploaded"))  # declares the topology, and goes to another queue
        async with await aio_pika.connect(rabbitmq_url) as connection, connection.channel() as channel:
            odd = aio_pika.Message(b"?", headers={"n": 7, "x-attempt": "many", "x-remaining-ms": -5})
            await channel.default_exchange.publish(odd, rabbit_prefix + "notify")

        async def dead_letters() -> int:
            return len(await broker.dead_letters("notify"))

        await eventually(dead_letters)
    assert (recorder.got[0].body, recorder.got[0].attempt) == (b"?", 1)
    (dead_letter,) = await broker.dead_letters("notify")
    assert await broker.delete(dead_letter.id)


async def test_a_queue_of_other_properties_is_named(
    rabbitmq_url: str, rabbit_prefix: str, broker: RabbitBroker
) -> None:
    """A queue of the same name with other properties is an error that names it."""
    name = Topology(prefix=rabbit_prefix).queue("notify")
    async with await aio_pika.connect(rabbitmq_url) as connection, connection.channel() as channel:
        await channel.declare_queue(name, durable=True)
    with pytest.raises(BrokerError, match=name):
        await broker.depths()
