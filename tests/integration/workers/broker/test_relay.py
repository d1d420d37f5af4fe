"""The relay from the outbox to RabbitMQ: every row is published, and none is deleted unconfirmed."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

import pytest
import structlog

from storage.events import FanoutChunk, LikeAdded, UserFollowed
from storage.postgres.database import Database
from tests.engines.rabbitmq import TEST_STEPS
from tests.support.broker_kits import Recorder, consuming, port_of
from tests.support.eventually import eventually
from tests.support.statements import StatementLog
from tests.support.tcp_proxy import TcpProxy
from workers.broker import relay
from workers.broker.port import Message
from workers.broker.rabbitmq.broker import RabbitBroker
from workers.broker.relay import EventPublisher, Relay
from workers.broker.routing import relay_of
from workers.errors import BrokerError, UnroutableError

pytestmark = pytest.mark.engines


class FakeBroker:
    """A publisher that records messages, and fails while `away` or for certain keys."""

    def __init__(self) -> None:
        self.published: list[tuple[str, str | None]] = []
        self.attempted: list[str] = []
        self.away = False
        self.refusals = 0
        self.unbound: set[str] = set()
        self.hold: asyncio.Event | None = None

    async def publish(self, message: Message, *, queue: str | None = None) -> None:
        """Record a message."""
        if self.away:
            self.refusals += 1
            raise BrokerError("away")
        if message.key in self.unbound:
            raise UnroutableError("no queue is bound")
        self.attempted.append(message.key)
        if self.hold is not None:
            await self.hold.wait()
        self.published.append((message.key, queue))
        await asyncio.sleep(0)

    @property
    def keys(self) -> list[str]:
        """Return the keys of the recorded messages."""
        return [key for key, _ in self.published]


class FakeSignal:
    """The writers' wake-ups of the relays in this process."""

    def __init__(self) -> None:
        self._received: set[Callable[[], None]] = set()

    async def send(self, _queues: Sequence[str]) -> None:
        """Wake the relays."""
        for received in self._received:
            received()

    async def receive(self, received: Callable[[], None]) -> None:
        """Call `received` at first and with each signal, until cancelled."""
        self._received.add(received)
        try:
            received()
            await asyncio.Event().wait()
        finally:
            self._received.remove(received)


SIGNAL = FakeSignal()


@pytest.fixture
async def db(database_dsn: str) -> AsyncIterator[Database]:
    """A database whose events all go to the relay."""
    db = await Database.connect(database_dsn, routes=relay_of, min_size=1, max_size=8, notify=SIGNAL.send)
    yield db
    await db.close()


@asynccontextmanager
async def relaying(db: Database, broker: EventPublisher) -> AsyncIterator[None]:
    """Run a relay during the block; fail if it ends by itself."""
    task = asyncio.create_task(Relay(db, broker, listen=SIGNAL.receive).run())
    try:
        yield
    finally:
        ended = task.done()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        assert not ended, "the relay ended by itself"


async def emit(db: Database, count: int, *, first: int = 1) -> list[str]:
    """Emit likes in one transaction and return their keys."""
    async with db.transaction() as tx:
        for number in range(first, first + count):
            tx.emit(LikeAdded(photo_id=number, owner_id=1, user_id=2))
    return [str(number) for number in range(first, first + count)]


async def drained(db: Database) -> None:
    """Wait until the outbox is empty."""

    async def check() -> bool:
        return bool(await db.fetchval("SELECT count(*) FROM outbox") == 0)

    await eventually(check)


async def test_an_event_goes_to_every_queue_with_its_request_id(
    db: Database, rabbitmq_url: str, rabbit_prefix: str
) -> None:
    """A follow reaches fanout and notify over RabbitMQ with the id of the request that caused it."""
    broker = RabbitBroker(rabbitmq_url, prefix=rabbit_prefix, steps=TEST_STEPS)
    fanout, notify = Recorder(), Recorder()
    async with relaying(db, broker), consuming(broker, "fanout", fanout), consuming(broker, "notify", notify):
        with structlog.contextvars.bound_contextvars(request_id="r-1"):
            async with db.transaction() as tx:
                tx.emit(UserFollowed(follower_id=5, followee_id=6))
        await eventually(lambda: fanout.got and notify.got)
        await drained(db)
    await broker.close()
    (message,) = notify.got
    assert fanout.got == [message]
    assert (message.topic, message.key) == ("user.followed", "5")
    assert message.headers.keys() == {"request_id", "due_at"}
    assert message.headers["request_id"] == "r-1"
    assert abs(int(message.headers["due_at"]) / 1000 - time.time()) < 60


async def test_rows_of_a_worker_queue_go_to_that_queue_alone(db: Database) -> None:
    """Rows that an embedded run has left for one queue are not delivered to the topic's other queues."""
    broker = FakeBroker()
    async with db.transaction() as tx:
        await tx.execute(
            "INSERT INTO outbox (shard, id, queue, event_id, topic, key, body) "
            "VALUES (7, 7, 'fanout', gen_random_uuid(), 'user.followed', 'left', '')"
        )
    async with relaying(db, broker):
        await drained(db)
    assert broker.published == [("left", "fanout")]


async def test_nothing_is_removed_while_the_broker_is_away(db: Database) -> None:
    """While the broker is unavailable rows stay and are tried one at a time; then they are published in order."""
    broker = FakeBroker()
    broker.away = True
    keys = await emit(db, 450)
    async with relaying(db, broker):
        await eventually(lambda: broker.refusals > 202)
        assert broker.refusals < 220
        assert await db.fetchval("SELECT count(*) FROM outbox WHERE attempts = 0") == 450
        broker.away = False
        await drained(db)
    assert broker.keys == keys


async def test_a_refused_row_does_not_block_others(db: Database) -> None:
    """An unroutable row is postponed with the reason and the others are published; also when it is the only one."""
    broker = FakeBroker()
    broker.unbound = {"2"}
    await emit(db, 3)
    async with relaying(db, broker):

        async def only_it() -> bool:
            rows = await db.fetch("SELECT key, attempts, last_error FROM outbox")
            return [tuple(row) for row in rows] == [("2", 1, "UnroutableError: no queue is bound")]

        await eventually(only_it)
        broker.unbound |= {"9"}
        await emit(db, 1, first=9)

        async def both() -> bool:
            return bool(await db.fetchval("SELECT count(*) FROM outbox WHERE attempts = 1") == 2)

        await eventually(both)
    assert broker.keys == ["1", "3"]


async def test_two_relays_publish_each_row_once(db: Database) -> None:
    """Two relays share the rows and repeat none."""
    one, two = FakeBroker(), FakeBroker()
    async with relaying(db, one), relaying(db, two):
        keys = [key for first in range(0, 1500, 300) for key in await emit(db, 300, first=first)]
        await drained(db)
    assert Counter(one.keys + two.keys) == Counter(keys)


async def test_one_relay_publishes_at_a_time(db: Database, database_dsn: str) -> None:
    """While one relay waits for confirms, another looks and leaves the rows to it."""
    first, second = FakeBroker(), FakeBroker()
    first.hold = asyncio.Event()
    early = await emit(db, 3)
    other = await Database.connect(database_dsn, routes=relay_of, min_size=1, max_size=1)
    log, statements = await StatementLog.open(other, connections=1), list[str]()

    async def has_looked_twice() -> bool:
        statements.extend(await log.take())
        return sum("FROM leases" in statement for statement in statements) >= 2

    async with relaying(db, first):
        await eventually(lambda: first.attempted == early)
        async with relaying(other, second):
            late = await emit(db, 3, first=10)
            await eventually(has_looked_twice)
            assert second.attempted == []
            first.hold.set()
            await drained(db)
    await other.close()
    assert sorted(first.keys + second.keys) == sorted(early + late)


async def test_a_batch_takes_five_round_trips(db: Database, database_dsn: str) -> None:
    """Each of them delays all events of the batch: BEGIN, the settings with the lease, the rows, DELETE, COMMIT."""
    relayed = await Database.connect(database_dsn, routes=relay_of, min_size=1, max_size=1)
    log, broker = await StatementLog.open(relayed, connections=1), FakeBroker()
    await emit(db, 3)
    async with relaying(relayed, broker):
        await drained(db)
        await eventually(lambda: len(broker.published) == 3)
    statements = await log.take()
    await relayed.close()
    assert statements[0] == "BEGIN"
    assert "FROM leases" in statements[1]
    assert [statement.split()[0] for statement in statements[3:5]] == ["DELETE", "COMMIT"]


async def test_a_stalled_relay_loses_the_lease(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relay that stops in the middle of a batch holds the others up for the timeout; they publish its rows, too."""
    monkeypatch.setattr(relay, "_SETTINGS", relay._SETTINGS.replace("'30s'", "'300ms'"))
    first, second = FakeBroker(), FakeBroker()
    first.hold = asyncio.Event()
    keys = await emit(db, 3)
    async with relaying(db, first):
        await eventually(lambda: first.attempted == keys)
        async with relaying(db, second):
            await drained(db)
        first.hold.set()
        await eventually(lambda: first.keys == keys)
    assert second.keys == keys


async def test_a_relay_that_dies_before_the_commit_leaves_the_rows(db: Database) -> None:
    """A relay that is cancelled during a batch leaves the whole batch to the next."""
    first, second = FakeBroker(), FakeBroker()
    first.hold = asyncio.Event()
    keys = await emit(db, 5)
    async with relaying(db, first):
        await eventually(lambda: first.attempted == keys)
    async with relaying(db, second):
        await drained(db)
    assert (first.keys, second.keys) == ([], keys)


async def test_breaking_connections_lose_nothing(db: Database, rabbitmq_url: str, rabbit_prefix: str) -> None:
    """Every event arrives although connections to RabbitMQ and to PostgreSQL break again and again."""
    async with TcpProxy.to(port_of(rabbitmq_url)) as proxy:
        broker = RabbitBroker(f"amqp://guest:guest@127.0.0.1:{proxy.port}/", prefix=rabbit_prefix, steps=TEST_STEPS)
        straight = RabbitBroker(rabbitmq_url, prefix=rabbit_prefix, steps=TEST_STEPS)
        recorder, keys = Recorder(), []
        async with relaying(db, broker), consuming(straight, "bulk", recorder):
            for number in range(200):
                async with db.transaction() as tx:
                    tx.emit(chunk(number))
                keys.append(str(number))
                if number % 40 == 20:
                    await proxy.cut()
                if number % 40 == 30:
                    await db.fetch(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                    )
            await eventually(lambda: {message.key for message in recorder.got} == set(keys))
            await drained(db)
        await broker.close()
        await straight.close()


def chunk(number: int) -> FanoutChunk:
    """Return an event that is bound to the queue "bulk" only."""
    return FanoutChunk(
        photo_id=number, author_id=1, remove=False, after_shard=-1, after_id=0, until_shard=1023, until_id=1
    )
