"""Make transactions contend for a lock deterministically."""

from __future__ import annotations

from storage.postgres.database import Database
from tests.support.eventually import eventually


async def wait_for_blocked_transaction(database: Database) -> None:
    """Wait until a transaction of this database is blocked by another one's lock."""
    await eventually(
        lambda: database.fetchval(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND wait_event_type = 'Lock' AND state = 'active'"
        )
    )
