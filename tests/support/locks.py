"""Make transactions contend for a lock deterministically."""

from __future__ import annotations

from storage.postgres.database import Database
from tests.support.eventually import eventually


async def wait_for_blocked_transaction(database: Database, number: int = 1) -> None:
    """Wait until so many transactions of this database are blocked by others' locks."""
    await eventually(
        lambda: database.fetchval(
            "SELECT count(*) >= $1 FROM pg_stat_activity "
            "WHERE datname = current_database() AND wait_event_type = 'Lock' AND state = 'active'",
            number,
        )
    )
