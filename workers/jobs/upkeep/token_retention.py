"""Delete tokens and codes that have ended, and applications that were deleted or never used."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from storage.postgres.database import Database, Transaction
from storage.stores.credentials import oauth_clients, oauth_codes, sessions, token_lists
from workers.jobs.upkeep.janitor import PeriodicTask

_SESSIONS = 500  # of a deleted application that end in one transaction


class TokenRetention:
    """Periodic tasks of applications and their tokens."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def tasks(self) -> list[PeriodicTask]:
        """Return the tasks."""
        return [
            PeriodicTask(name="oauth_codes", period=3600, work=self.delete_codes),
            PeriodicTask(name="api_tokens", period=3600, work=self.delete_tokens),
            PeriodicTask(name="unused_applications", period=3600, work=self.delete_unused),
            PeriodicTask(name="deleted_applications", period=60, work=self.end_deleted),
        ]

    async def delete_codes(self) -> int:
        """Delete codes that have expired."""
        return await self._in_batches(oauth_codes.purge)

    async def delete_tokens(self) -> int:
        """Delete tokens that have expired, and those of sessions that have ended."""
        return await self._in_batches(token_lists.purge)

    async def delete_unused(self) -> int:
        """Delete applications that registered themselves and were never used."""
        return await self._in_batches(oauth_clients.purge_unused)

    async def end_deleted(self) -> int:
        """End the sessions of applications that were deleted, then forget these; return the number of sessions.

        The workers refuse their tokens and close their live connections, as for every session that ends.
        """
        ended = 0
        for client_id in await oauth_clients.deleted(self._db):
            while found := await token_lists.sessions_of(self._db, client_id, limit=_SESSIONS):
                async with self._db.transaction() as tx:
                    for user_id, session in sorted(found):
                        ended += await sessions.revoke(tx, user_id, session)
            async with self._db.transaction() as tx:
                await token_lists.delete_own_of(tx, client_id)
                await oauth_clients.forget(tx, client_id)
        return ended

    async def _in_batches(self, purge: Callable[[Transaction], Awaitable[int]]) -> int:
        total = 0
        while True:
            async with self._db.transaction() as tx:
                done = await purge(tx)
            total += done
            if done == 0:
                return total
