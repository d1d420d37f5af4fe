"""The home feed: the most requested page of all, one round trip to Redis when its log is in memory."""

from __future__ import annotations

from aiohttp import web

from server.actions.last_seen import LastSeen
from server.api.highlights_feed import HighlightsFeed
from server.api.photo_serializer import PhotoSerializer
from server.edge.api_request import ApiRequest, joined_list_response, list_response
from server.edge.endpoint import Endpoint
from server.edge.paging import Cursors, Pager
from server.edge.photo_responses import PhotoResponse
from server.edge.requests import FeedQuery
from server.edge.responses import HighlightsResponse, StreamListResponse, stream_position
from server.identity.rate_limiter import RateLimiter, require_allowed
from server.identity.rate_limits import READ_QUOTA
from server.media.urls import MediaUrls
from storage.feeds.home import Home
from storage.models import Photo
from storage.postgres.database import Queryable
from storage.postgres.reads import Reads
from storage.stores import photo_lists, tag_follows

LISTING = "feed"
TAGS_LISTING = "feed of followed tags"


class TagFeed:
    """Pages of photos with the tags that the viewer follows."""

    def __init__(self, reads: Reads, cursors: Cursors, serializer: PhotoSerializer) -> None:
        self._reads = reads
        self._pager = Pager(cursors, TAGS_LISTING)
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


class FeedApi:
    """`GET /feed`, from one of its sources."""

    def __init__(
        self,
        home: Home,
        tags: TagFeed,
        highlights: HighlightsFeed,
        cursors: Cursors,
        urls: MediaUrls,
        *,
        limiter: RateLimiter,
        last_seen: LastSeen,
    ) -> None:
        self._home = home
        self._tags = tags
        self._highlights = highlights
        self._cursors = cursors
        self._urls = urls
        self._limiter = limiter
        self._policy = limiter.policy(READ_QUOTA)
        self._last_seen = last_seen

    def endpoints(self) -> list[Endpoint]:
        """Return the route table of this resource."""
        return [
            Endpoint(
                method="GET",
                path="/feed",
                handler=self.page,
                summary="List your home feed, photos of accounts you follow and your own, or those of tags you follow",
                tag="feed",
                guarded=False,  # the page checks rate limit and revocation in its one round trip to Redis
                query=FeedQuery,
                response=StreamListResponse[PhotoResponse],
                alternatives=(HighlightsResponse[PhotoResponse],),
                errors=(410,),
                tagged=True,
            )
        ]

    async def page(self, request: ApiRequest) -> web.Response:
        """Handle `GET /feed`."""
        query, viewer = request.query(FeedQuery), request.viewer
        if query.source == "tags":
            request.report_rate_limit(await self._limiter.check_user(READ_QUOTA, viewer.user_id, viewer.session))
            return await self._tags.page(viewer.user_id, query)
        if query.order == "highlights":
            request.report_rate_limit(await self._limiter.check_user(READ_QUOTA, viewer.user_id, viewer.session))
            # This may begin a visit, and the highlights are those since the visit before it.
            await self._last_seen.record(viewer.user_id)
            return await self._highlights.page(viewer.user_id, query)
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
