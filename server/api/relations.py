"""Follow, block and mute; followers, followed accounts, and requests to follow a private account."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from server.actions.relations import QUOTA, RelationActions
from server.edge.api_request import ApiRequest, empty_response, list_response
from server.edge.endpoint import Auth, Endpoint
from server.edge.paging import Cursors, Pager
from server.edge.requests import ListQuery
from server.edge.responses import ListResponse, UserSummaryResponse
from storage.errors import NotFoundError
from storage.models import User
from storage.postgres.database import Queryable
from storage.stores import relations

Action = Callable[[int, int], Awaitable[object]]


class RelationsApi:
    """`/users/{id}/follow`, `/block`, `/mute`, `/followers`, `/following` and `/users/me/follow-requests`."""

    def __init__(self, db: Queryable, cursors: Cursors, actions: RelationActions) -> None:
        self._db = db
        self._cursors = cursors
        self._actions = actions

    def endpoints(self) -> list[Endpoint]:
        """Return the route table of this resource."""
        act, requests = self._actions, "/users/me/follow-requests"
        return [
            _change(
                "PUT",
                "/users/{id}/follow",
                act.follow,
                "Follow a user; a private account gets a request",
                stores=True,
            ),
            _change("DELETE", "/users/{id}/follow", act.unfollow, "Unfollow a user, or withdraw the request"),
            _change("PUT", "/users/{id}/block", act.block, "Block a user: neither of you sees the other"),
            _change("DELETE", "/users/{id}/block", act.unblock, "Unblock a user"),
            _change("PUT", "/users/{id}/mute", act.mute, "Hide a user's photos from your feed, without notice"),
            _change("DELETE", "/users/{id}/mute", act.unmute, "Unmute a user"),
            _list("/users/{id}/followers", self.followers, "List the followers of a user"),
            _list("/users/{id}/following", self.following, "List the accounts that a user follows"),
            _list(requests, self.requests, "List the requests to follow you", Auth.REQUIRED),
            _change("PUT", requests + "/{id}", act.accept, "Accept a request to follow you"),
            _change("DELETE", requests + "/{id}", act.decline, "Decline a request to follow you, without notice"),
        ]

    async def followers(self, request: ApiRequest) -> web.Response:
        """Handle `GET /users/{id}/followers`."""
        owner_id = await self._visible(request)
        query, pager = self._page(request, f"followers of {owner_id}")
        found = await relations.followers(
            self._db, owner_id, before=pager.before(query.cursor), limit=query.limit + 1, viewer_id=request.viewer_id
        )
        return _users_response(pager, found, query.limit)

    async def following(self, request: ApiRequest) -> web.Response:
        """Handle `GET /users/{id}/following`."""
        owner_id = await self._visible(request)
        query, pager = self._page(request, f"following of {owner_id}")
        found = await relations.following(
            self._db, owner_id, before=pager.before(query.cursor), limit=query.limit + 1, viewer_id=request.viewer_id
        )
        return _users_response(pager, found, query.limit)

    async def requests(self, request: ApiRequest) -> web.Response:
        """Handle `GET /users/me/follow-requests`."""
        user_id = request.viewer.user_id
        query, pager = self._page(request, f"requests to {user_id}")
        found = await relations.requests(self._db, user_id, before=pager.before(query.cursor), limit=query.limit + 1)
        return _users_response(pager, found, query.limit)

    async def _visible(self, request: ApiRequest) -> int:
        owner_id = request.id()
        if not await relations.may_see(self._db, request.viewer_id, owner_id):
            raise NotFoundError("user")
        return owner_id

    def _page(self, request: ApiRequest, listing: str) -> tuple[ListQuery, Pager]:
        return request.query(ListQuery), Pager(self._cursors, listing)


def _change(method: str, path: str, action: Action, summary: str, *, stores: bool = False) -> Endpoint:
    async def handler(request: ApiRequest) -> web.Response:
        await action(request.viewer.user_id, request.id())
        return empty_response()

    return Endpoint(
        method=method,
        path=path,
        handler=handler,
        summary=summary,
        tag="relations",
        quota=QUOTA,
        stores=stores,
        status=204,
        errors=(404, 409) if method == "PUT" else (404,),
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
