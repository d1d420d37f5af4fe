"""The JSON of a comment."""

from __future__ import annotations

from typing import Any

import orjson

from storage.ids import encode
from storage.models import Comment
from storage.render.timestamps import timestamp
from storage.render.user_summary import user_summary_fields


def comment_json(comment: Comment) -> bytes:
    """Return a comment as the API and live messages represent it."""
    return orjson.dumps(comment_fields(comment))


def comment_fields(comment: Comment) -> dict[str, Any]:
    """Return the fields of a comment, ready for JSON."""
    return {
        "id": encode(comment.id),
        "photo_id": encode(comment.photo_id),
        "author": user_summary_fields(comment.author),
        "text": comment.text,
        "created_at": timestamp(comment.created_at),
    }
