"""The tests' own databases: what the next test finds after each kind of change (`tests.engines.databases`)."""

from __future__ import annotations

from collections.abc import Iterator

import asyncpg
import pytest

from tests.engines.databases import Databases, databases

pytestmark = pytest.mark.engines


@pytest.fixture
def own(postgres_dsn: str, template_database: str) -> Iterator[Databases]:
    """Databases of this test, beside that of the session."""
    with databases(postgres_dsn, template_database, prefix="own") as kept:
        yield kept


async def test_rows_and_sessions_are_removed(own: Databases) -> None:
    """The next test gets the same database, without the rows and the sessions of the one before."""
    dsn = own.take()
    left = await asyncpg.connect(dsn)
    await left.execute("INSERT INTO leases (name) VALUES ('x'); DELETE FROM leases WHERE name = 'x'")
    await left.execute("INSERT INTO usernames (username, user_id) VALUES ('ann', 1)")
    await left.execute("BEGIN; LOCK TABLE users")
    own.give_back()
    assert own.take() == dsn
    connection = await asyncpg.connect(dsn)
    assert await connection.fetchval("SELECT count(*) FROM usernames") == 0
    await connection.close()
    left.terminate()
    own.give_back()


@pytest.mark.parametrize(
    "change",
    [
        "CREATE TABLE x ()",
        "BEGIN; CREATE TABLE x (); ROLLBACK",
        "ALTER TABLE users DROP CONSTRAINT users_pkey CASCADE",
        "INSERT INTO leases (name) VALUES ('x')",
        "UPDATE search_progress SET position = 7",
        "INSERT INTO usernames (username, user_id) VALUES ('ann', 1); ANALYZE usernames",
        "INSERT INTO usernames (username, user_id) SELECT 'u' || n, n FROM generate_series(1, 3000) n",
    ],
)
async def test_a_changed_database_is_replaced(own: Databases, change: str) -> None:
    """A change that emptying does not undo leaves nothing to the next test."""
    dsn = own.take()
    connection = await asyncpg.connect(dsn)
    await connection.execute(change)
    await connection.close()
    own.give_back()
    assert own.take() != dsn
    own.give_back()


async def test_a_fresh_database_was_not_used_before(own: Databases) -> None:
    """A test that asks for it gets another database than the one before."""
    dsn = own.take()
    own.give_back()
    assert own.take(fresh=True) != dsn
    own.give_back()
