"""The home feed, and the feeds of followed tags and of lists of accounts."""

from __future__ import annotations

from aiohttp import web

from server.actions.last_seen import LastSeen
from server.api.home_feed import LISTING, HomeFeed
from server.api.photo_feeds import PhotoFeeds
from server.api.photo_serializer import PhotoSerializer
from server.edge.api_request import ApiRequest, joined_list_response, list_response
from server.edge.endpoint import Endpoint
from server.edge.feed_requests import FeedQuery
from server.edge.paging import Cursors
from server.edge.photo_responses import PhotoResponse
from server.edge.responses import HighlightsResponse, StreamListResponse, stream_position
from server.identity.rate_limiter import RateLimiter
from server.identity.rate_limits import READ_QUOTA
from storage.render.timestamps import timestamp


class FeedApi:
    """`GET /feed`, from one of its sources."""

    def __init__(
        self,
        home: HomeFeed,
        feeds: PhotoFeeds,
        serializer: PhotoSerializer,
        *,
        cursors: Cursors,
        limiter: RateLimiter,
        last_seen: LastSeen,
    ) -> None:
        self._home = home
        self._feeds = feeds
        self._serializer = serializer
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
        query, viewer_id = request.query(FeedQuery), request.viewer.user_id
        if query.is_home_by_time:
            return await self._home_page(request, query)
        await self._charge(request)
        if query.order == "highlights":
            # This may begin a visit, and the highlights are those since the visit before it.
            await self._last_seen.record(viewer_id)
        found = await self._feeds.read(viewer_id, query)
        items = await self._serializer.serialize(found.photos, viewer_id)
        if query.order != "highlights":
            return list_response(items, found.next, stream=None)
        since = None if found.since is None else timestamp(found.since)
        return list_response(items, found.next, stream=None, since=since)

    async def _home_page(self, request: ApiRequest, query: FeedQuery) -> web.Response:
        before = self._cursors.decode(LISTING, query.cursor)
        page = await self._home.page(request, before=before, limit=query.limit)
        await self._last_seen.record(request.viewer.user_id)
        next_cursor = None if page.next is None else self._cursors.encode(LISTING, page.next)
        # A client recovers the stream from the newest page; later pages are older than any position.
        position = stream_position(page.position) if query.cursor is None else None
        return joined_list_response(page.pieces, next_cursor, stream=position)

    async def _charge(self, request: ApiRequest) -> None:
        viewer = request.viewer
        charge = await self._limiter.check_user(READ_QUOTA, viewer.user_id, viewer.session, locally=True)
        request.report_rate_limit(charge)
