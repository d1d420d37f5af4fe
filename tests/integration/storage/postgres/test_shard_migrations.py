"""Migrations 0009 to 0013 take over an installation of the version before without losing or inventing a row."""

from __future__ import annotations

import asyncio
import itertools
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from storage.errors import ConflictError, ConnectionLostError
from storage.postgres.database import Database
from storage.postgres.migrate import migrate
from storage.stores.accounts import email_addresses, users
from storage.stores.credentials import sessions
from storage.stores.notifications import notifications
from storage.stores.photos import photo_lists
from storage.stores.social import relations
from tests.support import unsharded_installation
from tests.support.community import new_user
from tests.support.eventually import eventually
from tests.support.unsharded_installation import SHARDED, actual, expected, migrations_until
from workers.broker.routing import queues_of

pytestmark = pytest.mark.engines

USERS = 4000  # more than one batch of pages of each large table
FEW = 30
_numbers = itertools.count(1)


@pytest.fixture
async def dsn(postgres_dsn: str) -> AsyncIterator[str]:
    """The DSN of an empty database."""
    name = f"unsharded_{next(_numbers)}"
    admin = await asyncpg.connect(postgres_dsn)
    await admin.execute(f"CREATE DATABASE {name}")
    yield postgres_dsn.replace("/picshare?", f"/{name}?")
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


@pytest.fixture
async def database_of(dsn: str) -> AsyncIterator[Callable[[], Awaitable[Database]]]:
    """Open the migrated database for the stores."""
    async with AsyncExitStack() as stack:

        async def open_it() -> Database:
            database = await Database.connect(dsn, routes=queues_of, min_size=1, max_size=2)
            stack.push_async_callback(database.close)
            return database

        yield open_it


@pytest.fixture
async def session(dsn: str) -> AsyncIterator[Any]:
    """A connection to the database."""
    connection = await asyncpg.connect(dsn)
    yield connection
    await connection.close()


def differences(found: Any, wanted: Any) -> dict[str, Any]:
    """Return for each table that differs the numbers of rows, and the first rows that only one side has."""
    return {
        table: (
            len(found[table]),
            len(wanted[table]),
            *(
                sorted(set(map(repr, a)) - set(map(repr, b)))[:2]
                for a, b in ((found[table], wanted[table]), (wanted[table], found[table]))
            ),
        )
        for table in wanted
        if found[table] != wanted[table]
    }


async def left_for_the_stop(session: Any, wanted: Any) -> list[str]:
    """Return the tables that the batches have not filled, which 0011 would do while no process runs."""
    before = {"blocks": "block_sides", "mutes": "mute_sides"}
    left = []
    for table in wanted:
        rows = await session.fetch(f"TABLE {before.get(table, table)}")
        if len(rows) != len(wanted[table]) or (table in SHARDED and any(row["shard"] is None for row in rows)):
            left.append(table)
    return left


async def test_every_row_is_taken_over(dsn: str, session: Any, tmp_path: Path) -> None:
    """Each table has the same rows as before, with their shard; edges are on both sides, and names in their tables."""
    await unsharded_installation.create(dsn, tmp_path, users=USERS)
    wanted = await expected(session)
    assert min(map(len, wanted.values())) > 0
    pages = "SELECT min(pg_relation_size(t::regclass) / 8192) FROM unnest($1::text[]) AS t"
    assert await session.fetchval(pages, ["users", "photos", "likes", "follows", "notification_actors"]) > 100
    await migrate(dsn, folder=migrations_until(tmp_path, "0010"))
    assert await left_for_the_stop(session, wanted) == []
    await migrate(dsn, folder=migrations_until(tmp_path, "0013"))
    assert differences(await actual(session), wanted) == {}


OLD_WRITES = """
DELETE FROM follows WHERE follower_id IN (SELECT id FROM users WHERE id >> 10 = 3);
DELETE FROM follows WHERE follower_id IN (SELECT id FROM users WHERE id >> 10 = 4);
INSERT INTO follows SELECT a.id, b.id, now() FROM users a, users b WHERE a.id >> 10 = 4 AND b.id >> 10 IN (5, 20);
DELETE FROM blocks WHERE blocker_id >> 10 < 9;
INSERT INTO blocks SELECT a.id, b.id, now() FROM users a, users b WHERE a.id >> 10 = 5 AND b.id >> 10 IN (10, 21);
DELETE FROM mutes WHERE muter_id >> 10 IN (1, 2);
INSERT INTO mutes SELECT a.id, b.id, now() FROM users a, users b WHERE a.id >> 10 = 1 AND b.id >> 10 = 8;
INSERT INTO users (id, username, email, password_hash, display_name) VALUES
    ((99 << 10) | 7, 'NewCOMER', 'New@x.org', '-', 'New'), ((98 << 10) | 7, 'again', 'a@x.org', '-', 'A');
UPDATE users SET deleted_at = now(), email = '' WHERE username = 'user_7';
INSERT INTO users (id, username, email, password_hash, display_name)
VALUES ((97 << 10) | 1, 'USER_7', '7@x.org', '-', '7');
UPDATE users SET username = 'USER_8', email = 'USER8@example.org' WHERE username = 'user_8';
UPDATE users SET username = 'swap' WHERE username = 'user_12';
UPDATE users SET username = 'user_12' WHERE username = 'user_13';
UPDATE users SET username = 'user_13' WHERE username = 'swap';
INSERT INTO sessions (id, user_id) VALUES ('00000000-0000-0000-0000-000000000001', (99 << 10) | 7);
INSERT INTO refresh_tokens VALUES ('\\x01', '00000000-0000-0000-0000-000000000001', now());
DELETE FROM sessions WHERE revoked_at IS NOT NULL AND user_id >> 10 < 5;
INSERT INTO photos (id, author_id, sha256, content_type, bytes, width, height)
VALUES ((2000000::bigint << 10) | 7, (99 << 10) | 7, repeat('a', 64), 'image/png', 1, 1, 1);
INSERT INTO photo_tags (tag, photo_id) VALUES ('new', (2000000::bigint << 10) | 7);
INSERT INTO photo_exif (photo_id, exif) VALUES ((2000000::bigint << 10) | 7, '{}');
INSERT INTO likes (photo_id, user_id, version) VALUES ((2000000::bigint << 10) | 7, (98 << 10) | 7, 1);
DELETE FROM likes WHERE user_id >> 10 = 6;
INSERT INTO comments (id, photo_id, author_id, author_username, author_name, text)
VALUES ((2000001::bigint << 10) | 7, (2000000::bigint << 10) | 7, (98 << 10) | 7, 'again', 'A', 'hi');
INSERT INTO notifications (id, user_id, kind, position)
VALUES ((2000002::bigint << 10) | 7, (99 << 10) | 7, 'follow', 1);
INSERT INTO notification_actors (notification_id, actor_id, source_id)
VALUES ((2000002::bigint << 10) | 7, (98 << 10) | 7, (98 << 10) | 7);
INSERT INTO follow_requests (follower_id, followee_id) VALUES ((98 << 10) | 7, (99 << 10) | 7);
INSERT INTO waiting_activities (recipient_id, operation, kind, source_id)
VALUES ((99 << 10) | 7, 'record', 'follow', 1);
INSERT INTO idempotency_keys (user_id, key, fingerprint, status, response) VALUES ((99 << 10) | 7, 'k', 'f', 200, '');
INSERT INTO outbox (queue, event_id, topic, key, body) VALUES ('media', gen_random_uuid(), 't', 'k', 'b');
DELETE FROM outbox WHERE id < 5;
INSERT INTO dead_letters (id, queue, event_id, topic, key, body, attempts, last_error, created_at)
VALUES (1, 'media', gen_random_uuid(), 't', 'k', 'b', 1, 'e', now());
INSERT INTO contents (sha256, size, content_type) VALUES (repeat('a', 64), 1, 'image/png');
INSERT INTO content_leases (sha256, expires_at) VALUES (repeat('a', 64), now());
"""


async def test_what_old_processes_write_meanwhile_is_taken_over(dsn: str, session: Any, tmp_path: Path) -> None:
    """Rows inserted, deleted, or both, after the batches have passed them, are as if they had been there before."""
    await unsharded_installation.create(dsn, tmp_path, users=FEW)
    await migrate(dsn, folder=migrations_until(tmp_path, "0010"))
    await session.execute(OLD_WRITES)
    wanted = await expected(session)
    await migrate(dsn, folder=migrations_until(tmp_path, "0013"))
    assert differences(await actual(session), wanted) == {}


async def test_new_processes_write_where_old_rows_are(dsn: str, session: Any, tmp_path: Path) -> None:
    """The next ids do not come from the database any more, and keys are unique as before."""
    await unsharded_installation.create(dsn, tmp_path, users=FEW)
    await migrate(dsn)
    for sql in (
        "INSERT INTO usernames VALUES ('USER_2', 1)",
        "INSERT INTO emails VALUES ('user2@example.org', 1)",
        "INSERT INTO outbox SELECT * FROM outbox LIMIT 1",
        "INSERT INTO likes SELECT * FROM likes LIMIT 1",
        "INSERT INTO blocks SELECT * FROM blocks LIMIT 1",
    ):
        with pytest.raises(asyncpg.UniqueViolationError):
            await session.execute(sql)
    with pytest.raises(asyncpg.NotNullViolationError):
        await session.execute("INSERT INTO content_leases (sha256, expires_at) SELECT sha256, now() FROM contents")
    with pytest.raises(asyncpg.CheckViolationError):
        await session.execute("UPDATE photos SET shard = shard + 1")


# Entries of which an actor is still there.
_INBOX = """
    SELECT id FROM notifications n WHERE user_id = $1 AND deleted_at IS NULL
      AND EXISTS (SELECT FROM users u WHERE u.id = ANY(n.newest_actors) AND u.deleted_at IS NULL)
    ORDER BY position DESC"""
_HOME = """
    SELECT p.id FROM photos p JOIN users a ON a.id = p.author_id
    WHERE (a.id = $1 OR EXISTS (SELECT 1 FROM follows WHERE follower_id = $1 AND followee_id = a.id))
        AND p.state = 'ready' AND p.deleted_at IS NULL AND a.deleted_at IS NULL
        AND NOT EXISTS (SELECT 1 FROM mutes WHERE muter_id = $1 AND muted_id = a.id)
        AND NOT EXISTS (SELECT 1 FROM blocks WHERE blocker_id = $1 AND blocked_id = a.id)
        AND NOT EXISTS (SELECT 1 FROM blocks WHERE blocker_id = a.id AND blocked_id = $1)
    ORDER BY p.id DESC"""


async def test_the_stores_find_what_was_there(
    dsn: str, session: Any, tmp_path: Path, database_of: Callable[[], Awaitable[Database]]
) -> None:
    """Users sign in by their old names and tokens, in any case, and find their feeds, relations and inboxes."""
    await unsharded_installation.create(dsn, tmp_path, users=FEW)
    accounts = await session.fetch("SELECT * FROM users WHERE deleted_at IS NULL ORDER BY id")
    homes = {row["id"]: [p["id"] for p in await session.fetch(_HOME, row["id"])] for row in accounts}
    inboxes = {row["id"]: [n["id"] for n in await session.fetch(_INBOX, row["id"])] for row in accounts}
    assert any(inboxes.values())
    tokens = await session.fetch(
        "SELECT token_sha256, user_id FROM refresh_tokens t JOIN sessions s ON s.id = session_id"
    )
    follows = await session.fetch("SELECT follower_id, followee_id FROM follows")
    await migrate(dsn)
    database = await database_of()
    for row in accounts:
        found = await users.credentials(database, row["username"].swapcase())
        assert found is not None
        assert (found[0].id, found[0].username, found[1]) == (row["id"], row["username"], row["password_hash"])
        assert await email_addresses.holders(database, row["email"].upper()) == (row["id"], None)
        assert await photo_lists.home_ids(database, row["id"], before=None, limit=99) == homes[row["id"]]
        entries = await notifications.inbox(database, row["id"], before=None, limit=99)
        assert [entry.id for entry in entries] == inboxes[row["id"]]
    assert any(homes.values())
    for row in tokens:
        assert await sessions.shard_of_token(database, row["token_sha256"]) == row["user_id"] & 1023
    for row in follows:
        assert (await relations.relation(database, row["follower_id"], row["followee_id"])).following
    assert await users.credentials(database, "user_1") is None  # its account is deleted
    with pytest.raises(ConflictError):
        await new_user(database, "user_2")
    await new_user(database, "user_1")


async def test_an_interrupted_batch_is_repeated(dsn: str, session: Any, tmp_path: Path) -> None:
    """A session that ends in the middle of the batches leaves those that are committed, and the next run goes on."""
    await unsharded_installation.create(dsn, tmp_path, users=FEW)
    wanted = await expected(session)
    await migrate(dsn, folder=migrations_until(tmp_path, "0009"))
    reader = await asyncpg.connect(dsn)
    async with reader.transaction():
        await reader.execute("SELECT 1 FROM dead_letters LIMIT 1 FOR UPDATE")
        migrating = asyncio.create_task(migrate(dsn, folder=migrations_until(tmp_path, "0013")))
        pid = await eventually(
            lambda: session.fetchval(
                "SELECT pid FROM pg_stat_activity WHERE query LIKE '-- no-transaction%' AND wait_event_type = 'Lock'"
            )
        )
        await session.execute("SELECT pg_terminate_backend($1)", pid)
        with pytest.raises(ConnectionLostError):
            await migrating
    await reader.close()
    assert await session.fetchval("SELECT count(*) FROM users WHERE shard IS NULL") == 0
    assert await session.fetchval("SELECT count(*) FROM dead_letters WHERE shard IS NULL") == 1
    assert await session.fetchval("SELECT count(*) FROM usernames") == 0
    await migrate(dsn, folder=migrations_until(tmp_path, "0013"))
    assert differences(await actual(session), wanted) == {}


async def test_a_process_that_is_killed_at_any_statement_is_continued(dsn: str, session: Any, tmp_path: Path) -> None:
    """Before whatever statement of 0009 to 0013 SIGKILL comes, the next run continues, and the result is the same."""
    await unsharded_installation.create(dsn, tmp_path, users=FEW)
    wanted = await expected(session)
    folder = migrations_until(tmp_path, "0013")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.killed_migrations", str(folder), stdin=PIPE, stdout=PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    kills, step, version = 0, 1, 8
    while version < 13:
        process.stdin.write(f"{step} {dsn}\n".encode())
        killed = await process.stdout.readline() == b"killed\n"
        kills += killed
        applied = await session.fetchval("SELECT max(version) FROM schema_migrations")
        assert killed or applied == 13  # a run that ends by itself completes all
        # The next file is killed at each of its statements, too, from its first one.
        step, version = (1 if applied > version else step + 1), applied
    assert kills > 5 + 5 + 33 + 4 * 5  # settings, 0010 with its indexes, and the statements of each transaction
    assert differences(await actual(session), wanted) == {}
    process.stdin.close()
    assert await process.wait() == 0
