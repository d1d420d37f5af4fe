"""Transactions, their events, and the driver's errors, on a real database."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

import asyncpg
import pytest
import structlog

from storage.errors import ConflictError, ConnectionLostError, UnavailableError
from storage.events import LikeAdded, PhotoReady, UserChanged, decode
from storage.ids import SHARDS, IdGenerator
from storage.notifications import Activity, NotificationKind
from storage.postgres import outbox
from storage.postgres.database import Database, Transaction
from storage.postgres.row_locks import LockableRow, RowLock
from storage.stores.accounts import users
from storage.stores.notifications import waiting_activities
from tests.support.community import new_user, new_users
from tests.support.eventually import DEADLINE, eventually
from tests.support.statements import StatementLog
from workers.broker.claims import ClaimConnection
from workers.broker.routing import queues_of, relay_of

pytestmark = pytest.mark.engines


async def test_events_are_rows_of_the_transaction(database: Database) -> None:
    """Each queue of an event's topic gets a row with the same event id, the body, and the request's id."""
    with structlog.contextvars.bound_contextvars(request_id="r1"):
        async with database.transaction() as tx:
            tx.emit(LikeAdded(photo_id=1, owner_id=2, user_id=3))
            tx.emit(PhotoReady(photo_id=1, author_id=2))
            assert await database.fetchval("SELECT count(*) FROM outbox") == 0
    rows = await database.fetch("SELECT * FROM outbox ORDER BY id")
    assert [row["queue"] for row in rows] == [*queues_of("like.added"), *queues_of("photo.ready")]
    assert decode(rows[0]["topic"], rows[0]["body"]) == LikeAdded(photo_id=1, owner_id=2, user_id=3)
    assert (rows[0]["key"], rows[0]["headers"]["request_id"], rows[0]["attempts"]) == ("1", "r1", 0)
    assert len({row["event_id"] for row in rows}) == 2


async def test_an_event_has_a_row_for_each_of_its_queues(database_dsn: str) -> None:
    """Every queue that is bound to a topic gets the event, under one event id."""
    routes = {"like.added": ["notify", "fanout", "media"], "user.changed": ["fanout"]}
    database = await Database.connect(database_dsn, routes=routes.__getitem__, min_size=1, max_size=2)
    async with database.connection() as connection:
        events = [(LikeAdded(photo_id=1, owner_id=2, user_id=3), 0.0)]
        queues = await outbox.insert(connection, IdGenerator(), events, routes.__getitem__)
    assert queues == {"notify", "fanout", "media"}
    async with database.transaction() as tx:
        tx.emit(UserChanged(user_id=1))
        tx.emit(LikeAdded(photo_id=4, owner_id=2, user_id=3))
    rows = await database.fetch("SELECT queue, topic, key, body, event_id FROM outbox ORDER BY id")
    assert [row["queue"] for row in rows] == [*routes["like.added"], *routes["user.changed"], *routes["like.added"]]
    for copies in (rows[:3], rows[4:]):
        assert len({(row["event_id"], row["topic"], row["key"], bytes(row["body"])) for row in copies}) == 1
    assert len({row["event_id"] for row in rows}) == 3
    await database.close()


async def test_callbacks_run_after_the_commit(database: Database) -> None:
    """A callback sees what the transaction wrote, and does not run when the transaction is rolled back."""
    seen: list[int] = []

    async def count() -> None:
        seen.append(await database.fetchval("SELECT count(*) FROM outbox"))

    async with database.transaction() as tx:
        tx.emit(UserChanged(user_id=1))
        tx.on_commit(count)
        assert seen == []
    written = await database.fetchval("SELECT count(*) FROM outbox")
    assert seen == [written]
    assert written > 0

    async def fail() -> None:
        async with database.transaction() as tx:
            tx.on_commit(count)
            raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        await fail()
    assert seen == [written]


RELAY = LockableRow(
    name="the relay",
    select="SELECT 1 FROM leases WHERE name = 'relay' FOR UPDATE SKIP LOCKED",
    insert="INSERT INTO leases (name) VALUES ('relay') ON CONFLICT DO NOTHING",
)
OTHER = LockableRow(
    name="the other",
    select="SELECT 1 FROM leases WHERE name = 'other' FOR UPDATE SKIP LOCKED",
    insert="INSERT INTO leases (name) VALUES ('other') ON CONFLICT DO NOTHING",
)


async def test_a_lock_outlives_the_commit(database: Database) -> None:
    """`locked` holds its lock after a commit, until the block ends, also against the locks of transactions."""
    async with database.locked(RELAY) as lock:
        async with database.transaction(lock) as tx:
            await tx.execute("SELECT 1")
        assert await database.fetchval(RELAY.select) is None
        async with database.locked(OTHER):
            assert await database.fetchval(RELAY.select) is None
    assert await database.fetchval(RELAY.select) == 1
    with pytest.raises(ZeroDivisionError):
        async with database.locked(RELAY):
            raise ZeroDivisionError
    assert await database.fetchval(RELAY.select) == 1


async def test_a_row_that_does_not_exist_is_inserted_and_locked(database: Database) -> None:
    """Of tasks that lock a row before it exists one holds the lock at a time."""
    holders = 0

    async def hold() -> None:
        nonlocal holders
        async with database.locked(OTHER) as lock, database.transaction(lock) as tx:
            holders += 1
            assert await tx.fetchval("SELECT 1") == holders == 1
            holders -= 1

    async with asyncio.timeout(DEADLINE):
        await asyncio.gather(*(hold() for _ in range(5)))


async def test_nothing_is_committed_once_the_lock_is_lost(database: Database) -> None:
    """A transaction whose lock has ended by its commit is rolled back, because another process may hold the lock."""
    pid = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'BEGIN; SELECT 1 FROM leases%' AND state <> 'idle'"

    async def lose() -> None:
        async with database.locked(RELAY) as lock, database.transaction(lock) as tx:
            tx.emit(UserChanged(user_id=1))
            assert await database.fetchval(f"SELECT pg_terminate_backend(({pid}), 5000)")
            async with database.locked(RELAY):
                await eventually(lambda: _is_lost(lock))

    with pytest.raises(ConnectionLostError, match="the relay"):
        await lose()
    assert await database.fetchval("SELECT count(*) FROM outbox") == 0
    async with database.locked(RELAY) as lock, database.transaction(lock) as tx:
        tx.emit(UserChanged(user_id=1))
    assert await database.fetchval("SELECT count(*) FROM outbox") > 0


def _is_lost(lock: RowLock) -> bool:
    try:
        lock.require()
    except ConnectionLostError:
        return True
    return False


async def test_waiting_for_a_lock_takes_no_connection(database_dsn: str) -> None:
    """While tasks wait for a lock, the pool's connections are free; then each gets the lock, and no other meanwhile.

    A lock and its release are one round trip each, and leave nothing to reset.
    """
    database = await Database.connect(database_dsn, routes=queues_of, min_size=1, max_size=4)
    log = await StatementLog.open(database, connections=4)
    holders = 0

    async def hold() -> None:
        nonlocal holders
        async with database.locked(RELAY) as lock, database.transaction(lock) as tx:
            holders += 1
            assert await tx.fetchval("SELECT 1") == holders == 1
            holders -= 1

    async with database.locked(RELAY):
        waiting = [asyncio.create_task(hold()) for _ in range(9)]
        async with asyncio.timeout(DEADLINE):
            for _ in range(50):
                await database.fetchval("SELECT pg_sleep(0.001)")
        assert not any(task.done() for task in waiting)
        waiting.pop().cancel()
    async with asyncio.timeout(DEADLINE):
        await asyncio.gather(*waiting)
    statements = await log.take()
    assert sum("pg_advisory_unlock_all" in statement for statement in statements) == 0
    assert sum("FROM leases" in statement for statement in statements) == statements.count("ROLLBACK") > 9
    await database.close()


async def test_half_of_the_connections_are_left_to_the_work(database_dsn: str) -> None:
    """Locks take half of a pool at most, so what is done under them gets a connection; a pool of one is refused."""
    rows = [
        LockableRow(
            name=name,
            select=f"SELECT 1 FROM leases WHERE name = '{name}' FOR UPDATE SKIP LOCKED",  # noqa: S608
            insert=f"INSERT INTO leases (name) VALUES ('{name}') ON CONFLICT DO NOTHING",  # noqa: S608
        )
        for name in "abcdefghij"
    ]
    database = await Database.connect(database_dsn, routes=queues_of, min_size=1, max_size=2)

    async def work(row: LockableRow) -> None:
        async with database.locked(row) as lock:
            await asyncio.sleep(0)
            async with database.transaction(lock) as tx:
                await tx.execute("SELECT 1")

    async with asyncio.timeout(DEADLINE):
        await asyncio.gather(*(work(row) for row in rows))
    await database.close()
    single = await Database.connect(database_dsn, routes=queues_of, min_size=1, max_size=1)
    with pytest.raises(RuntimeError, match="two connections"):
        async with single.locked(RELAY):
            raise AssertionError
    await single.close()


async def test_waiting_for_a_lock_has_an_end(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock that is not free for long is an outage, like a statement that is not answered."""
    monkeypatch.setattr("storage.postgres.row_locks.COMMAND_TIMEOUT", 0.1)
    async with database.locked(RELAY):
        with pytest.raises(UnavailableError, match="lock of the relay"):
            async with database.locked(RELAY):
                raise AssertionError
    async with database.locked(RELAY):
        assert await database.fetchval("SELECT 1") == 1


async def test_only_lent_connections_are_reset(database_dsn: str) -> None:
    """A lent connection loses its session state on return; other uses cost no round trip for a reset."""
    database = await Database.connect(database_dsn, routes=queues_of, min_size=1, max_size=1)
    async with database.connection() as connection:
        await connection.execute("SET application_name = 'changed'")
    assert await database.fetchval("SHOW application_name") != "changed"
    statements: list[str] = []
    async with database.connection() as connection:
        connection.add_query_logger(lambda record: statements.append(record.query))
    async with database.transaction() as tx:
        await tx.fetchval("SELECT 1")
    assert await database.fetchval("SELECT 2") == 2
    assert statements[1:] == ["BEGIN", "SELECT 1", "COMMIT", "SELECT 2"]
    await database.close()


async def test_relay_gets_each_event_once(database_dsn: str) -> None:
    """With RabbitMQ there is one row for each event, for the relay."""
    database = await Database.connect(database_dsn, routes=relay_of, min_size=1, max_size=2)
    async with database.transaction() as tx:
        tx.emit(UserChanged(user_id=1))
    assert [row["queue"] for row in await database.fetch("SELECT queue FROM outbox")] == ["relay"]
    await database.close()


async def test_rolled_back_events_are_gone(database: Database) -> None:
    """A transaction that fails leaves neither rows nor events."""

    async def fail() -> None:
        async with database.transaction() as tx:
            await users.create(tx, username="ann", email="a@example.org", password_hash="", display_name="")
            tx.emit(UserChanged(user_id=1))
            raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        await fail()
    assert await database.fetchval("SELECT count(*) FROM outbox") == 0
    assert await database.fetchval("SELECT count(*) FROM users") == 0


async def test_cancelled_transaction_rolls_back(database: Database) -> None:
    """A cancelled transaction leaves nothing, and its connection can be used again."""
    inside = asyncio.Event()

    async def work() -> None:
        async with database.transaction() as tx:
            await tx.execute("INSERT INTO dead_letters SELECT FROM dead_letters")
            tx.emit(UserChanged(user_id=1))
            inside.set()
            await tx.fetchval("SELECT pg_sleep(60)::text")

    task = asyncio.create_task(work())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await database.fetchval("SELECT count(*) FROM outbox") == 0


async def test_a_transaction_that_is_cancelled_while_it_opens(database: Database) -> None:
    """Its connection is not used again, and nothing is reported as a defect."""
    reported: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))

    async def work() -> None:
        async with database.transaction():
            pass

    for ticks in range(12):
        task = asyncio.create_task(work())
        for _ in range(ticks):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
    assert await database.fetchval("SELECT 1") == 1
    assert reported == []


async def test_wakeup_follows_the_commit(database: Database, database_dsn: str) -> None:
    """A listener is notified of each queue once the rows are visible."""
    notified: list[object] = []
    listener = await asyncpg.connect(database_dsn)
    await listener.add_listener(outbox.CHANNEL, lambda *args: notified.append(args[3]))
    async with database.transaction() as tx:
        tx.emit(PhotoReady(photo_id=1, author_id=2))
        assert notified == []
    queues = sorted(queues_of("photo.ready"))
    await eventually(lambda: sorted(map(str, notified)) == queues)
    async with database.transaction() as tx:
        await tx.fetchval("SELECT 1")
    await listener.execute(f"NOTIFY {outbox.CHANNEL}, 'end'")
    await eventually(lambda: notified[-1] == "end")
    assert sorted(map(str, notified[:-1])) == queues
    await listener.close()


async def test_lost_server_is_an_outage(database: Database, database_dsn: str) -> None:
    """A terminated connection is an outage, and the next call succeeds."""

    async def cut() -> None:
        async with database.transaction() as tx:
            mine = await tx.fetchval("SELECT pg_backend_pid()")
            killer = await asyncpg.connect(database_dsn)
            await killer.execute("SELECT pg_terminate_backend($1)", mine)
            await killer.close()
            await tx.fetchval("SELECT 1")

    with pytest.raises(UnavailableError):
        await cut()
    assert await eventually(lambda: database.fetchval("SELECT 1")) == 1


async def test_a_read_is_repeated_when_its_connection_is_lost(database: Database, database_dsn: str) -> None:
    """The caller does not notice; a transaction is not repeated, and its error says that the connection was lost."""
    admin, observer = await asyncpg.connect(database_dsn), await asyncpg.connect(database_dsn)
    # By a connection without a transaction: inside one, pg_stat_activity stays as it was first read.
    waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'advisory' AND datname = current_database()"
    blocked = "SELECT 7 FROM (SELECT pg_advisory_xact_lock(1)) AS held"

    async def in_transaction() -> object:
        async with database.transaction() as tx:
            return await tx.fetchval(blocked)

    async with admin.transaction():
        await admin.execute("SELECT pg_advisory_xact_lock(1)")
        reads = [asyncio.create_task(database.fetchval(blocked)), asyncio.create_task(in_transaction())]
        pids = await eventually(lambda: _when(observer.fetch(waiting), 2))
        for row in pids:
            await admin.execute("SELECT pg_terminate_backend($1)", row["pid"])
        with pytest.raises(ConnectionLostError):
            await reads[1]
    assert await reads[0] == 7
    await admin.close()
    await observer.close()


async def _when(rows: Awaitable[list[asyncpg.Record]], count: int) -> list[asyncpg.Record]:
    found = await rows
    return found if len(found) == count else []


async def test_deadlock_is_an_outage_to_try_again(database: Database) -> None:
    """Of two transactions that wait for each other one succeeds, and the other one is an outage that a retry solves."""
    one, other = await new_users(database, "ann", "ben")
    both = asyncio.Barrier(2)

    async def touch(first: int, second: int) -> None:
        async with database.transaction() as tx:
            await tx.execute("SELECT FROM users WHERE id = $1 FOR UPDATE", first)
            await both.wait()
            await tx.execute("SELECT FROM users WHERE id = $1 FOR UPDATE", second)

    outcomes = await asyncio.gather(touch(one.id, other.id), touch(other.id, one.id), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes if outcome is not None] == [UnavailableError]


async def test_migration_under_a_running_process(database: Database) -> None:
    """A schema that changes between two runs of a query costs at most one retry."""

    async def read() -> list[str]:
        async with database.transaction() as tx:
            return [str(row["kind"]) for row in await tx.fetch("SELECT * FROM notifications")]

    await read()
    async with database.transaction() as tx:
        await tx.execute("ALTER TABLE notifications ADD COLUMN mood text")
    with pytest.raises(UnavailableError):
        await read()
    assert await read() == []


async def test_dangling_reference_is_a_conflict(database: Database) -> None:
    """A row that refers to a missing one is a conflict."""
    with pytest.raises(ConflictError):
        async with database.transaction() as tx:
            await tx.execute("INSERT INTO mutes (shard, owner_id, other_id, outgoing) VALUES (1, 1, 2, true)")


async def test_another_id_replaces_a_taken_one(database: Database) -> None:
    """An insertion with a taken id is repeated with another one."""
    ann = await new_user(database, "ann")
    follow = Activity(recipient_id=ann.id, kind=NotificationKind.FOLLOW, actor_id=1, source_id=1)

    class Draws(IdGenerator):
        drawn = iter([ann.id, ann.id, ann.id, ann.id + SHARDS])

        def new(self, shard: int) -> int:
            return next(self.drawn)

    async with database.connection() as connection, connection.transaction():
        tx = Transaction(connection, Draws())
        for _ in range(2):
            await waiting_activities.add(tx, operation="record", activity=follow)
    stored = await waiting_activities.first(database, ann.id, limit=9)
    assert [row["id"] for row in stored] == [ann.id, ann.id + SHARDS]


async def test_nobody_answers(tmp_path: object) -> None:
    """A missing server is an outage."""
    with pytest.raises(UnavailableError):
        await Database.connect(f"postgresql:///picshare?host={tmp_path}&user=picshare", routes=queues_of)


async def test_connections_to_a_read_only_server_are_replaced(database_dsn: str) -> None:
    """After a refused write the pool connects again, so it finds a server that accepts writes; claims do as well."""
    admin = await asyncpg.connect(database_dsn)
    name = await admin.fetchval("SELECT current_database()")
    # The setting applies to sessions that begin later, as a standby behind the same address would.
    await admin.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    database = await Database.connect(database_dsn, routes=queues_of, min_size=2, max_size=4)
    claims = await ClaimConnection.open(database)
    with pytest.raises(UnavailableError, match="read-only"):
        await database.check_writable()
    with pytest.raises(UnavailableError, match="read-only"):
        async with database.transaction() as tx:
            tx.emit(UserChanged(user_id=1))
    with pytest.raises(UnavailableError, match="read-only"):
        await claims.claim("notify")
    await claims.close()
    await admin.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")

    async def writes() -> bool:
        try:
            await database.check_writable()
            async with database.transaction() as tx:
                tx.emit(UserChanged(user_id=1))
        except UnavailableError as error:
            raise AssertionError(str(error)) from error
        return True

    await eventually(writes)
    await database.close()
    await admin.close()


async def test_claims_alone_leave_a_read_only_server(database_dsn: str) -> None:
    """A pool that is used for claims only is renewed, too."""
    admin = await asyncpg.connect(database_dsn)
    name = await admin.fetchval("SELECT current_database()")
    await admin.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    database = await Database.connect(database_dsn, routes=queues_of, min_size=1, max_size=1)
    await admin.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    claims = await ClaimConnection.open(database)
    with pytest.raises(UnavailableError, match="read-only"):
        await claims.claim("notify")
    await claims.close()
    claims = await ClaimConnection.open(database)
    assert await claims.claim("notify") is None
    await claims.close()
    await database.close()
    await admin.close()


async def test_proof_of_a_write_changes_nothing(database: Database) -> None:
    """The check succeeds on a writable server and deletes no row."""
    async with database.transaction() as tx:
        tx.emit(UserChanged(user_id=1))
    rows = await database.fetchval("SELECT count(*) FROM outbox")
    await database.check_writable()
    assert rows == await database.fetchval("SELECT count(*) FROM outbox") > 0
