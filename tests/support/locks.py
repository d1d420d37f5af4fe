"""Let transactions meet at a lock on purpose, instead of hoping that they do."""

from __future__ import annotations

from storage.postgres.database import Database
from tests.support.eventually import eventually


async def somebody_waits(database: Database) -> None:
    """Wait until a transaction of this database stands in front of another one's lock."""
    await eventually(
        lambda: database.fetchval(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND wait_event_type = 'Lock' AND state = 'active'"
        )
    )
