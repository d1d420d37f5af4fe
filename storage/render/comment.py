"""The JSON of a comment."""

from __future__ import annotations

from typing import Any

import orjson

from storage.ids import encode
from storage.models import Comment, CommentState
from storage.render.entities import entities_fields
from storage.render.timestamps import timestamp
from storage.render.user_summary import user_summary_fields


def comment_json(comment: Comment) -> bytes:
    """Return a comment as the API and live messages represent it."""
    return orjson.dumps(comment_fields(comment))


def comment_fields(comment: Comment) -> dict[str, Any]:
    """Return the fields of a comment, ready for JSON; a reply has no `first_replies`."""
    fields = {
        "id": encode(comment.id),
        "photo_id": encode(comment.photo_id),
        "reply_to": None if comment.reply_to is None else encode(comment.reply_to),
        "author": user_summary_fields(comment.author),
        "text": comment.text,
        "entities": entities_fields(comment.text, comment.mentions),
        "likes": comment.likes,
        "liked": comment.liked,
        "replies": comment.replies,
        "pinned": comment.pinned_at is not None,
        "version": comment.version,
        "created_at": timestamp(comment.created_at),
        "edited_at": None if comment.edited_at is None else timestamp(comment.edited_at),
    }
    if comment.reply_to is None:
        fields["first_replies"] = [comment_fields(reply) for reply in comment.first_replies]
    return fields


def comment_state_fields(state: CommentState) -> dict[str, Any]:
    """Return the fields of the changing part of a comment, ready for JSON."""
    return {
        "id": encode(state.id),
        "likes": state.likes,
        "replies": state.replies,
        "pinned": state.pinned,
        "version": state.version,
    }
