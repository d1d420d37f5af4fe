"""Lists of comments: those on a photo, and the replies to one of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from aiohttp import web

from server.edge.activity_responses import CommentResponse
from server.edge.api_request import ApiRequest, json_response, list_response
from server.edge.endpoint import Auth, Endpoint
from server.edge.paging import Cursors, Pager
from server.edge.requests import CommentsQuery, ListQuery
from server.edge.responses import ListResponse
from storage.models import CommentOrder
from storage.postgres.reads import Reads
from storage.render.comment import comment_json
from storage.stores.comments import comment_lists
from storage.stores.comments.comment_lists import Place

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class CommentListsApi:
    """`GET /photos/{id}/comments`, `GET /comments/{id}` and `GET /comments/{id}/replies`."""

    def __init__(self, reads: Reads, cursors: Cursors) -> None:
        self._reads = reads
        self._cursors = cursors

    def endpoints(self) -> list[Endpoint]:
        """Return the route table of this resource."""
        return [
            Endpoint(
                method="GET",
                path="/photos/{id}/comments",
                handler=self.comments,
                summary="List the comments on a photo, pinned ones first, then newest first or by likes",
                tag="comments",
                auth=Auth.OPTIONAL,
                query=CommentsQuery,
                response=ListResponse[CommentResponse],
                errors=(404,),
            ),
            Endpoint(
                method="GET",
                path="/comments/{id}",
                handler=self.comment,
                summary="Read a comment or a reply",
                tag="comments",
                auth=Auth.OPTIONAL,
                response=CommentResponse,
                errors=(404,),
            ),
            Endpoint(
                method="GET",
                path="/comments/{id}/replies",
                handler=self.replies,
                summary="List the replies to a comment, oldest first",
                tag="comments",
                auth=Auth.OPTIONAL,
                query=ListQuery,
                response=ListResponse[CommentResponse],
                errors=(404,),
            ),
        ]

    async def comments(self, request: ApiRequest) -> web.Response:
        """Handle `GET /photos/{id}/comments`."""
        photo_id, viewer_id, query = request.id(), request.viewer_id, request.query(CommentsQuery)
        order = CommentOrder(query.order)
        listing = f"comments of {photo_id}, {order}"
        after, limit = place_of(self._cursors.decode_text(listing, query.cursor)), query.limit + 1
        found = await self._reads.read(
            viewer_id,
            lambda db: comment_lists.page(db, photo_id, viewer_id=viewer_id, order=order, after=after, limit=limit),
        )
        page = found[: query.limit]
        more = len(found) > query.limit
        next_cursor = self._cursors.encode_text(listing, place_text(Place.of(page[-1]))) if more else None
        return list_response([comment_json(comment) for comment in page], next_cursor)

    async def comment(self, request: ApiRequest) -> web.Response:
        """Handle `GET /comments/{id}`."""
        comment_id, viewer_id = request.id(), request.viewer_id
        comment = await self._reads.read(viewer_id, lambda db: comment_lists.one(db, comment_id, viewer_id=viewer_id))
        return json_response(comment_json(comment))

    async def replies(self, request: ApiRequest) -> web.Response:
        """Handle `GET /comments/{id}/replies`."""
        comment_id, viewer_id, query = request.id(), request.viewer_id, request.query(ListQuery)
        pager = Pager(self._cursors, f"replies to {comment_id}")
        after, limit = pager.before(query.cursor), query.limit + 1
        found = await self._reads.read(
            viewer_id,
            lambda db: comment_lists.replies(db, comment_id, viewer_id=viewer_id, after=after, limit=limit),
        )
        page, next_cursor = pager.cut(found, query.limit, lambda reply: reply.id)
        return list_response([comment_json(reply) for reply in page], next_cursor)


def place_text(place: Place) -> str:
    """Return a place as the text of a cursor: the pin in microseconds or 0, likes, id."""
    pinned = 0 if place.pinned_at is None else (place.pinned_at - _EPOCH) // timedelta(microseconds=1)
    return f"{pinned}.{place.likes}.{place.id}"


def place_of(position: str | None) -> Place | None:
    """Return the place of the text of a cursor, None for None."""
    if position is None:
        return None
    pinned, likes, comment_id = map(int, position.split("."))
    return Place(_EPOCH + timedelta(microseconds=pinned) if pinned else None, likes, comment_id)
