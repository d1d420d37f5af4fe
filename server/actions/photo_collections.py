"""Save photos, and keep them in collections."""

from __future__ import annotations

from collections.abc import Sequence

from storage.models import Collection
from storage.postgres.database import Database, Transaction
from storage.stores.saved import collection_items, collection_order, photo_collections

QUOTA = "writes"


class CollectionActions:
    """Changes of the viewer's saved photos and collections.

    All methods on a collection raise `NotFoundError("collection")` for one of another user.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    async def save(self, viewer_id: int, photo_id: int) -> bool:
        """Save a photo; return False if it is saved already. Raises `NotFoundError("photo")`."""
        async with self._db.transaction() as tx:
            saved_id = await photo_collections.saved_id(tx, viewer_id)
            return await collection_items.add(tx, saved_id, photo_id, owner_id=viewer_id)

    async def unsave(self, viewer_id: int, photo_id: int) -> bool:
        """Remove a photo from the saved ones; return False if it is none of them."""
        async with self._db.transaction() as tx:
            saved_id = await photo_collections.find_saved(tx, viewer_id)
            return saved_id is not None and await collection_items.remove(tx, saved_id, photo_id, owner_id=viewer_id)

    async def create(self, tx: Transaction, viewer_id: int, *, title: str, public: bool) -> Collection:
        """Create an empty collection. Raises `ConflictError` too_many_collections."""
        return await photo_collections.create(tx, owner_id=viewer_id, title=title, public=public)

    async def edit(
        self,
        viewer_id: int,
        collection_id: int,
        *,
        title: str | None = None,
        public: bool | None = None,
        order: Sequence[int] | None = None,
    ) -> Collection:
        """Change what is not None; `order` are the photos that come first, in their order."""
        async with self._db.transaction() as tx:
            collection = await photo_collections.edit(tx, collection_id, owner_id=viewer_id, title=title, public=public)
            if order:
                await collection_order.arrange(tx, collection_id, order, owner_id=viewer_id)
        return collection

    async def delete(self, viewer_id: int, collection_id: int) -> None:
        """Delete a collection; its photos stay."""
        async with self._db.transaction() as tx:
            await photo_collections.delete(tx, collection_id, owner_id=viewer_id)

    async def add(self, viewer_id: int, collection_id: int, photo_id: int) -> bool:
        """Put a photo in front; return False if it is in there. Raises `NotFoundError("photo")`, `ConflictError`."""
        async with self._db.transaction() as tx:
            return await collection_items.add(tx, collection_id, photo_id, owner_id=viewer_id)

    async def move(self, viewer_id: int, collection_id: int, photo_id: int, *, after_id: int | None) -> None:
        """Put a photo behind another one, or in front. Raises `NotFoundError("photo")`, `ConflictError`."""
        async with self._db.transaction() as tx:
            await collection_order.move(tx, collection_id, photo_id, after_id=after_id, owner_id=viewer_id)

    async def remove(self, viewer_id: int, collection_id: int, photo_id: int) -> bool:
        """Remove a photo from a collection; return False if it is not in there."""
        async with self._db.transaction() as tx:
            return await collection_items.remove(tx, collection_id, photo_id, owner_id=viewer_id)
