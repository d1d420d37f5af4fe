"""Follow, block and mute accounts, decide about requests, and the lists of these."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from server.actions.relations import QUOTA, RelationActions
from server.edge.requests import QueryModel
from server.identity.new_accounts import FOLLOWS
from server.mastodon.accounts import account
from server.mastodon.endpoint import Handler, Route, route
from server.mastodon.paging import ACCOUNTS, PageQuery, read_page
from server.mastodon.relationships import relationships
from server.mastodon.request import MastodonRequest, respond
from server.mastodon.texts import Links
from storage.models import User
from storage.postgres.database import Queryable
from storage.postgres.reads import Reads
from storage.stores.social import relations

Action = Callable[[int, int], Awaitable[object]]


class FollowForm(QueryModel):
    """Options of a follow: `notify` is the bell. There are no reposts that could be hidden."""

    notify: bool | None = None


class RelationRoutes:
    """Relations of the viewer to other accounts."""

    def __init__(self, reads: Reads, actions: RelationActions, links: Links) -> None:
        self._reads = reads
        self._actions = actions
        self._links = links

    def routes(self) -> list[Route]:
        """Return the routes."""
        act, of, requests = self._actions, "/api/v1/accounts/{id}", "/api/v1/follow_requests"
        follows = "write:follows"
        return [
            route("POST", f"{of}/follow", self.follow, follows, quota=QUOTA, new_account_quota=FOLLOWS, stores=True),
            self._change(f"{of}/unfollow", act.unfollow, follows),
            self._change(f"{of}/block", act.block, "write:blocks", stores=True),
            self._change(f"{of}/unblock", act.unblock, "write:blocks"),
            self._change(f"{of}/mute", act.mute, "write:mutes", stores=True),
            self._change(f"{of}/unmute", act.unmute, "write:mutes"),
            route("GET", requests, self._list(relations.requests), "read:follows"),
            self._change(f"{requests}/{{id}}/authorize", act.accept, follows),
            self._change(f"{requests}/{{id}}/reject", act.decline, follows),
            route("GET", "/api/v1/blocks", self._list(relations.blocks), "read:blocks"),
            route("GET", "/api/v1/mutes", self._list(relations.mutes), "read:mutes"),
        ]

    async def follow(self, request: MastodonRequest) -> web.Response:
        """Follow an account, or ask to; with `notify`, be notified of its photos."""
        viewer_id, other_id = request.viewer.user_id, request.id()
        form = await request.form(FollowForm)
        accepted = await self._actions.follow(viewer_id, other_id)
        if form.notify is not None and accepted:
            await (self._actions.turn_bell_on if form.notify else self._actions.turn_bell_off)(viewer_id, other_id)
        return await self._changed(viewer_id, other_id)

    def _change(self, path: str, action: Action, scope: str, *, stores: bool = False) -> Route:
        async def handler(request: MastodonRequest) -> web.Response:
            viewer_id, other_id = request.viewer.user_id, request.id()
            await action(viewer_id, other_id)
            return await self._changed(viewer_id, other_id)

        return route("POST", path, handler, scope, quota=QUOTA, stores=stores)

    async def _changed(self, viewer_id: int, other_id: int) -> web.Response:
        # It decides what the other user may see, from now on and not only once a replica has it.
        await self._reads.keep_position(other_id)
        await self._reads.keep_position(viewer_id)
        (changed,) = await relationships(self._reads, viewer_id, [other_id])
        return respond(changed)

    def _list(self, store: Callable[..., Awaitable[list[User]]]) -> Handler:
        async def handler(request: MastodonRequest) -> web.Response:
            viewer_id = request.viewer.user_id

            async def read(before: int | None, limit: int) -> list[User]:
                async def page(db: Queryable) -> list[User]:
                    return await store(db, viewer_id, before=before, limit=limit)

                return await self._reads.read(viewer_id, page)

            page = await read_page(request.query(PageQuery), read, lambda user: user.id, most=ACCOUNTS)
            return request.page_response([account(user, self._links) for user in page.items], page, self._links.base)

        return handler
