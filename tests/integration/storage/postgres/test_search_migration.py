"""The migration of the search: on a database without the extension pg_trgm, and beside an existing installation."""

from __future__ import annotations

from pathlib import Path

import asyncpg
import pytest

from storage.postgres import trigrams
from storage.postgres.database import Database
from storage.postgres.migrate import migrate
from tests.support.unsharded_installation import migrations_until

pytestmark = pytest.mark.engines


async def test_a_role_that_may_not_create_the_extension_migrates(postgres_dsn: str, tmp_path: Path) -> None:
    """The tables are there, without the indexes of trigrams; accounts of before may be found."""
    admin = await asyncpg.connect(postgres_dsn)
    await admin.execute("CREATE ROLE limited LOGIN")
    await admin.execute("CREATE DATABASE limited")
    dsn = postgres_dsn.replace("/picshare?", "/limited?")
    owner = await asyncpg.connect(dsn)
    try:
        await owner.execute("CREATE EXTENSION citext; GRANT ALL ON SCHEMA public TO limited")
        as_limited = dsn.replace("postgresql://picshare@", "postgresql://limited@")
        await migrate(as_limited, folder=migrations_until(tmp_path, "0028"))
        await owner.execute(
            "INSERT INTO users (shard, id, username, email, password_hash, display_name) "
            "VALUES (7, 7, 'ann', 'a', '-', 'A')"
        )
        await migrate(as_limited)
        assert await owner.fetchval("SELECT searchable FROM users") is True
        database = await Database.connect(as_limited, routes=lambda _: (), min_size=1, max_size=1)
        assert not await trigrams.available(database)
        await database.close()
    finally:
        await owner.close()
        await admin.execute("DROP DATABASE limited WITH (FORCE)")
        await admin.execute("DROP ROLE limited")
        await admin.close()


async def test_the_doctor_s_statements_are_those_of_the_migration(database: Database) -> None:
    """What an operator creates later is what the migration creates where it can."""
    made = "SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS text FROM pg_index"
    by_migration = {row["name"]: row["text"] for row in await database.fetch(made) if row["name"] in trigrams.INDEXES}
    assert set(by_migration) == set(trigrams.INDEXES)
    async with database.transaction() as tx:
        for name in trigrams.INDEXES:
            await tx.execute(f"DROP INDEX {name}")
        for statement in trigrams.CREATE:
            await tx.execute(statement.replace("CONCURRENTLY ", ""))
    again = {row["name"]: row["text"] for row in await database.fetch(made) if row["name"] in trigrams.INDEXES}
    assert again == by_migration
