"""The doctor's check of the search: whether the database has the extension for parts of words and misspelt ones."""

from __future__ import annotations

from server.administration.findings import Finding
from server.composition.backends import open_database
from server.config.settings import Settings
from storage.postgres import trigrams


async def inspect_search(settings: Settings) -> Finding:
    """Check that the indexes of trigrams are there; raise `StorageError` if PostgreSQL is not reachable."""
    async with open_database(settings, min_size=1, max_size=2) as db:
        if await trigrams.available(db):
            return Finding(name="search", detail="finds parts of names, and misspelt ones")
    return Finding(
        name="search",
        detail="finds the beginnings of names only, because the extension pg_trgm was missing",
        remedy=f"Have a superuser run in this database: {' '.join(f'{each};' for each in trigrams.CREATE)} "
        "Then restart the processes that serve the API.",
    )
