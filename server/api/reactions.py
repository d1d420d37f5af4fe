"""Likes of photos."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from server.actions.reactions import LIKE_QUOTA, ReactionActions
from server.edge.api_request import ApiRequest, json_response, list_response
from server.edge.endpoint import Auth, Endpoint
from server.edge.paging import Cursors, Pager
from server.edge.photo_responses import LikeResponse
from server.edge.requests import ListQuery
from server.edge.responses import ListResponse, UserSummaryResponse
from storage.models import UserSummary
from storage.postgres.database import Queryable
from storage.postgres.reads import Reads
from storage.stores.photos import likes, photos


class LikesApi:
    """`/photos/{id}/like` and `/photos/{id}/likes`."""

    def __init__(self, reads: Reads, cursors: Cursors, reactions: ReactionActions) -> None:
        self._reads = reads
        self._cursors = cursors
        self._reactions = reactions

    def endpoints(self) -> list[Endpoint]:
        """Return the route table of this resource."""
        return [
            Endpoint(
                method="GET",
                path="/photos/{id}/likes",
                handler=self.list,
                summary="List the users that like a photo, newest like first",
                tag="likes",
                auth=Auth.OPTIONAL,
                query=ListQuery,
                response=ListResponse[UserSummaryResponse],
                errors=(404,),
            ),
            Endpoint(
                method="PUT",
                path="/photos/{id}/like",
                handler=self.like,
                summary="Like a photo; repeating it changes nothing",
                tag="likes",
                quota=LIKE_QUOTA,
                stores=True,
                response=LikeResponse,
                errors=(404,),
            ),
            Endpoint(
                method="DELETE",
                path="/photos/{id}/like",
                handler=self.unlike,
                summary="Remove your like from a photo; repeating it changes nothing",
                tag="likes",
                quota=LIKE_QUOTA,
                response=LikeResponse,
                errors=(404,),
            ),
        ]

    async def like(self, request: ApiRequest) -> web.Response:
        """Handle `PUT /photos/{id}/like`."""
        counters = await self._reactions.like(request.viewer.user_id, request.id())
        return json_response(LikeResponse.from_model(counters).to_bytes())

    async def unlike(self, request: ApiRequest) -> web.Response:
        """Handle `DELETE /photos/{id}/like`."""
        counters = await self._reactions.unlike(request.viewer.user_id, request.id())
        return json_response(LikeResponse.from_model(counters).to_bytes())

    async def list(self, request: ApiRequest) -> web.Response:
        """Handle `GET /photos/{id}/likes`."""
        photo_id, viewer_id, query = request.id(), request.viewer_id, request.query(ListQuery)
        pager = Pager(self._cursors, f"likes of {photo_id}")
        before, limit = pager.before(query.cursor), query.limit + 1

        async def likers(db: Queryable) -> Sequence[tuple[int, UserSummary]]:
            # Raises a 404 where the viewer may not see the photo; the list itself does not check that.
            await photos.get(db, photo_id, viewer_id=viewer_id)
            return await likes.page(db, photo_id, before=before, limit=limit, viewer_id=viewer_id)

        found = await self._reads.read(viewer_id, likers)
        page, next_cursor = pager.cut(found, query.limit, lambda row: row[0])
        return list_response([UserSummaryResponse.from_model(user).to_bytes() for _, user in page], next_cursor)
