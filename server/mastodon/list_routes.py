"""`/api/v1/lists`: the viewer's lists of accounts; `server.mastodon.timeline_routes` has their photos."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web
from pydantic import Field

from server.actions.lists import QUOTA, ListActions
from server.edge.list_requests import ListTitle
from server.edge.requests import QueryModel
from server.mastodon.account_routes import Ids
from server.mastodon.accounts import Entity, account
from server.mastodon.endpoint import Route, route
from server.mastodon.paging import ACCOUNTS, PageQuery, read_page
from server.mastodon.request import MastodonRequest, respond
from server.mastodon.texts import Links
from storage.models import AccountList, User
from storage.postgres.database import Database
from storage.postgres.reads import Reads
from storage.stores.social import list_members, lists

_BASE = "/api/v1/lists"


class ListForm(QueryModel):
    """The title of a list; how replies are shown in it, there are none."""

    title: ListTitle


class MembersForm(QueryModel):
    """Accounts to add to a list, or to remove from it."""

    account_ids: Ids = Field(default=[])


def list_entity(found: AccountList) -> Entity:
    """Return the entity of a list."""
    return {"id": str(found.id), "title": found.title, "replies_policy": "list", "exclusive": False}


class ListRoutes:
    """The viewer's lists."""

    def __init__(self, db: Database, reads: Reads, actions: ListActions, links: Links) -> None:
        self._db = db
        self._reads = reads
        self._actions = actions
        self._links = links

    def routes(self) -> list[Route]:
        """Return the routes."""
        one, members, change = f"{_BASE}/{{id}}", f"{_BASE}/{{id}}/accounts", "write:lists"
        return [
            route("GET", _BASE, self.all, "read:lists"),
            route("POST", _BASE, self.create, change, quota=QUOTA, stores=True),
            route("GET", one, self.get, "read:lists"),
            route("PUT", one, self.rename, change, quota=QUOTA),
            route("DELETE", one, self.delete, change, quota=QUOTA),
            route("GET", members, self.accounts, "read:lists"),
            route("POST", members, self.add, change, quota=QUOTA, stores=True),
            route("DELETE", members, self.remove, change, quota=QUOTA),
            route("GET", "/api/v1/accounts/{id}/lists", self.with_account, "read:lists"),
        ]

    async def all(self, request: MastodonRequest) -> web.Response:
        """Return all lists of the viewer, newest first."""
        viewer_id = request.viewer.user_id
        found = await self._reads.read(viewer_id, lambda db: lists.page(db, viewer_id, before=None, limit=lists.MAX))
        return respond([list_entity(each) for each in found])

    async def create(self, request: MastodonRequest) -> web.Response:
        """Create an empty list."""
        form = await request.form(ListForm)
        async with self._db.transaction() as tx:
            created = await self._actions.create(tx, request.viewer.user_id, title=form.title)
        return respond(list_entity(created))

    async def get(self, request: MastodonRequest) -> web.Response:
        """Return a list."""
        list_id, viewer_id = request.id(), request.viewer.user_id
        found = await self._reads.read(viewer_id, lambda db: lists.get(db, list_id, owner_id=viewer_id))
        return respond(list_entity(found))

    async def rename(self, request: MastodonRequest) -> web.Response:
        """Change the title of a list."""
        form = await request.form(ListForm)
        renamed = await self._actions.rename(request.viewer.user_id, request.id(), title=form.title)
        return respond(list_entity(renamed))

    async def delete(self, request: MastodonRequest) -> web.Response:
        """Delete a list."""
        await self._actions.delete(request.viewer.user_id, request.id())
        return respond({})

    async def accounts(self, request: MastodonRequest) -> web.Response:
        """Return the accounts in a list."""
        list_id, viewer_id = request.id(), request.viewer.user_id

        async def read(before: int | None, limit: int) -> Sequence[User]:
            return await self._reads.read(
                viewer_id,
                lambda db: list_members.page(db, list_id, owner_id=viewer_id, before=before, limit=limit),
            )

        page = await read_page(request.query(PageQuery), read, lambda user: user.id, most=ACCOUNTS)
        return request.page_response([account(user, self._links) for user in page.items], page, self._links.base)

    async def add(self, request: MastodonRequest) -> web.Response:
        """Add accounts to a list."""
        for account_id in (await request.form(MembersForm)).account_ids:
            await self._actions.add(request.viewer.user_id, request.id(), account_id)
        return respond({})

    async def remove(self, request: MastodonRequest) -> web.Response:
        """Remove accounts from a list."""
        for account_id in (await request.form(MembersForm)).account_ids:
            await self._actions.remove(request.viewer.user_id, request.id(), account_id)
        return respond({})

    async def with_account(self, request: MastodonRequest) -> web.Response:
        """Return the viewer's lists that contain an account."""
        account_id, viewer_id = request.id(), request.viewer.user_id
        found = await self._reads.read(viewer_id, lambda db: lists.with_account(db, viewer_id, account_id))
        return respond([list_entity(each) for each in found])
