"""PostgreSQL behind pgbouncer in transaction mode, with a direct URL for what needs a session."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from server.administration import commands, doctor
from server.config.loading import load_settings
from storage.errors import UnavailableError
from storage.events import LikeAdded
from storage.postgres.database import Database
from storage.stores import inbox_lock
from storage.stores.accounts import users
from storage.stores.social import follows, relations
from tests.engines.pgbouncer import Pgbouncer, pgbouncer
from tests.support.community import new_users
from workers.broker.claims import ClaimConnection
from workers.broker.listener import OutboxListener
from workers.broker.outcomes import JobStatus, Outcome
from workers.broker.routing import queues_of

pytestmark = [pytest.mark.engines, pytest.mark.asyncio(loop_scope="module")]

CONNECTIONS = 10


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pooler(engines_dir: Path, postgres_dsn: str) -> AsyncIterator[Pgbouncer]:
    """A pgbouncer before this session's PostgreSQL."""
    async with pgbouncer(engines_dir / "pgbouncer", postgres_dsn) as pooler:
        yield pooler


@pytest_asyncio.fixture(loop_scope="module")
async def pooled(pooler: Pgbouncer, database_dsn: str) -> AsyncIterator[Database]:
    """A fresh database behind the pooler."""
    database = await Database.connect(
        pooler.url(database_dsn),
        routes=queues_of,
        min_size=CONNECTIONS,
        max_size=CONNECTIONS,
        direct_url=database_dsn,
        transaction_pooler=True,
    )
    yield database
    await database.close()


async def test_every_statement_succeeds(pooled: Database) -> None:
    """Reads and transactions of many connections, which share a few sessions, succeed with the right results."""
    people = await new_users(pooled, *(f"user{number}" for number in range(CONNECTIONS)))

    async def act(me: int) -> None:
        mine = people[me]
        for other in people:
            found = await users.find(pooled, other.username.upper())
            assert found.id == other.id
            if other.id != mine.id:
                async with pooled.transaction() as tx:
                    await follows.follow(tx, mine.id, other.id)
                    tx.emit(LikeAdded(photo_id=me, owner_id=other.id, user_id=mine.id))
                assert (await relations.relation(pooled, mine.id, other.id)).following

    await asyncio.gather(*(act(number) for number in range(CONNECTIONS)))
    events = await pooled.fetchval("SELECT count(DISTINCT event_id) FROM outbox WHERE topic = 'like.added'")
    assert events == CONNECTIONS * (CONNECTIONS - 1)
    await pooled.check_writable()


async def test_locks_that_outlast_a_transaction_exclude_each_other(pooled: Database) -> None:
    """A lock is held by an open transaction behind the pooler, and also excludes the locks of transactions."""
    (ann,) = await new_users(pooled, "ann")
    attempt = "SELECT 1 FROM inboxes WHERE user_id = $1 FOR UPDATE SKIP LOCKED"
    async with inbox_lock.hold(pooled, ann.id) as lock:
        async with pooled.transaction(lock) as tx:
            await tx.execute("SELECT 1")
        assert await pooled.fetchval(attempt, ann.id) is None
    assert await pooled.fetchval(attempt, ann.id) == 1


async def test_notifications_and_claims_have_a_session(pooled: Database) -> None:
    """What is written behind the pooler wakes a listener, and a claim lasts until it is finished."""
    listener = OutboxListener(pooled, ["notify"])
    listening = asyncio.create_task(listener.run())
    assert await listener.wait(5)  # it has begun to listen
    async with pooled.transaction() as tx:
        tx.emit(LikeAdded(photo_id=1, owner_id=2, user_id=3))
    assert await listener.wait(5)
    listening.cancel()
    await asyncio.wait([listening])
    one, other = await ClaimConnection.open(pooled), await ClaimConnection.open(pooled)
    assert await one.claim("notify") is not None
    assert await other.claim("notify") is None
    await one.finish(Outcome(status=JobStatus.DONE))
    assert await pooled.fetchval("SELECT count(*) FROM outbox WHERE queue = 'notify'") == 0
    await one.close()
    await other.close()


async def test_a_pooler_that_is_restarted(pooled: Database, pooler: Pgbouncer) -> None:
    """Its absence is an outage, not a defect, and the first statement after its return succeeds."""
    await pooler.stop()
    with pytest.raises(UnavailableError):
        await pooled.check_writable()
    await pooler.start()
    await pooled.check_writable()


async def test_an_unknown_pooler_is_an_outage_with_its_remedy(pooler: Pgbouncer, database_dsn: str) -> None:
    """Without the setting, the error of a lost statement names the setting; it is not a defect."""
    database = await Database.connect(pooler.url(database_dsn), routes=queues_of, min_size=8, max_size=8)

    async def read() -> None:
        for number in range(20):
            await database.fetchval(f"SELECT {number % 3}")

    outcomes = await asyncio.gather(*(read() for _ in range(8)), return_exceptions=True)
    errors = [outcome for outcome in outcomes if outcome is not None]
    assert errors
    assert {type(error) for error in errors} == {UnavailableError}
    assert all("database.pooler" in str(error) for error in errors)
    await database.close()


async def test_the_doctor_recognizes_a_pooler(pooler: Pgbouncer, database_dsn: str) -> None:
    """A pooler that the settings do not name is a problem, also behind the direct URL."""
    url = pooler.url(database_dsn)
    unnamed = load_settings(overrides={"database": {"url": url}})
    twice = load_settings(overrides={"database": {"url": url, "pooler": "transaction", "direct_url": url}})
    named = load_settings(overrides={"database": {"url": url, "pooler": "transaction", "direct_url": database_dsn}})
    for settings in (unnamed, twice):
        finding = await doctor.inspect_database(settings)
        assert (finding.ok, finding.detail) == (False, "a pooler in transaction mode")
    assert (await doctor.inspect_database(named)).ok


async def test_migrations_use_the_direct_url(database_dsn: str) -> None:
    """`picshare migrate` needs no pooler."""
    values = {"url": "postgresql://127.0.0.1:1/nowhere", "pooler": "transaction", "direct_url": database_dsn}
    assert await commands.migrate(load_settings(overrides={"database": values, "redis": {"url": "redis://x"}})) == []
