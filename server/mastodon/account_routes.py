"""`/api/v1/accounts`: the viewer's own account, profiles, their lists, and what they post."""

from __future__ import annotations

from typing import Annotated, Any

from aiohttp import web
from pydantic import BeforeValidator, ConfigDict, Field

from server.actions.search import SEARCH_QUOTA, Results, SearchActions
from server.edge.endpoint import Auth
from server.edge.requests import QueryModel
from server.mastodon.accounts import Entity, account, credential_account
from server.mastodon.endpoint import Route, route
from server.mastodon.ids import parse_id
from server.mastodon.paging import ACCOUNTS, PageQuery, read_page
from server.mastodon.relationships import relationships
from server.mastodon.rendering import Renderer
from server.mastodon.request import MastodonRequest, respond
from storage.errors import NotFoundError
from storage.ids import encode
from storage.models import Photo, User
from storage.postgres.database import Queryable
from storage.postgres.reads import Reads
from storage.search_text import parse
from storage.stores.accounts import users
from storage.stores.photos import photo_lists
from storage.stores.social import relations

MAX_RELATIONSHIPS = 80  # of one request


def id_list(value: Any) -> list[int]:
    """Return the ids of a parameter that has one or several; those that are none are left out."""
    found = []
    for each in value if isinstance(value, list) else [value]:
        try:
            found.append(parse_id(str(each)))
        except NotFoundError:
            continue
    return found


Ids = Annotated[list[int], BeforeValidator(id_list), Field(max_length=MAX_RELATIONSHIPS)]


class LookUp(QueryModel):
    """The name of an account, with or without this installation's name after it."""

    acct: Annotated[str, Field(min_length=1, max_length=300)]


class AccountSearch(PageQuery):
    """What to find in the names of accounts; `following` finds those that the viewer follows."""

    q: Annotated[str, Field(max_length=300)] = ""
    offset: Annotated[int, Field(ge=0, le=10_000)] = 0
    following: bool = False


class Relationships(QueryModel):
    """The accounts whose relation is asked for."""

    model_config = ConfigDict(frozen=False)

    id: Ids = Field(default=[])


class StatusesQuery(PageQuery):
    """Which photos of an account: none are pinned, and all are pictures that answer nothing."""

    pinned: bool = False
    tagged: str | None = None


class AccountRoutes:
    """Accounts as the viewer may see them."""

    def __init__(self, reads: Reads, renderer: Renderer, search: SearchActions) -> None:
        self._reads = reads
        self._renderer = renderer
        self._links = renderer.links
        self._search = search

    def routes(self) -> list[Route]:
        """Return the routes; fixed paths come first."""
        base, scope = "/api/v1/accounts", "read:accounts"
        return [
            route("GET", f"{base}/verify_credentials", self.verify, "profile"),
            route("GET", f"{base}/lookup", self.look_up),
            route("GET", f"{base}/search", self.search, scope, quota=SEARCH_QUOTA),
            route("GET", f"{base}/relationships", self.relationships, "read:follows"),
            route("GET", f"{base}/familiar_followers", self.familiar, "read:follows"),
            route("GET", f"{base}/{{id}}", self.profile, scope, auth=Auth.OPTIONAL),
            route("GET", f"{base}/{{id}}/statuses", self.statuses, "read:statuses", auth=Auth.OPTIONAL),
            route("GET", f"{base}/{{id}}/followers", self.followers, scope, auth=Auth.OPTIONAL),
            route("GET", f"{base}/{{id}}/following", self.following, scope, auth=Auth.OPTIONAL),
            route("GET", f"{base}/{{id}}/featured_tags", self.nothing_of, scope, auth=Auth.OPTIONAL),
            route("GET", f"{base}/{{id}}/identity_proofs", self.nothing_of, scope, auth=Auth.OPTIONAL),
            route("GET", "/api/v1.1/accounts/username/{name}", self.by_name, scope),
        ]

    async def verify(self, request: MastodonRequest) -> web.Response:
        """Return the viewer's own account."""
        viewer_id = request.viewer.user_id

        async def read(db: Queryable) -> tuple[User, int]:
            waiting = await relations.requests(db, viewer_id, before=None, limit=40)
            return await users.get(db, viewer_id), len(waiting)

        user, waiting = await self._reads.read(viewer_id, read)
        return respond(credential_account(user, self._links, requests=waiting))

    async def look_up(self, request: MastodonRequest) -> web.Response:
        """Return the account of a name."""
        return respond(await self._named(request, request.query(LookUp).acct))

    async def by_name(self, request: MastodonRequest) -> web.Response:
        """Return the account of a name in the path, as Pixelfed has it."""
        return respond(await self._named(request, request.http.match_info["name"]))

    async def profile(self, request: MastodonRequest) -> web.Response:
        """Return an account."""
        user_id, viewer_id = request.id(), request.viewer_id
        user = await self._reads.read(viewer_id, lambda db: users.get(db, user_id, viewer_id=viewer_id))
        return respond(account(user, self._links))

    async def search(self, request: MastodonRequest) -> web.Response:
        """Return the accounts whose names fit."""
        query, viewer_id = request.query(AccountSearch), request.viewer.user_id
        results = Results()
        await self._search.users(parse(query.q.lstrip("@")), results, viewer_id)
        found = [each.user.id for each in results.users if each.following or not query.following]
        page = found[query.offset : query.offset + query.size(ACCOUNTS)]
        return respond(await self._renderer.accounts_in_order(page, viewer_id))

    async def relationships(self, request: MastodonRequest) -> web.Response:
        """Return the viewer's relations to accounts, in the order of the request."""
        wanted = list(dict.fromkeys(request.query(Relationships).id))
        return respond(await relationships(self._reads, request.viewer.user_id, wanted))

    async def familiar(self, request: MastodonRequest) -> web.Response:
        """Return no familiar followers: PicShare does not look for them."""
        return respond([{"id": str(user_id), "accounts": []} for user_id in request.query(Relationships).id])

    async def statuses(self, request: MastodonRequest) -> web.Response:
        """Return the photos of an account."""
        query, owner_id, viewer_id = request.query(StatusesQuery), request.id(), request.viewer_id
        # Raises a 404 for an account that the viewer may not know of.
        await self._reads.read(viewer_id, lambda db: users.get(db, owner_id, viewer_id=viewer_id))
        if query.pinned:
            return respond([])

        async def read(before: int | None, limit: int) -> list[Photo]:
            return await self._reads.read(
                viewer_id,
                lambda db: photo_lists.by_author(db, owner_id, viewer_id=viewer_id, before=before, limit=limit),
            )

        page = await read_page(query, read, lambda photo: photo.id)
        shown = [photo for photo in page.items if query.tagged is None or query.tagged.lower() in photo.tags]
        return request.page_response(await self._renderer.photos(shown, viewer_id), page, self._links.base)

    async def followers(self, request: MastodonRequest) -> web.Response:
        """Return the followers of an account."""
        return await self._related(request, followers=True)

    async def following(self, request: MastodonRequest) -> web.Response:
        """Return the accounts that an account follows."""
        return await self._related(request, followers=False)

    async def nothing_of(self, request: MastodonRequest) -> web.Response:
        """Return an empty list about an account."""
        request.id()
        return respond([])

    async def _related(self, request: MastodonRequest, *, followers: bool) -> web.Response:
        query, owner_id, viewer_id = request.query(PageQuery), request.id(), request.viewer_id
        page_of = relations.followers if followers else relations.following

        async def read(before: int | None, limit: int) -> list[User]:
            async def related(db: Queryable) -> list[User]:
                if not await relations.may_see(db, viewer_id, owner_id):
                    raise NotFoundError("user")
                return await page_of(db, owner_id, before=before, limit=limit, viewer_id=viewer_id)

            return await self._reads.read(viewer_id, related)

        page = await read_page(query, read, lambda user: user.id, most=ACCOUNTS)
        return request.page_response([account(user, self._links) for user in page.items], page, self._links.base)

    async def _named(self, request: MastodonRequest, name: str) -> Entity:
        # An account of this installation may be named with its host, as accounts of others are.
        name, _, host = name.removeprefix("@").partition("@")
        viewer_id = request.viewer_id
        if (host and host.lower() != self._links.host) or not name.isprintable():
            raise NotFoundError("user")
        user = await self._reads.read(viewer_id, lambda db: users.find(db, name, viewer_id=viewer_id))
        if name.upper() == encode(user.id):
            raise NotFoundError("user")
        return account(user, self._links)
