"""The feed of followed tags, read from PostgreSQL when it is requested."""

from __future__ import annotations

from aiohttp import web

from server.api.photo_serializer import PhotoSerializer
from server.edge.api_request import list_response
from server.edge.feed_requests import FeedQuery
from server.edge.paging import Cursors, Pager
from storage.models import Photo
from storage.postgres.database import Queryable
from storage.postgres.reads import Reads
from storage.stores import photo_lists, tag_follows

LISTING = "feed of followed tags"


class TagFeed:
    """Pages of photos with the tags that the viewer follows."""

    def __init__(self, reads: Reads, cursors: Cursors, serializer: PhotoSerializer) -> None:
        self._reads = reads
        self._pager = Pager(cursors, LISTING)
        self._serializer = serializer

    async def page(self, viewer_id: int, query: FeedQuery) -> web.Response:
        """Return a page; no live stream belongs to it."""
        before, limit = self._pager.before(query.cursor), query.limit + 1

        async def read(db: Queryable) -> list[Photo]:
            tags = await tag_follows.followed(db, viewer_id)
            if not tags:
                return []
            return await photo_lists.by_tags(db, tags, viewer_id=viewer_id, before=before, limit=limit)

        found = await self._reads.read(viewer_id, read)
        page, cursor = self._pager.cut(found, query.limit, lambda photo: photo.id)
        return list_response(await self._serializer.serialize(page, viewer_id), cursor, stream=None)
