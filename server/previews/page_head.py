"""The head of the application's page for a link that visitors follow."""

from __future__ import annotations

import structlog
from aiohttp import web

from server.edge.api_request import ADDRESS
from server.edge.authentication import CSRF_COOKIE
from server.edge.guard import ANONYMOUS_QUOTA
from server.edge.languages import language_of
from server.identity.errors import RateLimitedError
from server.identity.rate_limiter import RateLimiter
from server.previews.link_previews import LinkPreviews
from storage.errors import NotFoundError, UnavailableError

log = structlog.get_logger(__name__)

_HIDDEN = '<title>PicShare</title>\n    <meta name="robots" content="noindex">'


class PageHeads:
    """Heads of `/p/{id}` and `/u/{username}`.

    A page without its head works as well, so a client over its rate limit, and one that comes while the database is
    away, get the general one.
    """

    def __init__(self, previews: LinkPreviews, limiter: RateLimiter) -> None:
        self._previews = previews
        self._limiter = limiter

    async def __call__(self, request: web.Request) -> str | None:
        """Return the tags in place of the page's title and description, or None to keep these."""
        # Signed-in users see more than visitors, and the script sets their titles.
        if CSRF_COOKIE in request.cookies:
            return None
        photo_id, username = (request.match_info.get(name) for name in ("id", "username"))
        if photo_id is None and username is None:
            return None
        try:
            await self._limiter.check_address(ANONYMOUS_QUOTA, request[ADDRESS], locally=True)
            language = language_of(request)
            if photo_id is not None:
                return (await self._previews.photo(photo_id, language)).head()
            return (await self._previews.profile(username or "", language)).head()
        except NotFoundError:
            return _HIDDEN
        except (RateLimitedError, UnavailableError) as error:
            log.info("link_preview_left_out", error=str(error))
            return None
