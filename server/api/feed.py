"""The home feed: the most requested page of all, one round trip to Redis when its log is in memory."""

from __future__ import annotations

from aiohttp import web

from server.actions.last_seen import LastSeen
from server.edge.api_request import ApiRequest, joined_list_response
from server.edge.endpoint import Endpoint
from server.edge.paging import Cursors
from server.edge.requests import ListQuery
from server.edge.responses import PhotoResponse, StreamListResponse, stream_position
from server.identity.rate_limiter import require_allowed
from server.media.urls import MediaUrls
from storage.feeds.home import Home
from storage.limits.quotas import QuotaPolicy

LISTING = "feed"


class FeedApi:
    """`GET /feed`; `policy` is the rate limit of reads."""

    def __init__(self, home: Home, cursors: Cursors, urls: MediaUrls, policy: QuotaPolicy, last_seen: LastSeen) -> None:
        self._home = home
        self._cursors = cursors
        self._urls = urls
        self._policy = policy
        self._last_seen = last_seen

    def endpoints(self) -> list[Endpoint]:
        """Return the route table of this resource."""
        return [
            Endpoint(
                method="GET",
                path="/feed",
                handler=self.page,
                summary="List your home feed: photos of the accounts you follow and your own, newest first",
                tag="feed",
                guarded=False,  # the page checks rate limit and revocation in its one round trip to Redis
                query=ListQuery,
                response=StreamListResponse[PhotoResponse],
            )
        ]

    async def page(self, request: ApiRequest) -> web.Response:
        """Handle `GET /feed`."""
        query, viewer = request.query(ListQuery), request.viewer
        page = await self._home.page(
            viewer.user_id,
            session=viewer.session,
            before=self._cursors.decode(LISTING, query.cursor),
            limit=query.limit,
            policy=self._policy,
            sign=self._urls.sign,
        )
        request.report_rate_limit(require_allowed(self._policy, page.quota, revoked=page.revoked))
        await self._last_seen.record(viewer.user_id)
        next_cursor = None if page.next is None else self._cursors.encode(LISTING, page.next)
        # A client recovers the stream from the newest page; later pages are older than any position.
        position = stream_position(page.position) if query.cursor is None else None
        return joined_list_response(page.pieces, next_cursor, stream=position)
