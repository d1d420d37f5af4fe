"""Pages of the home feed by time, the most requested of all: one round trip to Redis when its log is in memory."""

from __future__ import annotations

from functools import partial

from server.edge.api_request import ApiRequest
from server.identity.rate_limiter import RateLimiter, require_allowed
from server.identity.rate_limits import READ_QUOTA
from server.media.urls import MediaUrls
from storage.errors import UnavailableError
from storage.feeds.home import Home
from storage.feeds.home_database import DatabaseHome
from storage.feeds.home_page import FeedPage
from storage.render.images import Write, sizes_and_urls
from storage.render.photo import with_urls

LISTING = "feed"  # of its cursors


class HomeFeed:
    """Reads pages, and checks the rate limit and the revocation of the session in the same round trip."""

    def __init__(self, home: Home, database_home: DatabaseHome, urls: MediaUrls, limiter: RateLimiter) -> None:
        self._home = home
        self._database_home = database_home
        self._urls = urls
        self._limiter = limiter
        self._policy = limiter.policy(READ_QUOTA)

    async def page(
        self,
        request: ApiRequest,
        *,
        before: int | None,
        limit: int,
        cost: int = 1,
        write: Write = sizes_and_urls,
    ) -> FeedPage:
        """Return up to `limit` photos below `before`; the response reports the rate limit and what is missing.

        A `cost` of 0 has been charged before. Photos are as `with_urls` of `storage.render.photo` writes them.
        """
        viewer = request.viewer
        try:
            page = await self._home.page(
                viewer.user_id,
                session=viewer.session,
                before=before,
                limit=limit,
                policy=self._policy,
                cost=cost,
                render=partial(with_urls, sign=self._urls.sign, write=write),
            )
        except UnavailableError as error:
            if error.engine != "redis":
                raise
            if cost:
                charge = await self._limiter.check_user_locally(READ_QUOTA, viewer.user_id, viewer.session, cost)
                request.report_rate_limit(charge)
            return await self._database_home.page(viewer.user_id, before=before, limit=limit, sign=self._urls.sign)
        if page.quota is not None:
            request.report_rate_limit(require_allowed(self._policy, page.quota, revoked=page.revoked))
        if page.incomplete:
            request.report_degraded("database")
        return page
