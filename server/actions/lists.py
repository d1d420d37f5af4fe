"""Change lists of accounts."""

from __future__ import annotations

from storage.models import AccountList
from storage.postgres.database import Database, Transaction
from storage.postgres.keyed_limit import KeyedLimit
from storage.stores.social import list_members, lists

QUOTA = "writes"


class ListActions:
    """Changes of the viewer's lists.

    All methods on a list raise `NotFoundError("list")` for one of another user.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._additions = KeyedLimit()

    async def create(self, tx: Transaction, viewer_id: int, *, title: str) -> AccountList:
        """Create an empty list. Raises `ConflictError` too_many_lists."""
        return await lists.create(tx, owner_id=viewer_id, title=title)

    async def rename(self, viewer_id: int, list_id: int, *, title: str) -> AccountList:
        """Change the title of a list."""
        async with self._db.transaction() as tx:
            return await lists.rename(tx, list_id, owner_id=viewer_id, title=title)

    async def delete(self, viewer_id: int, list_id: int) -> None:
        """Delete a list; nothing else changes for its accounts."""
        async with self._db.transaction() as tx:
            await lists.delete(tx, list_id, owner_id=viewer_id)

    async def add(self, viewer_id: int, list_id: int, account_id: int) -> bool:
        """Add an account, without notice; return False if it is in there.

        Raises `NotFoundError("user")`, and `ConflictError`: not_in_your_own_list, list_full.
        """
        # The account is locked, as by its followers, who may be many.
        async with self._additions.slot(account_id), self._db.transaction() as tx:
            return await list_members.add(tx, list_id, account_id, owner_id=viewer_id)

    async def remove(self, viewer_id: int, list_id: int, account_id: int) -> bool:
        """Remove an account, without notice; return False if it is not in there."""
        async with self._db.transaction() as tx:
            return await list_members.remove(tx, list_id, account_id, owner_id=viewer_id)
