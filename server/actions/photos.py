"""Edit and delete photos; they are posted by `server.actions.posting`."""

from __future__ import annotations

from collections.abc import Sequence

from server.actions.live_permissions import at_once
from storage.cache.cards import Cards
from storage.models import Photo, PhotoAudience
from storage.postgres.database import Database
from storage.stores.photos import photo_audience, photo_deletion, photo_edits, photo_exif, photo_item_edits
from storage.stores.photos.photo_item_edits import ItemEdit
from workers.jobs.live.permissions import LivePermissions

EDIT_QUOTA = "writes"


class PhotoActions:
    """Changes of the viewer's own photos; all methods raise `NotFoundError("photo")` for any other photo."""

    def __init__(self, db: Database, cards: Cards, permissions: LivePermissions) -> None:
        self._db = db
        self._cards = cards
        self._permissions = permissions

    async def edit(
        self,
        viewer_id: int,
        photo_id: int,
        *,
        caption: str | None = None,
        alt_text: str | None = None,
        tags: Sequence[str] | None = None,
        location: str | None = None,
        taken_at: str | None = None,
        sensitive: bool | None = None,
        items: Sequence[ItemEdit] | None = None,
        audience: PhotoAudience | None = None,
    ) -> tuple[Photo, bool]:
        """Change the fields that are not None; an empty `location` or `taken_at` removes it.

        `items` are all pictures that stay, in their new order. Return the photo, and whether the viewer likes it.
        """
        async with self._db.transaction() as tx:
            # First, because it locks the account, and accounts are locked before photos.
            if audience is not None and await photo_audience.change(
                tx, photo_id, author_id=viewer_id, audience=audience
            ):
                tx.on_commit(lambda: at_once(self._permissions.audience_changed(photo_id)))
            changed = items is not None and await photo_item_edits.edit(tx, photo_id, author_id=viewer_id, items=items)
            edited = await photo_edits.edit(
                tx,
                photo_id,
                author_id=viewer_id,
                caption=caption,
                alt_text=alt_text,
                tags=tags,
                location=location,
                taken_at=taken_at,
                sensitive=sensitive,
                changed=changed,
            )
            tx.on_commit(lambda: self._cards.invalidate([photo_id]))
        return edited

    async def delete_exif(self, viewer_id: int, photo_id: int) -> None:
        """Delete the stored EXIF of a photo; the original keeps its own."""
        async with self._db.transaction() as tx:
            await photo_exif.delete(tx, photo_id, author_id=viewer_id)

    async def delete(self, viewer_id: int, photo_id: int) -> None:
        """Delete a photo: it disappears from every feed at once, and workers remove the images."""
        async with self._db.transaction() as tx:
            await photo_deletion.delete(tx, photo_id, author_id=viewer_id)
            # The tombstone also keeps out a fan-out of the photo that is under way.
            tx.on_commit(lambda: self._cards.tombstone(photo_id))
