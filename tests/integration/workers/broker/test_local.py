"""The embedded broker on PostgreSQL: notifications, connections, and the record of attempts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack

import pytest

from storage.errors import UnavailableError
from storage.events import LikeAdded
from storage.postgres.database import Database
from tests.support.broker_kits import QUICK, Recorder, consuming
from tests.support.eventually import DEADLINE, eventually
from workers.broker.claims import ClaimConnection
from workers.broker.local import LocalBroker
from workers.broker.port import Message, Policy
from workers.broker.routing import queues_of
from workers.errors import BrokerError

pytestmark = pytest.mark.engines

LIKE = LikeAdded(photo_id=1, owner_id=2, user_id=3)


@pytest.fixture
async def pool(database_dsn: str) -> AsyncIterator[Database]:
    """The broker's own connections."""
    pool = await Database.connect(database_dsn, routes=queues_of, min_size=1, max_size=12)
    yield pool
    await pool.close()


async def insert(database: Database, count: int = 1) -> None:
    """Insert rows without a notification."""
    async with database.connection() as connection:
        await connection.execute(
            "INSERT INTO outbox (shard, id, queue, event_id, topic, key, body) SELECT 0, n * 1024, "
            "'notify', gen_random_uuid(), 'like.added', n::text, '' FROM generate_series(1, $1::bigint) AS n",
            count,
        )


async def emit_and_fail(database: Database) -> None:
    """Emit an event in a transaction that is rolled back."""
    async with database.transaction() as tx:
        tx.emit(LIKE)
        raise ZeroDivisionError


async def test_a_commit_of_the_same_process_wakes_the_consumer_without_the_database(
    database_dsn: str, pool: Database
) -> None:
    """Nothing is sent to PostgreSQL while the consumer runs; once it has ended, the next commit notifies again."""
    sent: list[Sequence[str]] = []

    async def notify(queues: Sequence[str]) -> None:
        sent.append(queues)

    writer = await Database.connect(database_dsn, routes=queues_of, min_size=1, max_size=2, notify=notify)
    recorder = Recorder()

    async def emit() -> None:
        async with writer.transaction() as tx:
            tx.emit(LIKE)

    async with consuming(LocalBroker(pool, writer=writer), "notify", recorder):
        await emit()
        await eventually(lambda: recorder.got)
    assert all("notify" not in queues for queues in sent)
    await emit()
    await writer.close()
    assert "notify" in sent[-1]


async def test_an_emitted_event_is_handled_at_once(database: Database, pool: Database) -> None:
    """Ten events in a row are each handled well before the next poll."""
    recorder = Recorder()
    async with consuming(LocalBroker(pool), "notify", recorder):
        async with database.transaction() as tx:
            tx.emit(LIKE)
        await eventually(lambda: recorder.got)
        started = time.monotonic()
        for count in range(2, 12):
            async with database.transaction() as tx:
                tx.emit(LIKE)
            await eventually(lambda count=count: len(recorder.got) == count)  # type: ignore[misc]
        assert time.monotonic() - started < 5.0  # by polls alone, each would take a second


async def test_a_lost_notification_costs_a_second(database: Database, pool: Database) -> None:
    """An idle consumer finds a row without a notification at its next poll."""
    recorder = Recorder()

    async def listening() -> bool:
        return bool(await database.fetchval("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"))

    async with consuming(LocalBroker(pool), "notify", recorder):
        await eventually(listening)
        for count in (1, 2):
            async with database.transaction() as tx:
                tx.emit(LIKE)
            await eventually(lambda count=count: len(recorder.got) == count)  # type: ignore[misc]
        await insert(database)
        await eventually(lambda: len(recorder.got) == 3)


async def test_events_of_a_rolled_back_transaction_do_not_exist(database: Database, pool: Database) -> None:
    """The event of a failed transaction is not delivered; the one after it is."""
    recorder = Recorder()
    async with consuming(LocalBroker(pool), "notify", recorder):
        with pytest.raises(ZeroDivisionError):
            await emit_and_fail(database)
        async with database.transaction() as tx:
            tx.emit(LikeAdded(photo_id=9, owner_id=2, user_id=3))
        await eventually(lambda: recorder.got)
    assert [message.key for message in recorder.got] == ["9"]


async def test_a_row_keeps_its_attempts_and_last_error(database: Database, pool: Database) -> None:
    """A retry counts the attempt and stores the error in the row, for operators."""
    await insert(database)
    recorder = Recorder(fails=[ValueError("no luck")])
    async with consuming(LocalBroker(pool), "notify", recorder, Policy(backoff=(60.0,))):

        async def postponed() -> bool:
            row = await database.fetchrow("SELECT attempts, last_error, available_at > now() AS later FROM outbox")
            assert row is not None
            return (row["attempts"], row["last_error"], row["later"]) == (1, "ValueError: no luck", True)

        await eventually(postponed)


async def test_an_idle_consumer_keeps_two_connections(database: Database, pool: Database) -> None:
    """After a burst over all its slots, a consumer keeps one connection for claims and one to listen."""
    all_running, release = asyncio.Event(), asyncio.Event()
    running = 0

    async def handler(_: Message) -> None:
        nonlocal running
        running += 1
        if running == 8:
            all_running.set()
        await release.wait()

    async with consuming(LocalBroker(pool), "notify", handler, Policy(concurrency=8)):
        await insert(database, 8)
        await asyncio.wait_for(all_running.wait(), DEADLINE)
        release.set()

        async def ten_of_twelve_are_free() -> bool:
            try:
                async with asyncio.timeout(0.2), AsyncExitStack() as stack:
                    for _ in range(10):
                        await stack.enter_async_context(pool.connection())
            except (TimeoutError, UnavailableError):
                return False
            return True

        await eventually(ten_of_twelve_are_free)
        assert running == 8


async def test_a_connection_without_a_message_is_in_no_transaction(pool: Database, database: Database) -> None:
    """A transaction that stays open would keep its locks, for which migrations wait; one with a message has to."""
    connection = await ClaimConnection.open(pool)

    async def open_transactions() -> int:
        count: int = await database.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'"
        )
        return count

    assert await connection.claim("notify") is None
    assert await open_transactions() == 0
    await insert(database)
    assert await connection.claim("notify") is not None
    assert await open_transactions() == 1
    await connection.close()
    assert await open_transactions() == 0


async def test_a_backlog_costs_little_processor_time(database: Database, pool: Database) -> None:
    """Each of two thousand messages costs less than 0.6 ms of this process's time, whatever else is running."""
    # The smallest of three: the caches of the processor are shared with whatever else is running.
    costs = [await _cost_of_backlog(database, pool) for _ in range(3)]
    assert min(costs) < 2_000 * 0.0006


async def _cost_of_backlog(database: Database, pool: Database) -> float:
    """Return the seconds of processor time in which two thousand messages are handled."""
    await insert(database, 2_000)
    recorder = Recorder()
    started = time.process_time()
    async with consuming(LocalBroker(pool), "notify", recorder, QUICK):
        await eventually(lambda: len(recorder.got) == 2_000)
    return time.process_time() - started


async def test_an_unavailable_database_is_a_broker_error(database_dsn: str) -> None:
    """Once the pool is closed, the operators' methods raise `BrokerError`."""
    pool = await Database.connect(database_dsn, routes=queues_of, min_size=1, max_size=2)
    broker = LocalBroker(pool)
    await pool.close()
    for call in (broker.dead_letters(), broker.replay("1"), broker.delete("1"), broker.depths()):
        with pytest.raises(BrokerError):
            await call
