"""Write, edit, delete, like and pin comments."""

from __future__ import annotations

import orjson
from aiohttp import web

from server.actions.comments import COMMENT_LIKE_QUOTA, COMMENT_QUOTA, CommentActions
from server.edge.activity_responses import CommentLikeResponse, CommentResponse
from server.edge.api_request import ApiRequest, empty_response, json_response
from server.edge.endpoint import Endpoint
from server.edge.idempotency import Creation, Idempotency, created_response
from server.edge.requests import CommentCreate, CommentEdit
from server.identity.new_accounts import COMMENTS
from storage.postgres.database import Transaction
from storage.render.comment import comment_json


class CommentsApi:
    """`POST /photos/{id}/comments` and `/comments/{id}`; `server.api.comment_lists` has the lists."""

    def __init__(self, comments: CommentActions, idempotency: Idempotency) -> None:
        self._comments = comments
        self._idempotency = idempotency

    def endpoints(self) -> list[Endpoint]:
        """Return the route table of this resource."""
        return [
            Endpoint(
                method="POST",
                path="/photos/{id}/comments",
                handler=self.create,
                summary="Comment on a photo, or reply to a comment on it",
                tag="comments",
                quota=COMMENT_QUOTA,
                new_account_quota=COMMENTS,
                stores=True,
                body=CommentCreate,
                status=201,
                response=CommentResponse,
                errors=(404,),
                idempotent=True,
            ),
            Endpoint(
                method="PATCH",
                path="/comments/{id}",
                handler=self.edit,
                summary="Change the text of your comment",
                tag="comments",
                quota=COMMENT_QUOTA,
                stores=True,
                body=CommentEdit,
                response=CommentResponse,
                errors=(404,),
            ),
            Endpoint(
                method="DELETE",
                path="/comments/{id}",
                handler=self.delete,
                summary="Delete your comment, or any comment on your photo, with its replies",
                tag="comments",
                quota=COMMENT_QUOTA,
                status=204,
                errors=(404,),
            ),
            *self._like_endpoints(),
            *self._pin_endpoints(),
        ]

    def _like_endpoints(self) -> list[Endpoint]:
        return [
            Endpoint(
                method="PUT",
                path="/comments/{id}/like",
                handler=self.like,
                summary="Like a comment; repeating it changes nothing",
                tag="comments",
                quota=COMMENT_LIKE_QUOTA,
                stores=True,
                response=CommentLikeResponse,
                errors=(404,),
            ),
            Endpoint(
                method="DELETE",
                path="/comments/{id}/like",
                handler=self.unlike,
                summary="Remove your like of a comment; repeating it changes nothing",
                tag="comments",
                quota=COMMENT_LIKE_QUOTA,
                response=CommentLikeResponse,
                errors=(404,),
            ),
        ]

    def _pin_endpoints(self) -> list[Endpoint]:
        return [
            Endpoint(
                method="PUT",
                path="/comments/{id}/pin",
                handler=self.pin,
                summary="Pin a comment on your photo; repeating it changes nothing",
                tag="comments",
                quota=COMMENT_QUOTA,
                status=204,
                errors=(404, 409),
            ),
            Endpoint(
                method="DELETE",
                path="/comments/{id}/pin",
                handler=self.unpin,
                summary="Unpin a comment on your photo; repeating it changes nothing",
                tag="comments",
                quota=COMMENT_QUOTA,
                status=204,
                errors=(404,),
            ),
        ]

    async def create(self, request: ApiRequest) -> web.Response:
        """Handle `POST /photos/{id}/comments`."""
        photo_id, form = request.id(), await request.body(CommentCreate)

        async def comment(tx: Transaction) -> bytes:
            return comment_json(
                await self._comments.add(tx, request.viewer.user_id, photo_id, form.text, reply_to=form.reply_to)
            )

        # Without what is not set, so that the form of a request that names no comment is that of earlier versions.
        content = orjson.dumps(form.model_dump(exclude_none=True))
        return created_response(await self._idempotency.create(Creation.of(request), content, comment))

    async def edit(self, request: ApiRequest) -> web.Response:
        """Handle `PATCH /comments/{id}`."""
        form = await request.body(CommentEdit)
        return json_response(comment_json(await self._comments.edit(request.viewer.user_id, request.id(), form.text)))

    async def delete(self, request: ApiRequest) -> web.Response:
        """Handle `DELETE /comments/{id}`."""
        await self._comments.delete(request.viewer.user_id, request.id())
        return empty_response()

    async def like(self, request: ApiRequest) -> web.Response:
        """Handle `PUT /comments/{id}/like`."""
        like = await self._comments.like(request.viewer.user_id, request.id())
        return json_response(CommentLikeResponse.from_model(like).to_bytes())

    async def unlike(self, request: ApiRequest) -> web.Response:
        """Handle `DELETE /comments/{id}/like`."""
        like = await self._comments.unlike(request.viewer.user_id, request.id())
        return json_response(CommentLikeResponse.from_model(like).to_bytes())

    async def pin(self, request: ApiRequest) -> web.Response:
        """Handle `PUT /comments/{id}/pin`."""
        await self._comments.pin(request.viewer.user_id, request.id())
        return empty_response()

    async def unpin(self, request: ApiRequest) -> web.Response:
        """Handle `DELETE /comments/{id}/pin`."""
        await self._comments.unpin(request.viewer.user_id, request.id())
        return empty_response()
