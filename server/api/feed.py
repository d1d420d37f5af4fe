"""The home feed: the most requested page of all, one round trip to Redis when its log is in memory."""

from __future__ import annotations

from aiohttp import web

from server.actions.last_seen import LastSeen
from server.api.highlights_feed import HighlightsFeed
from server.api.home_pages import HomePages
from server.api.list_feed import ListFeed
from server.api.tag_feed import TagFeed
from server.edge.api_request import ApiRequest, joined_list_response
from server.edge.endpoint import Endpoint
from server.edge.feed_requests import FeedQuery
from server.edge.paging import Cursors
from server.edge.photo_responses import PhotoResponse
from server.edge.responses import HighlightsResponse, StreamListResponse, stream_position
from server.identity.rate_limiter import RateLimiter
from server.identity.rate_limits import READ_QUOTA

LISTING = "feed"


class FeedApi:
    """`GET /feed`, from one of its sources."""

    def __init__(
        self,
        home: HomePages,
        tags: TagFeed,
        highlights: HighlightsFeed,
        lists: ListFeed,
        *,
        cursors: Cursors,
        limiter: RateLimiter,
        last_seen: LastSeen,
    ) -> None:
        self._home = home
        self._tags = tags
        self._highlights = highlights
        self._lists = lists
        self._cursors = cursors
        self._limiter = limiter
        self._last_seen = last_seen

    def endpoints(self) -> list[Endpoint]:
        """Return the route table of this resource."""
        return [
            Endpoint(
                method="GET",
                path="/feed",
                handler=self.page,
                summary="List your home feed: photos of accounts you follow and your own, or those of tags or a list",
                tag="feed",
                guarded=False,  # the page checks rate limit and revocation in its one round trip to Redis
                query=FeedQuery,
                response=StreamListResponse[PhotoResponse],
                alternatives=(HighlightsResponse[PhotoResponse],),
                errors=(404, 410),
                tagged=True,
            )
        ]

    async def page(self, request: ApiRequest) -> web.Response:
        """Handle `GET /feed`."""
        query, viewer = request.query(FeedQuery), request.viewer
        if query.source != "home":
            await self._charge(request)
            if query.list_id is not None:
                return await self._lists.page(viewer.user_id, query.list_id, query)
            return await self._tags.page(viewer.user_id, query)
        if query.order == "highlights":
            await self._charge(request)
            # This may begin a visit, and the highlights are those since the visit before it.
            await self._last_seen.record(viewer.user_id)
            return await self._highlights.page(viewer.user_id, query)
        before = self._cursors.decode(LISTING, query.cursor)
        page = await self._home.page(request, before=before, limit=query.limit)
        await self._last_seen.record(viewer.user_id)
        next_cursor = None if page.next is None else self._cursors.encode(LISTING, page.next)
        # A client recovers the stream from the newest page; later pages are older than any position.
        position = stream_position(page.position) if query.cursor is None else None
        return joined_list_response(page.pieces, next_cursor, stream=position)

    async def _charge(self, request: ApiRequest) -> None:
        viewer = request.viewer
        charge = await self._limiter.check_user(READ_QUOTA, viewer.user_id, viewer.session, locally=True)
        request.report_rate_limit(charge)
