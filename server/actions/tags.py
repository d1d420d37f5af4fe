"""Follow and unfollow tags."""

from __future__ import annotations

from storage.postgres.database import Database
from storage.stores.social import tag_follows

QUOTA = "follows"


class TagActions:
    """Changes of the tags that the viewer follows."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def follow(self, viewer_id: int, tag: str) -> None:
        """Follow a tag in normal form. Raises `ConflictError` too_many_tags."""
        async with self._db.transaction() as tx:
            await tag_follows.follow(tx, viewer_id, tag)

    async def unfollow(self, viewer_id: int, tag: str) -> None:
        """Unfollow a tag."""
        async with self._db.transaction() as tx:
            await tag_follows.unfollow(tx, viewer_id, tag)
