"""Which tables have a word in any column."""

from __future__ import annotations

from storage.postgres.database import Database

_TABLES = (
    "SELECT table_name AS name FROM information_schema.tables "
    "WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
)


async def tables_with(database: Database, word: str) -> list[str]:
    """Return the names of the tables in which a word is stored, in any case."""
    tables = [row["name"] for row in await database.fetch(_TABLES)]
    return [
        table
        for table in tables
        if await database.fetch(f"SELECT 1 FROM {table} AS t WHERE t::text ILIKE '%{word}%'")  # noqa: S608
    ]
