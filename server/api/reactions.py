"""Likes and comments."""

from __future__ import annotations

from collections.abc import Sequence

import orjson
from aiohttp import web

from server.actions.reactions import COMMENT_QUOTA, LIKE_QUOTA, ReactionActions
from server.edge.api_request import ApiRequest, empty_response, json_response, list_response
from server.edge.endpoint import Auth, Endpoint
from server.edge.idempotency import Idempotency
from server.edge.paging import Cursors, Pager
from server.edge.requests import CommentCreate, ListQuery
from server.edge.responses import CommentResponse, LikeResponse, ListResponse, UserSummaryResponse
from storage.models import UserSummary
from storage.postgres.database import Queryable, Transaction
from storage.postgres.reads import Reads
from storage.render.comment import comment_json
from storage.stores import comments, likes, photos


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


class CommentsApi:
    """`/photos/{id}/comments` and `/comments/{id}`."""

    def __init__(self, reads: Reads, cursors: Cursors, reactions: ReactionActions, idempotency: Idempotency) -> None:
        self._reads = reads
        self._cursors = cursors
        self._reactions = reactions
        self._idempotency = idempotency

    def endpoints(self) -> list[Endpoint]:
        """Return the route table of this resource."""
        return [
            Endpoint(
                method="GET",
                path="/photos/{id}/comments",
                handler=self.list,
                summary="List the comments on a photo, newest first",
                tag="comments",
                auth=Auth.OPTIONAL,
                query=ListQuery,
                response=ListResponse[CommentResponse],
                errors=(404,),
            ),
            Endpoint(
                method="POST",
                path="/photos/{id}/comments",
                handler=self.create,
                summary="Comment on a photo",
                tag="comments",
                quota=COMMENT_QUOTA,
                stores=True,
                body=CommentCreate,
                status=201,
                response=CommentResponse,
                errors=(404,),
                idempotent=True,
            ),
            Endpoint(
                method="DELETE",
                path="/comments/{id}",
                handler=self.delete,
                summary="Delete your comment, or any comment on your photo",
                tag="comments",
                quota=COMMENT_QUOTA,
                status=204,
                errors=(404,),
            ),
        ]

    async def list(self, request: ApiRequest) -> web.Response:
        """Handle `GET /photos/{id}/comments`."""
        photo_id, viewer_id, query = request.id(), request.viewer_id, request.query(ListQuery)
        pager = Pager(self._cursors, f"comments of {photo_id}")
        before, limit = pager.before(query.cursor), query.limit + 1
        found = await self._reads.read(
            viewer_id, lambda db: comments.page(db, photo_id, viewer_id=viewer_id, before=before, limit=limit)
        )
        page, next_cursor = pager.cut(found, query.limit, lambda comment: comment.id)
        return list_response([comment_json(comment) for comment in page], next_cursor)

    async def create(self, request: ApiRequest) -> web.Response:
        """Handle `POST /photos/{id}/comments`."""
        photo_id, form = request.id(), await request.body(CommentCreate)

        async def comment(tx: Transaction) -> bytes:
            return comment_json(await self._reactions.comment(tx, request.viewer.user_id, photo_id, form.text))

        return await self._idempotency.create(request, orjson.dumps(form.model_dump()), comment)

    async def delete(self, request: ApiRequest) -> web.Response:
        """Handle `DELETE /comments/{id}`."""
        await self._reactions.delete_comment(request.viewer.user_id, request.id())
        return empty_response()
