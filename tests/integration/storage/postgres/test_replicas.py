"""A primary and a standby that answers reads: no user misses an own write, and only a good replica gets reads."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from server.administration.replica_check import inspect_replica
from server.administration.replication_check import inspect_connections, inspect_replication
from server.config.settings import Settings
from storage.errors import UnavailableError
from storage.models import User
from storage.postgres.database import Database, Queryable
from storage.postgres.migrate import migrate
from storage.postgres.primary_server import PrimaryServer
from storage.postgres.wal_position import START
from storage.stores.accounts import account_fields, users
from tests.engines.postgres_pair import PostgresPair, postgres_pair
from tests.support.community import new_user, new_users
from tests.support.eventually import PROMPTLY, eventually
from tests.support.replicated import MemoryPositions, Replicated, replicated
from tests.support.tcp_proxy import TcpProxy
from workers.broker.routing import queues_of

pytestmark = [pytest.mark.engines, pytest.mark.asyncio(loop_scope="module")]

_names = itertools.count(1)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pair(engines_dir: Path) -> AsyncIterator[PostgresPair]:
    """A migrated primary and its standby."""
    async with postgres_pair(engines_dir / "replicas") as pair:
        await migrate(pair.primary.url)
        yield pair


@pytest.fixture
def kept() -> MemoryPositions:
    """Positions of users in memory."""
    return MemoryPositions()


@pytest_asyncio.fixture(loop_scope="module")
async def scene(pair: PostgresPair, kept: MemoryPositions) -> AsyncIterator[Replicated]:
    """The database with its standby as a replica, which is used although it lags for the length of a test."""
    async with replicated(pair.url, [pair.standby.url], kept) as scene:
        await scene.in_use()
        yield scene
        await pair.standby.resume_replay()


@pytest.fixture
def name() -> Iterator[str]:
    """A username that no other test has."""
    return (f"user{number}" for number in _names)


async def _rename(scene: Replicated, user: User, display_name: str) -> None:
    """Change a name as a request of the user does: the position is kept after the commit."""
    async with scene.database.transaction() as tx:
        await account_fields.update(tx, user.id, display_name=display_name)
    await scene.reads.keep_position(user.id)


async def _name_of(scene: Replicated, user: User, viewer: User | None = None) -> str:
    """Return a user's name as a viewer reads it, by default the user."""

    async def read(db: Queryable) -> str:
        return (await users.get(db, user.id)).display_name

    return await scene.reads.read((viewer or user).id, read)


async def test_a_user_s_own_write_is_read_and_others_may_read_the_replica(
    pair: PostgresPair, scene: Replicated, name: Iterator[str]
) -> None:
    """Only the writer has to wait for the replica; once it has the write, it answers the writer as well."""
    ann, ben = await new_users(scene.database, next(name), next(name))
    await scene.caught_up()
    await pair.standby.pause_replay()
    await _rename(scene, ann, "New")
    assert await _name_of(scene, ann) == "New"
    assert scene.counted.take() == {"primary": 1}
    assert await _name_of(scene, ann, viewer=ben) == ann.display_name
    assert scene.counted.take() == {"replica": 1}
    await pair.standby.resume_replay()
    await scene.caught_up()
    assert await _name_of(scene, ann) == "New"
    assert scene.counted.take() == {"replica": 1}


async def test_a_position_from_before_the_commit_does_not_cover_it(
    pair: PostgresPair, scene: Replicated, name: Iterator[str]
) -> None:
    """A standby can have replayed a transaction's writes and not its commit, so the position is read after that."""
    ann, ben = await new_users(scene.database, next(name), next(name))
    async with scene.database.transaction() as tx:
        await account_fields.update(tx, ann.id, display_name="New")
        before = await scene.replicas.position()
        # Another commit puts the log on the disk, so that the standby receives it.
        await _rename(scene, ben, "Flush")
        await scene.in_use(before)
        await pair.standby.pause_replay()
    after = await scene.replicas.position()
    replica = scene.replicas.choose(before)
    assert replica is not None
    assert (await users.get(replica, ann.id)).display_name == ann.display_name
    assert scene.replicas.choose(after) is None


async def test_what_a_replica_does_not_find_is_looked_up_on_the_primary(
    pair: PostgresPair, scene: Replicated, name: Iterator[str]
) -> None:
    """A viewer may have the id from a live message that was faster than the replica."""
    ben = await new_user(scene.database, next(name))
    await scene.caught_up()
    await pair.standby.pause_replay()
    ann = await new_user(scene.database, next(name))
    scene.counted.take()
    assert await _name_of(scene, ann, viewer=ben) == ann.display_name
    assert scene.counted.take() == {"primary": 1}


async def test_a_replica_without_the_newest_migration_is_no_error(pair: PostgresPair, scene: Replicated) -> None:
    """A statement about a table that the replica lacks is repeated on the primary."""
    await scene.caught_up()
    await pair.standby.pause_replay()
    await pair.primary.execute("CREATE TABLE newest AS SELECT 1 AS one")

    async def read(db: Queryable) -> object:
        return await db.fetchval("SELECT one FROM newest")

    assert await scene.reads.read(None, read) == 1
    assert scene.counted.take() == {"primary": 1}


async def test_a_write_is_refused_on_a_replica_and_repeated_on_the_primary(
    scene: Replicated, name: Iterator[str]
) -> None:
    """A statement that a replica cannot carry out is no error of the request."""
    ann = await new_user(scene.database, next(name))
    await scene.caught_up()
    scene.counted.take()

    async def touch(db: Queryable) -> None:
        await users.touch(db, ann.id)

    await scene.reads.read(ann.id, touch)
    assert scene.counted.take() == {"primary": 1}


@pytest.mark.parametrize("seed", range(2))
async def test_no_user_misses_an_own_write(
    pair: PostgresPair, scene: Replicated, name: Iterator[str], seed: int
) -> None:
    """Whatever several users write and read while a replica lags, each reads what it has written last."""
    chance = random.Random(seed)
    people = await new_users(scene.database, *itertools.islice(name, 4))
    latest = {user.id: user.display_name for user in people}
    await scene.caught_up()
    scene.counted.take()
    for step in range(60):
        user = chance.choice(people)
        match chance.choice(["write", "write", "read", "read", "read", "read", "pause", "resume", "catch up"]):
            case "write":
                latest[user.id] = f"{step}"
                await _rename(scene, user, latest[user.id])
            case "read":
                assert await _name_of(scene, user) == latest[user.id], step
            case "pause":
                await pair.standby.pause_replay()
            case "resume":
                await pair.standby.resume_replay()
            case "catch up":
                await pair.standby.resume_replay()
                await scene.caught_up()
    assert set(scene.counted.servers) == {"primary", "replica"}


async def test_a_replica_that_lags_is_left_until_it_has_caught_up(pair: PostgresPair, kept: MemoryPositions) -> None:
    """Beyond the limit it gets no reads, also of users who wrote nothing; it returns by itself."""
    async with replicated(pair.url, [pair.standby.url], kept, max_lag=0.3) as scene:
        await scene.in_use()
        await pair.standby.pause_replay()
        await new_user(scene.database, f"lag{next(_names)}")
        await scene.not_in_use()
        await eventually(lambda: scene.counted.in_use == {pair.standby.place: False})
        assert scene.counted.lags[pair.standby.place] > 0.3
        await pair.standby.resume_replay()
        await scene.in_use()


async def test_a_primary_without_writes_makes_no_replica_lag(pair: PostgresPair, kept: MemoryPositions) -> None:
    """A replica that has everything is used for as long as nothing is written, also with its replay paused."""
    async with replicated(pair.url, [pair.standby.url], kept, max_lag=0.2) as scene:
        await scene.caught_up()
        await pair.standby.pause_replay()
        for _ in range(20):
            assert scene.replicas.choose(START) is not None
            await asyncio.sleep(0.02)
        await pair.standby.resume_replay()


async def test_reads_go_on_while_a_replica_is_killed_and_returns(
    pair: PostgresPair, scene: Replicated, name: Iterator[str]
) -> None:
    """Each read is answered, those in progress by the primary; after its restart the replica is used again."""
    ann = await new_user(scene.database, next(name))
    await scene.caught_up()

    async def slow(db: Queryable) -> str:
        await db.fetchval("SELECT CASE WHEN pg_is_in_recovery() THEN pg_sleep(20)::text END")
        return (await users.get(db, ann.id)).display_name

    readers = [asyncio.create_task(scene.reads.read(None, slow)) for _ in range(4)]
    sleeping = "SELECT count(*) = 4 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
    await eventually(lambda: pair.standby.fetchval(sleeping))
    await pair.standby.crash()
    assert await asyncio.gather(*readers) == [ann.display_name] * 4
    assert scene.counted.repeated == 4
    await scene.not_in_use()
    assert await _name_of(scene, ann) == ann.display_name
    await pair.standby.start()
    await scene.caught_up()
    scene.counted.take()
    assert await _name_of(scene, ann) == ann.display_name
    assert scene.counted.take() == {"replica": 1}


async def test_reads_leave_a_replica_that_is_silent(pair: PostgresPair, scene: Replicated, name: Iterator[str]) -> None:
    """A frozen replica answers nothing: what waits for it is repeated within two seconds or so."""
    ann = await new_user(scene.database, next(name))
    await scene.caught_up()
    await _name_of(scene, ann)  # opens a connection
    pair.standby.freeze()
    async with asyncio.timeout(PROMPTLY):
        assert await _name_of(scene, ann) == ann.display_name
        await scene.not_in_use()
    pair.standby.thaw()
    await scene.in_use()


async def test_the_doctor_describes_each_replica(pair: PostgresPair, postgres_dsn: str) -> None:
    """One that is good, one that lags, a server of another cluster, and the primary itself."""
    settings = Settings().with_values("database", url=pair.primary.url, replica_max_lag=0.3)

    async def detail(url: str) -> tuple[str, bool]:
        finding = await inspect_replica(url, settings)
        return finding.detail, finding.ok

    assert await detail(pair.primary.url) == (
        f"{pair.primary.place} is the primary at present and gets no reads as a replica",
        True,
    )
    text, good = await detail(pair.standby.url)
    assert (text.startswith(f"{pair.standby.place}, a standby that replays within "), good) == (True, True)
    text, good = await detail(postgres_dsn)
    assert ("another database cluster" in text, good) == (True, False)
    await pair.standby.pause_replay()
    await pair.primary.execute("CREATE TABLE lag ()")
    assert await detail(pair.standby.url) == (f"{pair.standby.place} lags 0.3 s or more and gets no reads", False)
    await pair.standby.resume_replay()


async def test_the_doctor_describes_the_replication(pair: PostgresPair, postgres_dsn: str) -> None:
    """What a lost server costs, for a primary with one standby that each commit waits for, and for a single server."""
    both = Settings().with_values("database", url=pair.url)
    finding = await inspect_replication(both)
    assert finding.detail == "1 standbys connected, synchronous_commit on"
    assert "Writes wait when a standby is lost" in finding.warning
    assert "fsync is off" in (await inspect_replication(Settings().with_values("database", url=postgres_dsn))).warning
    connections = await inspect_connections(both)
    assert connections.ok
    assert "of 97 connections in use, enough for 6 processes" in connections.detail


async def test_an_address_that_leads_to_another_server_is_not_read_from(
    pair: PostgresPair, name: Iterator[str]
) -> None:
    """Behind a load balancer the position of one server says nothing about the next connection."""
    async with (
        TcpProxy.to(pair.standby.port) as proxy,
        replicated(pair.url, [proxy.address(pair.standby.url)], MemoryPositions()) as scene,
    ):
        ann = await new_user(scene.database, next(name))
        await scene.caught_up()
        proxy.redirect_to(pair.primary.port)
        assert await _name_of(scene, ann) == ann.display_name
        assert (scene.counted.repeated, scene.counted.take()) == (1, {"primary": 1})


async def test_a_primary_that_became_read_only_reports_no_position(pair: PostgresPair) -> None:
    """Its log has ended, and what is written meanwhile goes to another server."""
    primary = await PrimaryServer.open(pair.primary.url)

    async def reports() -> bool:
        try:
            await primary.status()
        except UnavailableError:
            return False
        return True

    async def refuses() -> bool:
        return not await reports()

    assert await reports()
    for value, expected in (("on", refuses), ("off", reports)):
        await pair.primary.execute(f"ALTER SYSTEM SET default_transaction_read_only = {value}")
        await pair.primary.execute("SELECT pg_reload_conf()")
        await eventually(expected)
    await primary.close()


async def test_the_primary_and_another_cluster_are_no_replicas(pair: PostgresPair, postgres_dsn: str) -> None:
    """A server that is listed by mistake, or that was promoted, gets no reads."""
    async with replicated(pair.url, [pair.primary.url, postgres_dsn], MemoryPositions()) as scene:
        await eventually(lambda: len(scene.counted.in_use) == 2)
        await eventually(lambda: scene.replicas.choose(START) is None)
        assert set(scene.counted.in_use.values()) == {False}


@pytest.mark.parametrize(("mode", "end"), [("on", "flush"), ("off", "insert")])
async def test_a_position_covers_what_was_committed_before(pair: PostgresPair, mode: str, end: str) -> None:
    """Also where commits do not wait until they are on disk."""
    await pair.primary.execute(f"ALTER DATABASE picshare SET synchronous_commit = {mode}")
    primary = await PrimaryServer.open(pair.primary.url)
    database = await Database.connect(pair.primary.url, routes=queues_of, min_size=1, max_size=4)

    async def write_and_ask() -> bool:
        await new_user(database, f"{mode}{next(_names)}")
        written = await pair.primary.fetchval(f"SELECT pg_wal_lsn_diff(pg_current_wal_{end}_lsn(), '0/0')::bigint")
        assert isinstance(written, int)
        return (await primary.status()).position.lsn >= written

    assert all(await asyncio.gather(*(write_and_ask() for _ in range(20))))
    await database.close()
    await primary.close()
    await pair.primary.execute("ALTER DATABASE picshare RESET synchronous_commit")


async def test_a_promoted_replica_is_left(pair: PostgresPair, scene: Replicated, name: Iterator[str]) -> None:
    """After a failover to it writes and reads go there as to the primary, and none as to a replica."""
    ann = await new_user(scene.database, next(name))
    await scene.caught_up()
    await pair.primary.crash()
    await pair.standby.promote()
    await scene.not_in_use()

    async def renamed() -> bool:
        try:
            await _rename(scene, ann, "New")
        except UnavailableError:
            return False
        return True

    await eventually(renamed)
    assert await _name_of(scene, ann) == "New"
    await pair.rebuild()
    # The old primary is a standby of the new one now, on its timeline.
    async with replicated(pair.url, [pair.standby.url], MemoryPositions()) as after:
        await after.caught_up()
        assert await _name_of(after, ann) == "New"
        assert after.counted.take() == {"replica": 1}
