"""`/api/v1/timelines` and the other lists of statuses: favourites, bookmarks, and what trends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any

import orjson
from aiohttp import web
from pydantic import Field

from server.actions.last_seen import LastSeen
from server.api.home_feed import HomeFeed
from server.edge.endpoint import Auth
from server.edge.problem import bad_field
from server.mastodon.endpoint import Route, route
from server.mastodon.paging import PageQuery, read_page
from server.mastodon.rendering import Renderer
from server.mastodon.request import MastodonRequest, respond
from storage import texts
from storage.feeds.public_cards import PublicCards
from storage.feeds.trending import Trending
from storage.ids import decode
from storage.models import Photo
from storage.postgres.database import Queryable
from storage.postgres.reads import Reads
from storage.stores.photos import likes, list_photos, photo_lists
from storage.stores.saved import collection_items, photo_collections

NEWEST_LIKES = 1000  # of a user, among which a page of favourites is

PhotoPage = Callable[[Queryable, int | None, int], Awaitable[Sequence[Photo]]]


class PublicQuery(PageQuery):
    """A page of public photos; those of other installations (`remote`) are none."""

    remote: bool = False


class OffsetQuery(PageQuery):
    """A page of what trends, from a place on."""

    offset: Annotated[int, Field(ge=0, le=10_000)] = 0


def tag_of(request: MastodonRequest) -> str:
    """Return the tag in the path in its normal form; raise a 400 for what is none."""
    try:
        # Tags of earlier versions may be longer than new ones.
        return texts.tag(request.http.match_info["tag"], max_letters=texts.MAX_TAG_LENGTH)
    except ValueError as error:
        raise bad_field("tag", str(error)) from error


class TimelineRoutes:
    """Lists of statuses."""

    def __init__(
        self,
        reads: Reads,
        renderer: Renderer,
        home: HomeFeed,
        *,
        trending: Trending,
        cards: PublicCards,
        last_seen: LastSeen,
    ) -> None:
        self._reads = reads
        self._renderer = renderer
        self._base = renderer.links.base
        self._home = home
        self._trending = trending
        self._cards = cards
        self._last_seen = last_seen

    def routes(self) -> list[Route]:
        """Return the routes."""
        base, trends = "/api/v1/timelines", "/api/v1/trends/statuses"
        return [
            # The page checks rate limit and revocation in its one round trip to Redis.
            route("GET", f"{base}/home", self.home, "read:statuses", guarded=False),
            route("GET", f"{base}/public", self.public, "read:statuses", auth=Auth.OPTIONAL),
            route("GET", f"{base}/tag/{{tag}}", self.tag, "read:statuses", auth=Auth.OPTIONAL),
            route("GET", f"{base}/list/{{id}}", self.list_, "read:lists"),
            route("GET", "/api/v1/favourites", self.favourites, "read:favourites"),
            route("GET", "/api/v1/bookmarks", self.bookmarks, "read:bookmarks"),
            route("GET", trends, self.trends, "read:statuses", auth=Auth.OPTIONAL),
            route("GET", "/api/v1.1/discover/posts/trending", self.trends, "read:statuses", auth=Auth.OPTIONAL),
        ]

    async def home(self, request: MastodonRequest) -> web.Response:
        """Return the home feed."""
        query, viewer_id = request.query(PageQuery), request.viewer.user_id

        async def read(before: int | None, limit: int) -> list[Any]:
            page = await self._home.page(request, before=before, limit=limit)
            return list(orjson.loads(b"[" + b"".join(page.pieces) + b"]"))

        page = await read_page(query, read, lambda photo: decode(photo["id"]))
        await self._last_seen.record(viewer_id)
        return request.page_response(await self._renderer.parsed(page.items, viewer_id), page, self._base)

    async def public(self, request: MastodonRequest) -> web.Response:
        """Return the newest public photos."""
        query, viewer_id = request.query(PublicQuery), request.viewer_id
        if query.remote:
            return respond([])
        return await self._photos(
            request,
            query,
            lambda db, before, limit: photo_lists.newest(db, viewer_id=viewer_id, before=before, limit=limit),
        )

    async def tag(self, request: MastodonRequest) -> web.Response:
        """Return the photos with a tag."""
        viewer_id, tag = request.viewer_id, tag_of(request)
        return await self._photos(
            request,
            request.query(PageQuery),
            lambda db, before, limit: photo_lists.by_tag(db, tag, viewer_id=viewer_id, before=before, limit=limit),
        )

    async def list_(self, request: MastodonRequest) -> web.Response:
        """Return the photos of the accounts in one of the viewer's lists."""
        list_id, viewer_id = request.id(), request.viewer.user_id
        return await self._photos(
            request,
            request.query(PageQuery),
            lambda db, before, limit: list_photos.page(db, list_id, owner_id=viewer_id, before=before, limit=limit),
        )

    async def favourites(self, request: MastodonRequest) -> web.Response:
        """Return the photos that the viewer likes, of the newest likes, the newest photos first."""
        viewer_id = request.viewer.user_id

        async def page(db: Queryable, before: int | None, limit: int) -> list[Photo]:
            liked = sorted((photo_id for photo_id, _ in await likes.of_user(db, viewer_id, limit=NEWEST_LIKES)))
            below = [photo_id for photo_id in reversed(liked) if before is None or photo_id < before]
            found: list[Photo] = []
            # Some may be hidden from the viewer by now; the rest of the page is read below them.
            while len(found) < limit and below:
                part, below = below[:limit], below[limit:]
                shown = await photo_lists.by_ids(db, part, viewer_id=viewer_id)
                found += [shown[photo_id] for photo_id in part if photo_id in shown]
            return found[:limit]

        return await self._photos(request, request.query(PageQuery), page)

    async def bookmarks(self, request: MastodonRequest) -> web.Response:
        """Return the photos that the viewer has saved, the last one first."""
        query, viewer_id = request.query(PageQuery), request.viewer.user_id

        async def read(before: int | None, limit: int) -> list[tuple[int, Photo]]:
            async def saved(db: Queryable) -> list[tuple[int, Photo]]:
                collection_id = await photo_collections.find_saved(db, viewer_id)
                if collection_id is None:
                    return []
                return await collection_items.page(db, collection_id, viewer_id=viewer_id, before=before, limit=limit)

            return await self._reads.read(viewer_id, saved)

        page = await read_page(query, read, lambda item: item[0])
        statuses = await self._renderer.photos([photo for _, photo in page.items], viewer_id)
        return request.page_response(statuses, page, self._base)

    async def trends(self, request: MastodonRequest) -> web.Response:
        """Return the photos that trend."""
        query, viewer_id = request.query(OffsetQuery), request.viewer_id
        page = await self._trending.page(viewer_id, position=None, limit=min(query.offset + query.size(), 100))
        wanted = page.photo_ids[query.offset :]
        return respond(await self._renderer.documents(await self._cards.render(wanted, viewer_id), viewer_id))

    async def _photos(self, request: MastodonRequest, query: PageQuery, page_of: PhotoPage) -> web.Response:
        viewer_id = request.viewer_id

        async def read(before: int | None, limit: int) -> Sequence[Photo]:
            return await self._reads.read(viewer_id, lambda db: page_of(db, before, limit))

        page = await read_page(query, read, lambda photo: photo.id)
        return request.page_response(await self._renderer.photos(page.items, viewer_id), page, self._base)
