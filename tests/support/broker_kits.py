"""Both brokers for tests: sending messages, breaking connections, a second process."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Protocol

from storage.ids import IdGenerator
from storage.postgres.database import Database
from storage.postgres.outbox import CHANNEL
from tests.engines.rabbitmq import TEST_STEPS
from tests.support.eventually import eventually
from tests.support.tcp_proxy import TcpProxy
from workers.broker.local import LocalBroker
from workers.broker.port import Broker, DeadLetter, Handler, Message, Policy
from workers.broker.rabbitmq.broker import RabbitBroker
from workers.broker.routing import queues_of

QUICK = Policy(concurrency=4, delivery_limit=3, backoff=TEST_STEPS)


class BrokerKit(Protocol):
    """One broker under test; `knows_consumers` is whether it can report queues without any."""

    knows_consumers: bool

    @property
    def broker(self) -> Broker:
        """Return the broker."""
        ...

    async def send(self, *messages: Message) -> None:
        """Deliver messages to the queues that are bound to their topics, as if events had been emitted."""
        ...

    async def another(self) -> Broker:
        """Return a broker with connections of its own, as another process would have."""
        ...

    async def cut(self) -> None:
        """Break every connection of every broker of this kit."""
        ...


class LocalKit:
    """The embedded broker on a database of the test's own."""

    knows_consumers = False

    def __init__(self, dsn: str, stack: AsyncExitStack) -> None:
        self._dsn = dsn
        self._stack = stack

    async def open(self) -> LocalKit:
        """Connect."""
        self.broker = await self.another()
        self._db = await self._database()
        return self

    async def send(self, *messages: Message) -> None:
        """Insert outbox rows and notify the consumers."""
        ids = IdGenerator()
        rows = [
            (
                ids.new(0),
                queue,
                uuid.UUID(message.event_id),
                message.topic,
                message.key,
                message.body,
                dict(message.headers),
            )
            for message in messages
            for queue in queues_of(message.topic)
        ]
        async with self._db.connection() as connection:
            await connection.executemany(
                "INSERT INTO outbox (shard, id, queue, event_id, topic, key, body, headers) "
                "VALUES (0, $1, $2, $3, $4, $5, $6, $7)",
                rows,
            )
            for queue in {row[1] for row in rows}:
                await connection.execute("SELECT pg_notify($1, $2)", CHANNEL, queue)

    async def another(self) -> Broker:
        """Return a broker with a pool of its own."""
        return LocalBroker(await self._database())

    async def cut(self) -> None:
        """Terminate every other backend of the database."""
        await self._db.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

    async def _database(self) -> Database:
        database = await Database.connect(self._dsn, routes=queues_of, min_size=1, max_size=24)
        self._stack.push_async_callback(database.close)
        return database


class RabbitKit:
    """RabbitMQ behind a proxy, with a prefix of the test's own."""

    knows_consumers = True

    def __init__(self, proxy: TcpProxy, direct_url: str, prefix: str, stack: AsyncExitStack) -> None:
        self.proxy = proxy
        self._prefix = prefix
        self._stack = stack
        self._url = f"amqp://guest:guest@127.0.0.1:{proxy.port}/"
        self._sender = self._make(direct_url)
        self.broker = self._make(self._url)

    @classmethod
    async def open(cls, url: str, prefix: str, stack: AsyncExitStack) -> RabbitKit:
        """Start a proxy in front of the node."""
        proxy = await stack.enter_async_context(TcpProxy.to(port_of(url)))
        return cls(proxy, url, prefix, stack)

    async def send(self, *messages: Message) -> None:
        """Publish, and wait for the confirms."""
        await asyncio.gather(*(self._sender.publish(message) for message in messages))

    async def another(self) -> Broker:
        """Return a broker with connections of its own."""
        return self._make(self._url)

    async def cut(self) -> None:
        """Reset every connection that goes through the proxy."""
        await self.proxy.cut()

    def _make(self, url: str) -> RabbitBroker:
        broker = RabbitBroker(url, prefix=self._prefix, steps=TEST_STEPS)
        self._stack.push_async_callback(broker.close)
        return broker


@asynccontextmanager
async def consuming(
    broker: Broker, queue: str, handler: Handler, policy: Policy = QUICK
) -> AsyncIterator[asyncio.Task[None]]:
    """Consume a queue during the block; fail if the consumer ends by itself."""
    task = asyncio.create_task(broker.consume(queue, handler, policy))
    try:
        yield task
    finally:
        ended = task.done() and not task.cancelled()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        assert not ended, "the consumer ended by itself"


@dataclass
class Recorder:
    """A handler that records its messages, and raises the errors in `fails`, one for each delivery."""

    fails: list[BaseException] = field(default_factory=list)
    got: list[Message] = field(default_factory=list)
    at: list[float] = field(default_factory=list)

    async def __call__(self, message: Message) -> None:
        """Record the message and the time (of the loop, in seconds)."""
        self.got.append(message)
        self.at.append(asyncio.get_running_loop().time())
        if self.fails:
            raise self.fails.pop(0)

    @property
    def ids(self) -> list[str]:
        """Return the event ids in the order of their arrival."""
        return [message.event_id for message in self.got]


def make_message(topic: str = "like.removed", *, body: bytes = b"\x80", **headers: str) -> Message:
    """Return a message with an event id of its own."""
    return Message(event_id=str(uuid.uuid4()), topic=topic, key="7", body=body, headers=headers)


def ids_of(messages: Iterable[Message]) -> set[str]:
    """Return the event ids of messages."""
    return {message.event_id for message in messages}


def port_of(url: str) -> int:
    """Return the port of an amqp:// URL without a virtual host."""
    return int(url.rpartition(":")[2].strip("/"))


async def wait_for_dead_letters(kit: BrokerKit, count: int = 1) -> Sequence[DeadLetter]:
    """Wait until there are `count` dead letters, and return them."""

    async def check() -> Sequence[DeadLetter]:
        dead_letters = await kit.broker.dead_letters()
        assert len(dead_letters) == count
        return dead_letters

    return await eventually(check)


async def wait_until_empty(kit: BrokerKit) -> None:
    """Wait until every queue is empty, with its dead letters."""

    async def check() -> bool:
        depths = await kit.broker.depths()
        assert not any(depths.values()), depths
        return True

    await eventually(check)
