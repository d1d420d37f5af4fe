"""The counters of a photo after a like or a comment, as workers read and store them."""

from __future__ import annotations

from storage.cache.counters import CounterCache
from storage.errors import NotFoundError
from storage.events import PhotoTrending
from storage.models import PhotoCounters
from storage.postgres.database import Database
from storage.stores.discovery import photo_trends


async def read(db: Database, photo_id: int, user_id: int) -> PhotoCounters | None:
    """Return a photo's counters and whether the user likes it, or None once it is deleted."""
    try:
        return await photo_trends.counters(db, photo_id=photo_id, user_id=user_id)
    except NotFoundError:
        return None


async def apply(
    db: Database, cache: CounterCache, counters: PhotoCounters, *, owner_id: int, liked_by: int | None = None
) -> None:
    """Update the counters and the ranking of the photo, and say so if it begins to trend."""
    if await cache.apply(counters, liked_by):
        async with db.transaction() as tx:
            tx.emit(PhotoTrending(photo_id=counters.photo_id, author_id=owner_id))
