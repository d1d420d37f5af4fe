"""`/api/v2/search`, and tags: what trends, and which ones the viewer follows."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from aiohttp import web
from pydantic import Field

from server.actions.search import SEARCH_QUOTA, Results, SearchActions
from server.actions.tags import QUOTA, TagActions
from server.edge.endpoint import Auth
from server.mastodon.accounts import Entity
from server.mastodon.endpoint import Route, route
from server.mastodon.ids import StatusRef
from server.mastodon.paging import PageQuery
from server.mastodon.rendering import Renderer
from server.mastodon.request import MastodonRequest, respond
from server.mastodon.status_routes import StatusReader
from server.mastodon.texts import Links
from server.mastodon.timeline_routes import OffsetQuery, tag_of
from storage.cache.tag_trends import TagTrends
from storage.errors import NotFoundError
from storage.ids import BadIdError, decode
from storage.postgres.reads import Reads
from storage.search_text import parse
from storage.stores.accounts import usernames
from storage.stores.social import tag_follows

MAX = 40


class SearchQuery(PageQuery):
    """What to find, of which type, from which place on."""

    q: Annotated[str, Field(max_length=1000)] = ""
    type: Literal["accounts", "hashtags", "statuses"] | None = None
    offset: Annotated[int, Field(ge=0, le=10_000)] = 0


def tag_entity(name: str, links: Links, *, following: bool | None = None, authors: int = 0) -> Entity:
    """Return the entity of a tag; `authors` used it in the last hours."""
    history = [{"day": "0", "uses": str(authors), "accounts": str(authors)}] if authors else []
    entity: Entity = {"id": name, "name": name, "url": links.tag(name), "history": history}
    return entity if following is None else {**entity, "following": following, "featuring": False}


class SearchRoutes:
    """Searches, and tags."""

    def __init__(
        self,
        reads: Reads,
        renderer: Renderer,
        reader: StatusReader,
        *,
        search: SearchActions,
        tags: TagActions,
        trends: TagTrends,
    ) -> None:
        self._reads = reads
        self._renderer = renderer
        self._links = renderer.links
        self._reader = reader
        self._search = search
        self._tags = tags
        self._trends = trends

    def routes(self) -> list[Route]:
        """Return the routes."""
        tag, follows = "/api/v1/tags/{tag}", "write:follows"
        return [
            route("GET", "/api/v2/search", self.search, "read:search", auth=Auth.OPTIONAL, quota=SEARCH_QUOTA),
            route("GET", "/api/v1/trends", self.trends),
            route("GET", "/api/v1/trends/tags", self.trends),
            route("GET", "/api/v1.1/discover/posts/hashtags", self.trends),
            route("GET", "/api/v1/followed_tags", self.followed, "read:follows"),
            route("GET", tag, self.tag),
            route("POST", f"{tag}/follow", self.follow, follows, quota=QUOTA, stores=True),
            route("POST", f"{tag}/unfollow", self.unfollow, follows, quota=QUOTA),
        ]

    async def search(self, request: MastodonRequest) -> web.Response:
        """Return accounts, photos and tags; the address of a page of PicShare finds what it shows."""
        query, viewer_id = request.query(SearchQuery), request.viewer_id
        wanted = {query.type} if query.type else {"accounts", "statuses", "hashtags"}
        found: dict[str, list[Entity]] = {"accounts": [], "statuses": [], "hashtags": []}
        at_address = await self._at_address(query.q.strip(), viewer_id)
        if at_address is not None:
            kind, entity = at_address
            found[kind] += [entity] if kind in wanted else []
        elif query.q.strip():
            await self._by_words(query, wanted, found, viewer_id)
        return respond(found)

    async def trends(self, request: MastodonRequest) -> web.Response:
        """Return the tags that trend."""
        query = request.query(OffsetQuery)
        ranked = await self._trends.page(None, count=query.offset + min(query.limit, 20))
        return respond([tag_entity(one.tag, self._links, authors=one.authors) for one in ranked[query.offset :]])

    async def followed(self, request: MastodonRequest) -> web.Response:
        """Return the tags that the viewer follows."""
        viewer_id = request.viewer.user_id
        found = await self._reads.read(viewer_id, lambda db: tag_follows.followed(db, viewer_id))
        return respond([tag_entity(name, self._links, following=True) for name in found])

    async def tag(self, request: MastodonRequest) -> web.Response:
        """Return a tag, and whether the viewer follows it."""
        name, viewer_id = tag_of(request), request.viewer_id
        return respond(tag_entity(name, self._links, following=name in await self._followed(viewer_id)))

    async def follow(self, request: MastodonRequest) -> web.Response:
        """Follow a tag."""
        name = tag_of(request)
        await self._tags.follow(request.viewer.user_id, name)
        return respond(tag_entity(name, self._links, following=True))

    async def unfollow(self, request: MastodonRequest) -> web.Response:
        """Unfollow a tag."""
        name = tag_of(request)
        await self._tags.unfollow(request.viewer.user_id, name)
        return respond(tag_entity(name, self._links, following=False))

    async def _by_words(
        self, query: SearchQuery, wanted: set[Any], found: dict[str, list[Entity]], viewer_id: int | None
    ) -> None:
        text, results, size = query.q.strip(), Results(), query.size(MAX)
        part = slice(query.offset, query.offset + size)
        if "accounts" in wanted:
            await self._search.users(parse(_without_host(text.lstrip("@"), self._links.host)), results, viewer_id)
            users = [each.user.id for each in results.users[part]]
            found["accounts"] = await self._renderer.accounts_in_order(users, viewer_id)
        if "hashtags" in wanted:
            await self._search.tags(parse(text.lstrip("#")), results, viewer_id)
            followed = await self._followed(viewer_id)
            found["hashtags"] = [
                tag_entity(each.tag, self._links, following=each.tag in followed) for each in results.tags[part]
            ]
        # Photos are found by id, and their pages begin there; those of an offset would be read again.
        if "statuses" in wanted and not query.offset:
            await self._search.photos(parse(text), results, viewer_id, before=query.max_id, limit=size)
            found["statuses"] = await self._renderer.photos(results.photos, viewer_id)

    async def _followed(self, viewer_id: int | None) -> Collection[str]:
        if viewer_id is None:
            return ()
        return await self._reads.read(viewer_id, lambda db: tag_follows.followed(db, viewer_id))

    async def _at_address(self, text: str, viewer_id: int | None) -> tuple[str, Entity] | None:
        """Return what the page at an address of this installation shows, and its type; None for any other text."""
        if not text.startswith(f"{self._links.base}/") or not text.isprintable():
            return None
        kind, _, name = urlsplit(text).path.lstrip("/").partition("/")
        try:
            if kind == "p":
                return "statuses", await self._reader.status(StatusRef(decode(name)), viewer_id)
            if kind == "u":
                user_id = await self._reads.read(viewer_id, lambda db: usernames.id_of(db, name))
                accounts = await self._renderer.accounts_in_order([user_id] if user_id else [], viewer_id)
                return ("accounts", accounts[0]) if accounts else None
        except (NotFoundError, BadIdError):
            return None
        return None


def _without_host(text: str, host: str) -> str:
    name, _, given = text.partition("@")
    return name if given.lower() == host else text
