"""`/photos/trending` and `/tags/trending`: what trends among public photos."""

from __future__ import annotations

from aiohttp import web

from server.edge.api_request import ApiRequest, list_response
from server.edge.endpoint import Auth, Endpoint
from server.edge.paging import Cursors
from server.edge.photo_responses import PhotoResponse
from server.edge.requests import ListQuery
from server.edge.responses import ListResponse, TrendingTagResponse
from storage.cache.tag_trends import TagTrends
from storage.feeds.public_cards import PublicCards
from storage.feeds.trending import Trending

PHOTOS = "trending photos"
TAGS = "trending tags"


class TrendsApi:
    """The lists of what trends; a cursor goes on in the list with which its reader began."""

    def __init__(self, trending: Trending, cards: PublicCards, tags: TagTrends, cursors: Cursors) -> None:
        self._trending = trending
        self._cards = cards
        self._tags = tags
        self._cursors = cursors

    def endpoints(self) -> list[Endpoint]:
        """Return the route table of this resource."""
        return [
            Endpoint(
                method="GET",
                path="/photos/trending",
                handler=self.photos,
                summary="List public photos that trend: with many likes and comments for their age and their author",
                tag="photos",
                auth=Auth.OPTIONAL,
                query=ListQuery,
                response=ListResponse[PhotoResponse],
                tagged=True,
            ),
            Endpoint(
                method="GET",
                path="/tags/trending",
                handler=self.tags,
                summary="List tags that more authors use than usual",
                tag="tags",
                auth=Auth.OPTIONAL,
                query=ListQuery,
                response=ListResponse[TrendingTagResponse],
                tagged=True,
            ),
        ]

    async def photos(self, request: ApiRequest) -> web.Response:
        """Handle `GET /photos/trending`."""
        query, viewer_id = request.query(ListQuery), request.viewer_id
        position = self._cursors.decode(PHOTOS, query.cursor)
        page = await self._trending.page(viewer_id, position=position, limit=query.limit)
        cursor = None if page.next is None else self._cursors.encode(PHOTOS, page.next)
        return list_response(await self._cards.render(page.photo_ids, viewer_id), cursor)

    async def tags(self, request: ApiRequest) -> web.Response:
        """Handle `GET /tags/trending`."""
        query = request.query(ListQuery)
        position = self._cursors.decode(TAGS, query.cursor)
        found = await self._tags.page(position, count=query.limit + 1)
        page = found[: query.limit]
        cursor = self._cursors.encode(TAGS, page[-1].position) if len(found) > query.limit else None
        items = [TrendingTagResponse(tag=entry.tag, authors=entry.authors).to_bytes() for entry in page]
        return list_response(items, cursor)
