"""Removal of expired links of mails, and of changes of addresses that were not confirmed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from storage.postgres.database import Database, Transaction
from storage.stores.accounts import email_changes
from storage.stores.credentials import one_time_tokens
from workers.jobs.upkeep.janitor import PeriodicTask

_BATCH = 1_000  # rows of one transaction


class MailRetention:
    """Tasks of the janitor."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def tasks(self) -> list[PeriodicTask]:
        """Return the tasks."""
        return [
            PeriodicTask(name="mail_links", period=3600, work=self.purge_links),
            PeriodicTask(name="email_changes", period=3600, work=self.purge_changes),
        ]

    async def purge_links(self) -> int:
        """Delete links that expired a week ago."""
        return await self._all(lambda tx: one_time_tokens.purge(tx, limit=_BATCH))

    async def purge_changes(self) -> int:
        """Delete changes of addresses whose time is over."""
        return await self._all(lambda tx: email_changes.purge(tx, limit=_BATCH))

    async def _all(self, purge: Callable[[Transaction], Awaitable[int]]) -> int:
        total = 0
        while True:
            async with self._db.transaction() as tx:
                deleted = await purge(tx)
            total += deleted
            if deleted < _BATCH:
                return total
