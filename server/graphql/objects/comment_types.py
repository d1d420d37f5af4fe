"""Comments on photos, and replies to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import strawberry

from server.graphql.fields import Results, batch, leaf
from server.graphql.objects.node import Node
from server.graphql.objects.photo_types import Photo, TextEntity
from server.graphql.objects.scalars import Time
from server.graphql.objects.user_types import User
from server.graphql.resolution.connections import DEFAULT_FIRST, After, Connection, First, Page, numbered, pages
from server.graphql.resolution.context import RequestContext, Source
from server.graphql.resolution.described import object_type
from server.graphql.resolution.node_ids import NodeKind, node_ids
from server.graphql.resolution.rules import permitted
from storage import models
from storage.ids import decode
from storage.stores.nested import nested_comments


async def _photos(comments: Sequence[Source], context: RequestContext) -> Results[Source | None]:
    return await context.photos.many(decode(comment["photo_id"]) for comment in comments)


async def _above(comments: Sequence[Source], context: RequestContext) -> Results[Source | None]:
    above = [comment["reply_to"] for comment in comments]
    return await context.comments.many(None if comment_id is None else decode(comment_id) for comment_id in above)


async def _replies(
    comments: Sequence[Source], context: RequestContext, first: First = DEFAULT_FIRST, after: After = None
) -> Results[Page]:
    async def read(starts: Mapping[int, int | None], limit: int) -> dict[int, list[models.Comment]]:
        return await context.read(
            lambda db: nested_comments.replies_of(db, starts, viewer_id=context.viewer_id, limit=limit)
        )

    listing = numbered(lambda key: f"replies to {key}", read, context.comment_sources, lambda reply: reply.id)
    ids = [decode(comment["id"]) for comment in comments]
    return await pages(context, ids, listing, first=first, after=after)


@object_type
class Comment(Node):
    """A comment on a photo, or a reply to one."""

    id: strawberry.ID = batch(node_ids(NodeKind.COMMENT), description="The id, as `C-01K3S9C0XG4Q7`.")
    photo: Photo | None = batch(
        permitted("GET /photos/{id}", _photos), description="The photo below which the comment is."
    )
    reply_to: Comment | None = batch(
        permitted("GET /comments/{id}", _above), description="The comment that this is a reply to."
    )
    author: User = leaf(description="The account that wrote the comment.")
    text: str = leaf(description="The text.")
    entities: list[TextEntity] = leaf(weight=0, size=5, description="The mentions and tags in the text.")
    like_count: int = leaf(key="likes", description="The number of likes.")
    liked: bool = leaf(description="Whether the viewer likes the comment.")
    reply_count: int = leaf(key="replies", description="The number of replies.")
    pinned: bool = leaf(description="Whether the photo's author has pinned the comment.")
    version: int = leaf(description="A number that grows with each change of the comment.")
    created_at: Time = leaf(description="When the comment was written.")
    edited_at: Time | None = leaf(description="When the author last changed the text; null before.")
    replies: Connection[Comment] | None = batch(
        permitted("GET /comments/{id}/replies", _replies), description="The replies, oldest first."
    )
