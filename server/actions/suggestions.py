"""Accounts that are suggested to a user: ask for them, and dismiss one."""

from __future__ import annotations

from storage.errors import NotFoundError
from storage.postgres.database import Database
from storage.stores import account_lists
from storage.stores.discovery import account_suggestions

QUOTA = "writes"


class SuggestionActions:
    """Suggestions of accounts; they are made by the worker "discover"."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def want(self, viewer_id: int) -> None:
        """Have suggestions made for the viewer, unless they are being made or were made within a day."""
        async with self._db.transaction() as tx:
            await account_suggestions.want(tx, viewer_id)

    async def dismiss(self, viewer_id: int, user_id: int) -> None:
        """Never suggest a user to the viewer again. Raises `NotFoundError("user")`."""
        if not await account_lists.summaries(self._db, [user_id], viewer_id=viewer_id):
            raise NotFoundError("user")
        async with self._db.transaction() as tx:
            await account_suggestions.dismiss(tx, viewer_id, user_id)
