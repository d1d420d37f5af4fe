"""A snapshot of the database that pg_dump shares, so that what is read here is exactly what the dump contains."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from storage.postgres.connector import connect
from storage.postgres.driver_errors import driver_errors

_USERS = "/* all shards: the counts of a backup */ SELECT count(*) FROM users"
_PHOTOS = "/* all shards: the counts of a backup */ SELECT count(*) FROM photos"
_COMMENTS = "/* all shards: the counts of a backup */ SELECT count(*) FROM comments"
_CONTENTS = "/* all shards: the counts of a backup */ SELECT count(*) FROM contents WHERE state = 'stored'"
_ORIGINALS = """
/* all shards: the originals of a backup */
SELECT sha256, size FROM contents WHERE state = 'stored' ORDER BY sha256"""
_SCHEMA = "SELECT version, name FROM schema_migrations ORDER BY version DESC LIMIT 1"


@dataclass(frozen=True, kw_only=True, slots=True)
class Counts:
    """Rows by which a restored database is compared with the one that was dumped."""

    users: int
    photos: int
    comments: int
    originals: int

    def as_dict(self) -> dict[str, int]:
        """Return the counts by their names."""
        return asdict(self)


class Snapshot:
    """A read-only transaction; `id` is what `pg_dump --snapshot` takes while it lasts."""

    def __init__(self, connection: Any, snapshot_id: str) -> None:
        self._connection = connection
        self.id = snapshot_id

    async def counts(self) -> Counts:
        """Return the counts of the snapshot."""
        return await read_counts(self._connection)

    async def schema(self) -> tuple[int, str]:
        """Return the number and the name of the newest migration."""
        with driver_errors():
            row = await self._connection.fetchrow(_SCHEMA)
        return row["version"], row["name"]

    async def write_originals(self, path: Path) -> None:
        """Write a line "<sha256> TAB <bytes>" for each stored original, in the order of the hashes."""
        with driver_errors():
            await self._connection.copy_from_query(_ORIGINALS, output=path)


@asynccontextmanager
async def open_snapshot(url: str) -> AsyncIterator[Snapshot]:
    """Yield a snapshot of now; raise `UnavailableError`."""
    connection = await connect(url)
    try:
        with driver_errors():
            await connection.execute("SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0")
            await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            snapshot_id = await connection.fetchval("SELECT pg_export_snapshot()")
        yield Snapshot(connection, snapshot_id)
    finally:
        await connection.close()


async def read_counts(connection: Any) -> Counts:
    """Return the counts of the rows that a connection sees."""
    with driver_errors():
        return Counts(
            users=await connection.fetchval(_USERS),
            photos=await connection.fetchval(_PHOTOS),
            comments=await connection.fetchval(_COMMENTS),
            originals=await connection.fetchval(_CONTENTS),
        )


async def counts_and_statistics(url: str) -> Counts:
    """Gather the planner's statistics of a restored database, and return its counts."""
    connection = await connect(url)
    try:
        with driver_errors():
            await connection.execute("SET statement_timeout = 0; ANALYZE")
        return await read_counts(connection)
    finally:
        await connection.close()
