"""Follow, block and mute; who follows whom; requests to follow a private account."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web

from server.edge.api_request import ApiRequest, empty_response, list_response
from server.edge.cursors import Cursors
from server.edge.endpoint import Auth, Endpoint
from server.edge.paging import Pager
from server.edge.requests import ListQuery
from server.edge.responses import ListResponse, UserSummaryResponse
from storage.errors import NotFoundError, UnavailableError
from storage.feeds.feeds import Feeds
from storage.models import User
from storage.postgres.database import Database, Transaction
from storage.stores import relations

log = structlog.get_logger(__name__)

Change = Callable[[Transaction, int, int], Awaitable[bool]]


class RelationsApi:
    """`/users/{id}/follow`, `/block`, `/mute`, `/followers`, `/following` and `/users/me/follow-requests`."""

    def __init__(self, db: Database, feeds: Feeds, cursors: Cursors) -> None:
        self._db = db
        self._feeds = feeds
        self._cursors = cursors

    def endpoints(self) -> list[Endpoint]:
        """Return the table of this resource."""
        table = [
            self._change("PUT", "follow", relations.follow, "Follow; a private account gets a request"),
            self._change("DELETE", "follow", relations.unfollow, "Unfollow, or take the request back"),
            self._change("PUT", "block", relations.block, "Block: neither sees anything of the other"),
            self._change("DELETE", "block", relations.unblock, "Take a block back"),
            self._change("PUT", "mute", relations.mute, "Keep a person's photos out of the feed; they are not told"),
            self._change("DELETE", "mute", relations.unmute, "Take a mute back"),
            self._list("/users/{id}/followers", self.followers, "Who follows a person"),
            self._list("/users/{id}/following", self.following, "Whom a person follows"),
            self._list("/users/me/follow-requests", self.requests, "Who asks to follow oneself", Auth.REQUIRED),
        ]
        for method, handler, summary in (
            ("PUT", self.accept, "Grant a request to follow"),
            ("DELETE", self.decline, "Refuse a request to follow; they are not told"),
        ):
            table.append(
                Endpoint(
                    method=method,
                    path="/users/me/follow-requests/{id}",
                    handler=handler,
                    summary=summary,
                    tag="relations",
                    quota="follows",
                    status=204,
                    errors=(404,),
                )
            )
        return table

    def _change(self, method: str, what: str, change: Change, summary: str) -> Endpoint:
        async def handler(request: ApiRequest) -> web.Response:
            other_id = request.id()
            async with self._db.transaction() as tx:
                await change(tx, request.viewer.user_id, other_id)
            await self._align(request.viewer.user_id, other_id)
            return empty_response()

        return Endpoint(
            method=method,
            path=f"/users/{{id}}/{what}",
            handler=handler,
            summary=summary,
            tag="relations",
            quota="follows",
            status=204,
            errors=(404, 409) if method == "PUT" else (404,),
        )

    @staticmethod
    def _list(
        path: str,
        handler: Callable[[ApiRequest], Awaitable[web.Response]],
        summary: str,
        access: Auth = Auth.OPTIONAL,
    ) -> Endpoint:
        return Endpoint(
            method="GET",
            path=path,
            handler=handler,
            summary=summary,
            tag="relations",
            auth=access,
            query=ListQuery,
            response=ListResponse[UserSummaryResponse],
            errors=(404,),
        )

    async def followers(self, request: ApiRequest) -> web.Response:
        """Answer `GET /users/{id}/followers`."""
        owner_id = await self._visible(request)
        query, pager = self._page(request, f"followers of {owner_id}")
        found = await relations.followers(
            self._db, owner_id, before=pager.before(query.cursor), limit=query.limit + 1, viewer_id=request.viewer_id
        )
        return _people(pager, found, query.limit)

    async def following(self, request: ApiRequest) -> web.Response:
        """Answer `GET /users/{id}/following`."""
        owner_id = await self._visible(request)
        query, pager = self._page(request, f"following of {owner_id}")
        found = await relations.following(
            self._db, owner_id, before=pager.before(query.cursor), limit=query.limit + 1, viewer_id=request.viewer_id
        )
        return _people(pager, found, query.limit)

    async def requests(self, request: ApiRequest) -> web.Response:
        """Answer `GET /users/me/follow-requests`."""
        user_id = request.viewer.user_id
        query, pager = self._page(request, f"requests to {user_id}")
        found = await relations.requests(self._db, user_id, before=pager.before(query.cursor), limit=query.limit + 1)
        return _people(pager, found, query.limit)

    async def accept(self, request: ApiRequest) -> web.Response:
        """Answer `PUT /users/me/follow-requests/{id}`."""
        async with self._db.transaction() as tx:
            await relations.accept(tx, request.viewer.user_id, request.id())
        await self._align(request.id(), request.viewer.user_id)
        return empty_response()

    async def decline(self, request: ApiRequest) -> web.Response:
        """Answer `DELETE /users/me/follow-requests/{id}`."""
        async with self._db.transaction() as tx:
            await relations.decline(tx, request.viewer.user_id, request.id())
        return empty_response()

    async def _visible(self, request: ApiRequest) -> int:
        owner_id = request.id()
        if not await relations.may_see(self._db, request.viewer_id, owner_id):
            raise NotFoundError("user")
        return owner_id

    def _page(self, request: ApiRequest, listing: str) -> tuple[ListQuery, Pager]:
        return request.query(ListQuery), Pager(self._cursors, listing)

    async def _align(self, viewer_id: int, author_id: int) -> None:
        # So that the next look at the feed agrees with what was just done; the fan-out worker does the same.
        try:
            await self._feeds.align_author(viewer_id, author_id)
        except UnavailableError as error:
            log.warning("feed_not_aligned", error=str(error))


def _people(pager: Pager, found: list[User], limit: int) -> web.Response:
    page, more = pager.cut(found, limit, lambda user: user.id)
    return list_response([UserSummaryResponse.from_model(user).to_bytes() for user in page], more)
