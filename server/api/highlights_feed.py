"""The home feed in the order of its highlights."""

from __future__ import annotations

from aiohttp import web

from server.api.photo_serializer import PhotoSerializer
from server.edge.api_request import list_response
from server.edge.feed_requests import FeedQuery
from server.edge.paging import Cursors
from storage.feeds.highlights import Highlights, Place
from storage.render.timestamps import timestamp

LISTING = "highlights of the home feed"


class HighlightsFeed:
    """Pages of highlights; a cursor goes on in the list with which its reader began."""

    def __init__(self, highlights: Highlights, cursors: Cursors, serializer: PhotoSerializer) -> None:
        self._highlights = highlights
        self._cursors = cursors
        self._serializer = serializer

    async def page(self, viewer_id: int, query: FeedQuery) -> web.Response:
        """Return a page; no live stream belongs to it, because what is new is not in it."""
        cursor = self._cursors.decode_text(LISTING, query.cursor)
        if cursor is None:
            page = await self._highlights.first_page(viewer_id, since=query.since, limit=query.limit)
        else:
            place = Place(*map(int, cursor.split()))
            page = await self._highlights.next_page(viewer_id, place, limit=query.limit)
        items = await self._serializer.serialize(page.photos, viewer_id)
        following = None if page.next is None else self._cursors.encode_text(LISTING, "{} {}".format(*page.next))
        since = None if page.since is None else timestamp(page.since)
        return list_response(items, following, stream=None, since=since)
