"""A primary and its standby: what is acknowledged survives a promotion, and writes go on as soon as it is done."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from storage.errors import UnavailableError
from storage.events import UserChanged
from storage.postgres import outbox
from storage.postgres.connector import SERVER_TIMEOUT, Connector, writable_servers
from storage.postgres.database import Database
from storage.postgres.migrate import migrate
from storage.postgres.pool import CLEANUP_TIMEOUT, Pool
from tests.engines.postgres_pair import PostgresPair, PostgresServer, postgres_pair
from tests.support.eventually import eventually
from workers.broker.claims import ClaimConnection
from workers.broker.listener import OutboxListener
from workers.broker.routing import queues_of

pytestmark = [pytest.mark.engines, pytest.mark.asyncio(loop_scope="module")]

WRITERS = 4


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pair(engines_dir: Path) -> AsyncIterator[PostgresPair]:
    """A migrated primary and its standby; a test that promotes the standby has to rebuild the pair."""
    async with postgres_pair(engines_dir / "pair") as pair:
        await migrate(pair.url)
        yield pair


class Load:
    """Writers that repeat a transaction until it is acknowledged; each attempt is recorded."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._numbers = itertools.count(1)
        self.acknowledged: list[int] = []
        self.attempts: list[tuple[float, str]] = []  # time of the start, and the error, if any

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Write until the end of the block; a defect in a writer fails the block."""
        async with asyncio.TaskGroup() as group:
            writers = [group.create_task(self._write()) for _ in range(WRITERS)]
            try:
                yield
            finally:
                for writer in writers:
                    writer.cancel()

    async def more(self, count: int) -> None:
        """Wait until this many further writes are acknowledged."""
        wanted = len(self.acknowledged) + count
        await eventually(lambda: len(self.acknowledged) >= wanted)

    def failures_since(self, moment: float) -> list[str]:
        """Return the errors of the attempts that began after `moment`."""
        return [error for started, error in self.attempts if started > moment and error]

    async def _write(self) -> None:
        while True:
            number = next(self._numbers)
            await eventually(partial(self._attempt, number))

    async def _attempt(self, number: int) -> bool:
        started = time.monotonic()
        try:
            async with self._database.transaction() as tx:
                tx.emit(UserChanged(user_id=number))
        except UnavailableError as error:
            self.attempts.append((started, str(error)))
            return False
        self.attempts.append((started, ""))
        self.acknowledged.append(number)
        return True


async def _missing(server: PostgresServer, load: Load) -> set[int]:
    """Return the acknowledged writes that a server does not have."""
    connection = await server.connect()
    rows = await connection.fetch("SELECT DISTINCT key FROM outbox")
    await connection.close()
    return set(load.acknowledged) - {int(row["key"]) for row in rows}


async def test_a_crash_and_a_promotion_under_load(pair: PostgresPair) -> None:
    """No acknowledged write is lost, and every write that begins after the promotion succeeds at the first attempt."""
    database = await Database.connect(pair.url, routes=queues_of, min_size=2, max_size=WRITERS + 1)
    load = Load(database)
    async with load.running():
        await load.more(50)
        await pair.primary.crash()
        await eventually(lambda: any(error for _, error in load.attempts))
        await pair.standby.promote()
        promoted = time.monotonic()
        await load.more(50)
    assert load.failures_since(promoted) == []
    assert await _missing(pair.standby, load) == set()
    await database.close()
    await pair.rebuild()


async def test_a_primary_is_demoted_while_connections_stay_open(pair: PostgresPair) -> None:
    """The old primary refuses writes and keeps its connections: writes, claims and notifications go to the new one."""
    url = f"{pair.url}?target_session_attrs=primary"
    database = await Database.connect(url, routes=queues_of, min_size=2, max_size=WRITERS + 3)
    load, listener = Load(database), OutboxListener(database, ["fanout"], ping_interval=0.1)
    listening = asyncio.create_task(listener.run())
    claims = await ClaimConnection.open(database)
    async with load.running():
        await load.more(50)
        await pair.primary.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        await pair.primary.execute("SELECT pg_reload_conf()")
        await eventually(lambda: any("read-only" in error for _, error in load.attempts))
        await pair.standby.promote()
        promoted = time.monotonic()
        await load.more(50)
    assert load.failures_since(promoted) == []
    assert await _missing(pair.standby, load) == set()
    with pytest.raises(UnavailableError):
        await claims.claim("fanout")
    await claims.close()
    claims = await ClaimConnection.open(database)
    assert await claims.claim("fanout") is not None
    await claims.close()

    async def listens_to_the_new_primary() -> bool:
        return bool(
            await pair.standby.fetchval("SELECT count(*) FROM pg_stat_activity WHERE query = $1", outbox.NO_CHANGE)
        )

    await eventually(listens_to_the_new_primary)
    listening.cancel()
    await asyncio.wait([listening])
    await database.close()
    await pair.rebuild()


async def test_a_silent_primary_is_left(pair: PostgresPair) -> None:
    """A transaction on a server that does not answer is an outage, and the next one goes to the promoted standby."""
    # Longer than the time after which a connection is cut, as in production. One failure for each writer, although
    # there are more idle connections to the old primary.
    pool = await Pool.open(pair.url, min_size=10, max_size=10, command_timeout=CLEANUP_TIMEOUT + 0.5)
    database = Database(pool, routes=queues_of)
    load, returning = Load(database), asyncio.Event()

    async def hold_a_connection() -> None:
        async with database.connection():
            await returning.wait()

    holder = asyncio.create_task(hold_a_connection())
    async with load.running():
        await load.more(10)
        pair.primary.freeze()
        returning.set()
        await pair.standby.promote()
        await load.more(10)
    await holder
    pair.primary.thaw()
    assert 0 < len(load.failures_since(0)) <= WRITERS
    assert await _missing(pair.standby, load) == set()
    await database.close()
    await pair.rebuild()


async def test_connections_lead_to_the_server_that_accepts_writes(pair: PostgresPair) -> None:
    """The standby is not used, although it is named first and answers; one URL may be used many times at once."""
    places = f"{pair.standby.place},{pair.primary.place}"
    connector = Connector(f"postgresql://picshare@{places}/picshare")
    connections = await asyncio.gather(*(connector.connect() for _ in range(10)))
    assert {await each.fetchval("SELECT inet_server_port()") for each in connections} == {pair.primary.port}
    for each in connections:
        await each.close()


async def test_a_former_primary_that_returns_is_not_used(pair: PostgresPair) -> None:
    """Neither by a process that has used its successor, even when that is away, nor by one that finds both."""
    connector = Connector(pair.url)
    await (await connector.connect()).close()
    await pair.primary.crash()
    await pair.standby.promote()
    await pair.primary.start()
    for each in (connector, Connector(pair.url)):
        with capture_logs() as logs:
            connection = await each.connect()
            assert await connection.fetchval("SELECT inet_server_port()") == pair.standby.port
            await connection.close()
        assert [log["event"] for log in logs] == ["database_two_primaries"]
        await (await each.connect()).close()
    assert len(await writable_servers(pair.url)) == 2
    await pair.standby.crash()
    with pytest.raises(UnavailableError, match=rf"{pair.primary.place} .* timeline \d+, but was succeeded"):
        await connector.connect()
    await pair.standby.start()
    await pair.rebuild()


async def test_a_server_that_does_not_answer_delays_only_the_first_connection(pair: PostgresPair) -> None:
    """Connections are opened at once to the other server, and later ones do not try the silent one first."""
    async with silent_server() as (place, opened):
        connector = Connector(f"postgresql://picshare@{place},{pair.primary.place}/picshare")
        attempts = []
        for number in range(1, 9):
            # One after the other, so that the first succeeds while the last still waits for the silent server. The
            # timeout is shorter than that of one server.
            attempts.append(asyncio.create_task(connector.connect(timeout=SERVER_TIMEOUT - 1)))
            await eventually(partial(_reaches, opened, number))
        connections = await asyncio.gather(*attempts)
        connections += [await connector.connect() for _ in range(5)]
        assert len(opened) == len(attempts)
        for each in connections:
            await each.close()


async def test_the_error_names_every_server_with_its_reason(pair: PostgresPair) -> None:
    """A standby, a server that is away, and one that does not answer differ in the error."""
    async with silent_server() as (silent, _):
        connector = Connector(f"postgresql://picshare@{pair.standby.place},127.0.0.1:1,{silent}/picshare")
        with pytest.raises(UnavailableError) as caught:
            await connector.connect(timeout=0.5)
    text = str(caught.value)
    assert f"{pair.standby.place}: read-only; 127.0.0.1:1: " in text
    assert "Connect call failed" in text
    assert text.endswith(f"{silent}: no answer)")


def _reaches(items: list[asyncio.StreamWriter], number: int) -> bool:
    return len(items) == number


@asynccontextmanager
async def silent_server() -> AsyncIterator[tuple[str, list[asyncio.StreamWriter]]]:
    """Accept connections without ever answering; yield the address and the connections."""
    opened: list[asyncio.StreamWriter] = []

    async def accept(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(writer)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}", opened
    finally:
        server.close()
        for writer in opened:
            writer.close()
