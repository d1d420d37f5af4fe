"""The home feed: the most read page of all, one round trip to Redis when warm."""

from __future__ import annotations

from aiohttp import web

from server.edge.api_request import ApiRequest, joined_list_response
from server.edge.cursors import Cursors
from server.edge.endpoint import Endpoint
from server.edge.guard import admit
from server.edge.last_seen import LastSeen
from server.edge.requests import ListQuery
from server.edge.responses import PhotoResponse, StreamListResponse, stream_position
from server.identity.rate_limits import RateLimits
from server.media.urls import MediaUrls
from storage.feeds.home import Home

LISTING = "feed"


class FeedApi:
    """`GET /feed`."""

    def __init__(self, home: Home, cursors: Cursors, urls: MediaUrls, limits: RateLimits, recency: LastSeen) -> None:
        self._home = home
        self._cursors = cursors
        self._urls = urls
        self._policy = limits.policy("reads")
        self._recency = recency

    def endpoints(self) -> list[Endpoint]:
        """Return the table of this resource."""
        return [
            Endpoint(
                method="GET",
                path="/feed",
                handler=self.page,
                summary="One's home feed: photos of people one follows, and one's own, newest first",
                tag="feed",
                gated=False,  # quota and revocation come with the page, in the same round trip
                query=ListQuery,
                response=StreamListResponse[PhotoResponse],
            )
        ]

    async def page(self, request: ApiRequest) -> web.Response:
        """Answer `GET /feed`."""
        query, viewer = request.query(ListQuery), request.viewer
        page = await self._home.page(
            viewer.user_id,
            session=viewer.session,
            before=self._cursors.decode(LISTING, query.cursor),
            limit=query.limit,
            policy=self._policy,
            sign=self._urls.sign,
        )
        admit(request, self._policy, page.quota, revoked=page.revoked)
        await self._recency.seen(viewer.user_id)
        more = None if page.next is None else self._cursors.encode(LISTING, page.next)
        first = query.cursor is None
        return joined_list_response(page.pieces, more, stream=stream_position(page.position) if first else None)
