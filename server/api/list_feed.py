"""The feed of a list of accounts, read from PostgreSQL when it is requested."""

from __future__ import annotations

from aiohttp import web

from server.api.photo_serializer import PhotoSerializer
from server.edge.api_request import list_response
from server.edge.feed_requests import FeedQuery
from server.edge.paging import Cursors, Pager
from storage.postgres.reads import Reads
from storage.stores import list_photos


class ListFeed:
    """Pages of photos of the accounts in one of the viewer's lists."""

    def __init__(self, reads: Reads, cursors: Cursors, serializer: PhotoSerializer) -> None:
        self._reads = reads
        self._cursors = cursors
        self._serializer = serializer

    async def page(self, viewer_id: int, list_id: int, query: FeedQuery) -> web.Response:
        """Return a page; no live stream belongs to it. Raises `NotFoundError("list")` for a list of another user."""
        pager = Pager(self._cursors, f"feed of list {list_id}")
        before, limit = pager.before(query.cursor), query.limit + 1
        found = await self._reads.read(
            viewer_id, lambda db: list_photos.page(db, list_id, owner_id=viewer_id, before=before, limit=limit)
        )
        page, cursor = pager.cut(found, query.limit, lambda photo: photo.id)
        return list_response(await self._serializer.serialize(page, viewer_id), cursor, stream=None)
