"""Transactions of handlers whose commit does not wait for the disk, and what a crash undoes of them.

The tests have a server of their own, because the one that all tests share does not wait for any commit.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from storage.events import UserChanged
from storage.postgres.database import Database
from storage.postgres.migrate import migrate
from tests.engines.postgres_pair import PostgresServer
from workers.broker.claims import ClaimConnection
from workers.broker.outcomes import JobStatus, Outcome

pytestmark = pytest.mark.engines

_SETTING = "SELECT current_setting('synchronous_commit')"


@pytest_asyncio.fixture
async def server(tmp_path: Path) -> AsyncIterator[PostgresServer]:
    """A server that writes its log ten seconds after a commit that does not wait for it."""
    server = PostgresServer(tmp_path / "server")
    await server.create()
    try:
        await server.execute("ALTER SYSTEM SET wal_writer_delay = '10s'")
        await server.execute("SELECT pg_reload_conf()")
        yield server
    finally:
        await server.stop()


async def test_a_crash_that_undoes_the_change_gives_the_event_back(server: PostgresServer) -> None:
    """The end of the claim follows the change in the same log, so it is never there without the change."""
    await migrate(server.url)
    async with _connected(server) as database:
        async with database.transaction() as tx:
            tx.emit(UserChanged(user_id=1))
        await _handle(database)
        assert await _changed(database)
        await server.crash()
    await server.start()
    async with _connected(server) as database:
        assert not await _changed(database)
        await _handle(database)
        assert await _changed(database)


async def test_only_repeated_transactions_beside_their_claims_do_not_wait(server: PostgresServer) -> None:
    """RabbitMQ forgets an event when it is acknowledged, so what its handler has committed has to be on the disk."""
    for claims_events, repeated, setting in (
        (True, True, "off"),
        (True, False, "on"),
        (False, True, "on"),
        (False, False, "on"),
    ):
        async with _connected(server, claims_events=claims_events) as database:
            async with database.transaction(repeated=repeated) as tx:
                assert await tx.fetchval(_SETTING) == setting
            assert await database.fetchval(_SETTING) == "on"


@asynccontextmanager
async def _connected(server: PostgresServer, *, claims_events: bool = True) -> AsyncIterator[Database]:
    database = await Database.connect(
        server.url, routes=lambda _: ("notify",), min_size=2, max_size=2, claims_events=claims_events
    )
    try:
        yield database
    finally:
        await database.close()


async def _handle(database: Database) -> None:
    """Claim the event of the queue, change a row because of it, and end the claim."""
    claims = await ClaimConnection.open(database)
    message = await claims.claim("notify")
    assert message is not None
    async with database.transaction(repeated=True) as tx:
        await tx.execute("INSERT INTO leases (name) VALUES ('changed')")
    await claims.finish(Outcome(status=JobStatus.DONE))
    await claims.close()


async def _changed(database: Database) -> bool:
    return bool(await database.fetchval("SELECT EXISTS (SELECT 1 FROM leases WHERE name = 'changed')"))
