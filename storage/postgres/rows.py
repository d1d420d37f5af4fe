"""Column lists that queries select, and the conversion of such rows into domain types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import asyncpg

from storage.models import Comment, Photo, PhotoState, PresenceAudience, Role, User, UserSummary

Row = asyncpg.Record | Mapping[str, Any]

# Columns of `users AS a`. The casts save the driver a query for the type citext, which it does not know.
USER = (
    "a.id, a.username::text, a.email::text, a.display_name, a.bio, a.role, a.private, a.presence, a.avatar_sha256, "
    "a.settings, a.followers, a.following, a.photos, a.created_at"
)
USER_SUMMARY = "a.id, a.username::text, a.display_name, a.avatar_sha256"

# Columns of `PHOTOS`, photos with their authors, which are in one shard. The shard of `p` is still to be named.
PHOTO = (
    "p.id, p.author_id, a.username::text, a.display_name, a.avatar_sha256, a.private AS author_private, p.state, "
    "p.reason, p.sha256, p.content_type, p.bytes, p.width, p.height, p.placeholder, p.caption, p.alt_text, p.tags, "
    "p.location, p.likes, p.comments, p.version, p.created_at"
)
PHOTOS = "photos p JOIN users a ON a.id = p.author_id AND a.shard = p.shard"

# Columns of `comments AS c`.
COMMENT = "c.id, c.photo_id, c.author_id, c.author_username, c.author_name, c.author_avatar, c.text, c.created_at"

_PHOTO_FIELDS = (
    "id", "author_private", "reason", "sha256", "content_type", "bytes", "width", "height", "placeholder",
    "caption", "alt_text", "location", "likes", "comments", "version", "created_at",
)  # fmt: skip


def liked(photo_shard: str, user_id: str = "$1") -> str:
    """Return the column for whether a user likes the photo `p`; both arguments are SQL expressions."""
    return (
        f"EXISTS (SELECT 1 FROM likes l WHERE l.shard = {photo_shard} "
        f"AND l.photo_id = p.id AND l.user_id = {user_id}) AS liked"
    )


def user_of(row: Row) -> User:
    """Return the user of a row of `USER`."""
    return User(**{**dict(row), "role": Role(row["role"]), "presence": PresenceAudience(row["presence"])})


def user_summary_of(row: Row, identifier: str = "id") -> UserSummary:
    """Return the short form of the user of a row of `USER_SUMMARY` with the id in the column `identifier`."""
    return UserSummary(
        id=row[identifier],
        username=row["username"],
        display_name=row["display_name"],
        avatar_sha256=row["avatar_sha256"],
    )


def photo_of(row: Row) -> Photo:
    """Return the photo of a row of `PHOTO`."""
    return Photo(
        author=user_summary_of(row, "author_id"),
        state=PhotoState(row["state"]),
        tags=tuple(row["tags"]),
        **{name: row[name] for name in _PHOTO_FIELDS},
    )


def comment_of(row: Row) -> Comment:
    """Return the comment of a row of `COMMENT`, which includes its author."""
    author = UserSummary(
        id=row["author_id"],
        username=row["author_username"],
        display_name=row["author_name"],
        avatar_sha256=row["author_avatar"],
    )
    return Comment(
        id=row["id"], photo_id=row["photo_id"], author=author, text=row["text"], created_at=row["created_at"]
    )
