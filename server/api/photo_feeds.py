"""Feeds that are read from PostgreSQL when they are requested: highlights, followed tags, and lists of accounts."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from server.edge.feed_requests import FeedQuery
from server.edge.paging import Cursors, Pager
from storage.feeds.highlights import Highlights, Place
from storage.models import Photo
from storage.postgres.database import Queryable
from storage.postgres.reads import Reads
from storage.stores.photos import list_photos, photo_lists
from storage.stores.social import tag_follows

_HIGHLIGHTS = "highlights of the home feed"
_TAGS = "feed of followed tags"


class FeedPhotos(NamedTuple):
    """The photos of a page, the cursor of the next one, and the time from which on highlights are, None for all."""

    photos: list[Photo]
    next: str | None
    since: datetime | None = None


class PhotoFeeds:
    """Pages of every feed but the home feed by time; no live stream belongs to them."""

    def __init__(self, reads: Reads, highlights: Highlights, cursors: Cursors) -> None:
        self._reads = reads
        self._highlights = highlights
        self._cursors = cursors

    async def read(self, viewer_id: int, query: FeedQuery) -> FeedPhotos:
        """Return the page that a query asks for; raise `NotFoundError("list")` for a list of another user."""
        if query.list_id is not None:
            return await self._of_list(viewer_id, query.list_id, query)
        if query.source == "tags":
            return await self._of_tags(viewer_id, query)
        return await self._of_highlights(viewer_id, query)

    async def _of_highlights(self, viewer_id: int, query: FeedQuery) -> FeedPhotos:
        """Return a page of highlights; a cursor goes on in the list with which its reader began."""
        cursor = self._cursors.decode_text(_HIGHLIGHTS, query.cursor)
        if cursor is None:
            page = await self._highlights.first_page(viewer_id, since=query.since, limit=query.limit)
        else:
            place = Place(*map(int, cursor.split()))
            page = await self._highlights.next_page(viewer_id, place, limit=query.limit)
        following = None if page.next is None else self._cursors.encode_text(_HIGHLIGHTS, "{} {}".format(*page.next))
        return FeedPhotos(page.photos, following, page.since)

    async def _of_tags(self, viewer_id: int, query: FeedQuery) -> FeedPhotos:
        pager = Pager(self._cursors, _TAGS)
        before, limit = pager.before(query.cursor), query.limit + 1

        async def read(db: Queryable) -> list[Photo]:
            tags = await tag_follows.followed(db, viewer_id)
            if not tags:
                return []
            return await photo_lists.by_tags(db, tags, viewer_id=viewer_id, before=before, limit=limit)

        found = await self._reads.read(viewer_id, read)
        return FeedPhotos(*pager.cut(found, query.limit, lambda photo: photo.id))

    async def _of_list(self, viewer_id: int, list_id: int, query: FeedQuery) -> FeedPhotos:
        pager = Pager(self._cursors, f"feed of list {list_id}")
        before, limit = pager.before(query.cursor), query.limit + 1
        found = await self._reads.read(
            viewer_id, lambda db: list_photos.page(db, list_id, owner_id=viewer_id, before=before, limit=limit)
        )
        return FeedPhotos(*pager.cut(found, query.limit, lambda photo: photo.id))
