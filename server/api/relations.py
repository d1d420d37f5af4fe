"""Follow, block and mute; followers, followed accounts, requests to follow, close friends, and bells."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from aiohttp import web

from server.actions.relations import QUOTA, RelationActions
from server.edge.api_request import ApiRequest, empty_response, list_response
from server.edge.endpoint import Auth, Endpoint
from server.edge.paging import Cursors, Pager
from server.edge.requests import ListQuery
from server.edge.responses import ListResponse, UserSummaryResponse
from server.identity.new_accounts import FOLLOWS
from storage.errors import NotFoundError
from storage.models import User
from storage.postgres.database import Queryable
from storage.postgres.reads import Reads
from storage.stores.social import relations

Action = Callable[[int, int], Awaitable[object]]


class Page(Protocol):
    """A store function that lists users related to one."""

    async def __call__(
        self, db: Queryable, user_id: int, *, before: int | None, limit: int, viewer_id: int | None
    ) -> list[User]:
        """Return users with ids below `before`."""
        ...


class OwnPage(Protocol):
    """A store function that lists the users who are related to a user."""

    async def __call__(self, db: Queryable, user_id: int, *, before: int | None, limit: int) -> list[User]:
        """Return users with ids below `before`."""
        ...


class RelationsApi:
    """Relations of the viewer: follow, block, mute, close friends; and the lists of users that come of them."""

    def __init__(self, reads: Reads, cursors: Cursors, actions: RelationActions) -> None:
        self._reads = reads
        self._cursors = cursors
        self._actions = actions

    def endpoints(self) -> list[Endpoint]:
        """Return the route table of this resource."""
        act, requests = self._actions, "/users/me/follow-requests"
        circle = "/users/{id}/close-friend"
        return [
            self._change(
                "PUT",
                "/users/{id}/follow",
                act.follow,
                "Follow a user; a private account gets a request",
                stores=True,
                new_account_quota=FOLLOWS,
            ),
            self._change("DELETE", "/users/{id}/follow", act.unfollow, "Unfollow a user, or withdraw the request"),
            self._change("PUT", "/users/{id}/block", act.block, "Block a user: neither of you sees the other"),
            self._change("DELETE", "/users/{id}/block", act.unblock, "Unblock a user"),
            self._change("PUT", "/users/{id}/mute", act.mute, "Hide a user's photos from your feed, without notice"),
            self._change("DELETE", "/users/{id}/mute", act.unmute, "Unmute a user"),
            self._change(
                "POST", "/users/{id}/bell", act.turn_bell_on, "Be notified of each new photo of a user whom you follow"
            ),
            self._change("DELETE", "/users/{id}/bell", act.turn_bell_off, "End the notifications of a user's photos"),
            _list("/users/{id}/followers", self.followers, "List the followers of a user"),
            _list("/users/{id}/following", self.following, "List the accounts that a user follows"),
            _list(requests, self.requests, "List the requests to follow you", Auth.REQUIRED),
            self._change("PUT", circle, act.add_close_friend, "Make a user one of your close friends, without notice"),
            self._change("DELETE", circle, act.remove_close_friend, "Remove one of your close friends, without notice"),
            _list("/users/me/close-friends", self.close_friends, "List your close friends", Auth.REQUIRED),
            _list("/users/me/blocks", self.blocks, "List the accounts that you block", Auth.REQUIRED),
            _list("/users/me/mutes", self.mutes, "List the accounts that you mute", Auth.REQUIRED),
            self._change("PUT", requests + "/{id}", act.accept, "Accept a request to follow you"),
            self._change("DELETE", requests + "/{id}", act.decline, "Decline a request to follow you, without notice"),
        ]

    async def followers(self, request: ApiRequest) -> web.Response:
        """Handle `GET /users/{id}/followers`."""
        return await self._related(request, "followers", relations.followers)

    async def following(self, request: ApiRequest) -> web.Response:
        """Handle `GET /users/{id}/following`."""
        return await self._related(request, "following", relations.following)

    async def requests(self, request: ApiRequest) -> web.Response:
        """Handle `GET /users/me/follow-requests`."""
        return await self._own(request, "requests to", relations.requests)

    async def close_friends(self, request: ApiRequest) -> web.Response:
        """Handle `GET /users/me/close-friends`."""
        return await self._own(request, "close friends of", relations.close_friends)

    async def blocks(self, request: ApiRequest) -> web.Response:
        """Handle `GET /users/me/blocks`."""
        return await self._own(request, "blocks of", relations.blocks)

    async def mutes(self, request: ApiRequest) -> web.Response:
        """Handle `GET /users/me/mutes`."""
        return await self._own(request, "mutes of", relations.mutes)

    async def _own(self, request: ApiRequest, name: str, page: OwnPage) -> web.Response:
        user_id = request.viewer.user_id
        query, pager = self._page(request, f"{name} {user_id}")
        before, limit = pager.before(query.cursor), query.limit + 1
        found = await self._reads.read(user_id, lambda db: page(db, user_id, before=before, limit=limit))
        return _users_response(pager, found, query.limit)

    async def _related(self, request: ApiRequest, name: str, page: Page) -> web.Response:
        owner_id, viewer_id = request.id(), request.viewer_id
        query, pager = self._page(request, f"{name} of {owner_id}")

        async def related(db: Queryable) -> list[User]:
            if not await relations.may_see(db, viewer_id, owner_id):
                raise NotFoundError("user")
            before, limit = pager.before(query.cursor), query.limit + 1
            return await page(db, owner_id, before=before, limit=limit, viewer_id=viewer_id)

        return _users_response(pager, await self._reads.read(viewer_id, related), query.limit)

    def _page(self, request: ApiRequest, listing: str) -> tuple[ListQuery, Pager]:
        return request.query(ListQuery), Pager(self._cursors, listing)

    def _change(
        self,
        method: str,
        path: str,
        action: Action,
        summary: str,
        *,
        stores: bool = False,
        new_account_quota: str | None = None,
    ) -> Endpoint:
        async def handler(request: ApiRequest) -> web.Response:
            other_id = request.id()
            await action(request.viewer.user_id, other_id)
            # It decides what the other user may see, from now on and not only once a replica has it.
            await self._reads.keep_position(other_id)
            return empty_response()

        return Endpoint(
            method=method,
            path=path,
            handler=handler,
            summary=summary,
            tag="relations",
            quota=QUOTA,
            new_account_quota=new_account_quota,
            stores=stores,
            status=204,
            errors=(404,) if method == "DELETE" else (404, 409),
        )


def _list(
    path: str,
    handler: Callable[[ApiRequest], Awaitable[web.Response]],
    summary: str,
    auth: Auth = Auth.OPTIONAL,
) -> Endpoint:
    return Endpoint(
        method="GET",
        path=path,
        handler=handler,
        summary=summary,
        tag="relations",
        auth=auth,
        query=ListQuery,
        response=ListResponse[UserSummaryResponse],
        errors=(404,),
    )


def _users_response(pager: Pager, found: list[User], limit: int) -> web.Response:
    page, next_cursor = pager.cut(found, limit, lambda user: user.id)
    return list_response([UserSummaryResponse.from_model(user).to_bytes() for user in page], next_cursor)
