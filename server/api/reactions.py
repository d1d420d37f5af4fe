"""LikeResponse and comments."""

from __future__ import annotations

import orjson
from aiohttp import web

from server.actions.counting import Counting
from server.edge.api_request import ApiRequest, empty_response, json_response, list_response
from server.edge.cursors import Cursors
from server.edge.endpoint import Auth, Endpoint
from server.edge.idempotency import Idempotency
from server.edge.paging import Pager
from server.edge.requests import ListQuery, NewComment
from server.edge.responses import CommentResponse, LikeResponse, ListResponse, UserSummaryResponse
from storage.models import PhotoCounters
from storage.postgres.database import Database, Transaction
from storage.render.comment import comment_json
from storage.stores import comments, likes, photos


class LikesApi:
    """`/photos/{id}/like` and `/photos/{id}/likes`."""

    def __init__(self, db: Database, counting: Counting, cursors: Cursors) -> None:
        self._db = db
        self._counting = counting
        self._cursors = cursors

    def endpoints(self) -> list[Endpoint]:
        """Return the table of this resource."""
        table = [
            Endpoint(
                method="GET",
                path="/photos/{id}/likes",
                handler=self.people,
                summary="Who likes a photo, newest first",
                tag="likes",
                auth=Auth.OPTIONAL,
                query=ListQuery,
                response=ListResponse[UserSummaryResponse],
                errors=(404,),
            )
        ]
        for method, handler, summary in (
            ("PUT", self.like, "Like a photo; a second time changes nothing"),
            ("DELETE", self.unlike, "Take a like back; a second time changes nothing"),
        ):
            table.append(
                Endpoint(
                    method=method,
                    path="/photos/{id}/like",
                    handler=handler,
                    summary=summary,
                    tag="likes",
                    quota="likes",
                    response=LikeResponse,
                    errors=(404,),
                )
            )
        return table

    async def like(self, request: ApiRequest) -> web.Response:
        """Answer `PUT /photos/{id}/like`."""
        photo_id = request.id()
        async with self._db.transaction() as tx:
            state = await likes.add(tx, photo_id=photo_id, user_id=request.viewer.user_id)
        return await self._answer(request, state)

    async def unlike(self, request: ApiRequest) -> web.Response:
        """Answer `DELETE /photos/{id}/like`."""
        photo_id = request.id()
        async with self._db.transaction() as tx:
            state = await likes.remove(tx, photo_id=photo_id, user_id=request.viewer.user_id)
        return await self._answer(request, state)

    async def people(self, request: ApiRequest) -> web.Response:
        """Answer `GET /photos/{id}/likes`."""
        photo_id, query = request.id(), request.query(ListQuery)
        await photos.get(self._db, photo_id, viewer_id=request.viewer_id)
        pager = Pager(self._cursors, f"likes of {photo_id}")
        found = await likes.page(
            self._db,
            photo_id,
            before=pager.before(query.cursor),
            limit=query.limit + 1,
            viewer_id=request.viewer_id,
        )
        page, more = pager.cut(found, query.limit, lambda row: row[0])
        return list_response([UserSummaryResponse.from_model(person).to_bytes() for _, person in page], more)

    async def _answer(self, request: ApiRequest, state: PhotoCounters) -> web.Response:
        await self._counting.apply(state, request.viewer.user_id)
        return json_response(LikeResponse(liked=state.liked, likes=state.likes).to_bytes())


class CommentsApi:
    """`/photos/{id}/comments` and `/comments/{id}`."""

    def __init__(self, db: Database, counting: Counting, cursors: Cursors, idempotency: Idempotency) -> None:
        self._db = db
        self._counting = counting
        self._cursors = cursors
        self._idempotency = idempotency

    def endpoints(self) -> list[Endpoint]:
        """Return the table of this resource."""
        return [
            Endpoint(
                method="GET",
                path="/photos/{id}/comments",
                handler=self.page,
                summary="The comments under a photo, newest first",
                tag="comments",
                auth=Auth.OPTIONAL,
                query=ListQuery,
                response=ListResponse[CommentResponse],
                errors=(404,),
            ),
            Endpoint(
                method="POST",
                path="/photos/{id}/comments",
                handler=self.add,
                summary="CommentResponse on a photo",
                tag="comments",
                quota="writes",
                body=NewComment,
                status=201,
                response=CommentResponse,
                errors=(404,),
                idempotent=True,
            ),
            Endpoint(
                method="DELETE",
                path="/comments/{id}",
                handler=self.delete,
                summary="Delete one's own comment, or one under one's own photo",
                tag="comments",
                quota="writes",
                status=204,
                errors=(404,),
            ),
        ]

    async def page(self, request: ApiRequest) -> web.Response:
        """Answer `GET /photos/{id}/comments`."""
        photo_id, query = request.id(), request.query(ListQuery)
        pager = Pager(self._cursors, f"comments of {photo_id}")
        found = await comments.page(
            self._db,
            photo_id,
            viewer_id=request.viewer_id,
            before=pager.before(query.cursor),
            limit=query.limit + 1,
        )
        page, more = pager.cut(found, query.limit, lambda comment: comment.id)
        return list_response([comment_json(comment) for comment in page], more)

    async def add(self, request: ApiRequest) -> web.Response:
        """Answer `POST /photos/{id}/comments`."""
        photo_id, form = request.id(), await request.body(NewComment)
        states: list[PhotoCounters] = []

        async def act(tx: Transaction) -> bytes:
            comment, state = await comments.add(tx, photo_id=photo_id, author_id=request.viewer.user_id, text=form.text)
            states.append(state)
            return comment_json(comment)

        response = await self._idempotency.create(request, orjson.dumps(form.model_dump()), act)
        for state in states:
            await self._counting.apply(state, None)
        return response

    async def delete(self, request: ApiRequest) -> web.Response:
        """Answer `DELETE /comments/{id}`."""
        comment_id = request.id()
        async with self._db.transaction() as tx:
            state = await comments.delete(tx, comment_id, user_id=request.viewer.user_id)
        await self._counting.apply(state, None)
        return empty_response()
