"""Write, edit, delete, like, pin and mute comments."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

import strawberry

from server.actions.catalog import Actions
from server.edge.requests import CommentCreate, CommentEdit
from server.graphql.mutations.writes import CommentId, IdempotencyKey, PhotoId, Write, create, created
from server.graphql.resolution.context import RequestContext, Source
from server.graphql.resolution.node_ids import NodeKind
from storage.ids import encode
from storage.postgres.database import Transaction
from storage.render.comment import comment_json

Text = Annotated[str, strawberry.argument(description="The text.")]
ReplyTo = Annotated[
    strawberry.ID | None, strawberry.argument(description="The id of the comment that is answered, if it is a reply.")
]


async def add_comment(
    context: RequestContext,
    *,
    photo: PhotoId,
    text: Text,
    reply_to: ReplyTo = None,
    idempotency_key: IdempotencyKey = None,
) -> Source:
    """Comment on a photo, or reply to a comment on it."""
    photo_id, viewer_id = NodeKind.PHOTO.decode(photo, "photo"), context.request.viewer.user_id
    above = None if reply_to is None else NodeKind.COMMENT.raw(reply_to, "replyTo")
    form = CommentCreate.model_validate({"text": text, "reply_to": above} if above else {"text": text})

    async def comment(tx: Transaction) -> bytes:
        return comment_json(
            await context.actions.comments.add(tx, viewer_id, photo_id, form.text, reply_to=form.reply_to)
        )

    path = f"/photos/{encode(photo_id)}/comments"
    return created("comment", await create(context, idempotency_key, path, form, comment, exclude_none=True))


async def edit_comment(context: RequestContext, comment: CommentId, text: Text) -> Source:
    """Change the text of a comment."""
    comment_id, form = NodeKind.COMMENT.decode(comment, "comment"), CommentEdit.model_validate({"text": text})
    await context.actions.comments.edit(context.request.viewer.user_id, comment_id, form.text)
    return {"comment_id": comment_id}


async def delete_comment(context: RequestContext, comment: CommentId) -> Source:
    """Delete a comment with its replies."""
    await context.actions.comments.delete(context.request.viewer.user_id, NodeKind.COMMENT.decode(comment, "comment"))
    return {"deleted_id": comment}


def _act(act: Callable[[Actions, int, int], Awaitable[object]]) -> Write:
    """Return the write of what a viewer does with a comment; `act` takes their ids."""

    async def write(context: RequestContext, comment: CommentId) -> Source:
        comment_id = NodeKind.COMMENT.decode(comment, "comment")
        await act(context.actions, context.request.viewer.user_id, comment_id)
        return {"comment_id": comment_id}

    return write


like_comment = _act(lambda actions, *ids: actions.comments.like(*ids))
unlike_comment = _act(lambda actions, *ids: actions.comments.unlike(*ids))
pin_comment = _act(lambda actions, *ids: actions.comments.pin(*ids))
unpin_comment = _act(lambda actions, *ids: actions.comments.unpin(*ids))
mute_thread = _act(lambda actions, *ids: actions.notification_preferences.mute_thread(*ids))
unmute_thread = _act(lambda actions, *ids: actions.notification_preferences.unmute_thread(*ids))
