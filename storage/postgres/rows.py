"""Column lists that queries select, and the conversion of such rows into domain types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

import asyncpg

from storage.models import (
    Comment,
    LanguageChoice,
    LocationMetadata,
    Mention,
    Photo,
    PhotoAudience,
    PhotoState,
    PresenceAudience,
    Role,
    User,
    UserSummary,
    Video,
)
from storage.moderation import from_document as decision_of

Row = asyncpg.Record | Mapping[str, Any]

# Columns of `users AS a`. The casts save the driver a query for the type citext, which it does not know.
USER = (
    "a.id, a.username::text, a.email::text, a.email_verified_at IS NOT NULL AS email_verified, a.display_name, a.bio, "
    "a.role, a.private, a.presence, "
    "a.location_metadata, a.publish_rights, a.language, a.searchable, a.avatar_sha256, a.banner_sha256, a.settings, "
    "a.followers, "
    "a.following, a.photos, a.created_at"
)
USER_SUMMARY = "a.id, a.username::text, a.display_name, a.avatar_sha256"

# Columns of `PHOTOS`, photos with their authors, which are in one shard. The shard of `p` is still to be named.
PHOTO = (
    "p.id, p.author_id, a.username::text, a.display_name, a.avatar_sha256, a.private AS author_private, p.audience, "
    "p.state, p.reason, p.sha256, p.content_type, p.bytes, p.width, p.height, p.placeholder, p.hdr, p.motion, p.video, "
    "p.caption, p.mentions, p.alt_text, p.tags, p.location, p.likes, p.comments, p.version, p.created_at, p.taken_at, "
    "p.edited_at, p.pictures, p.moderation, p.marked_sensitive"
)
PHOTOS = "photos p JOIN users a ON a.id = p.author_id AND a.shard = p.shard"

# Columns of `comments AS c`.
COMMENT = (
    "c.id, c.photo_id, c.author_id, c.author_username, c.author_name, c.author_avatar, c.text, c.mentions, c.reply_to, "
    "c.answered_id, c.likes, c.replies, c.version, c.created_at, c.edited_at, c.pinned_at"
)

_PHOTO_FIELDS = (
    "id", "author_private", "reason", "sha256", "content_type", "bytes", "width", "height", "placeholder", "hdr",
    "motion", "caption", "alt_text", "location", "likes", "comments", "version", "created_at", "taken_at", "edited_at",
    "pictures", "marked_sensitive",
)  # fmt: skip
_COMMENT_FIELDS = (
    "id", "photo_id", "text", "reply_to", "answered_id", "likes", "replies", "version", "created_at", "edited_at",
    "pinned_at",
)  # fmt: skip


def liked(photo_shard: str, user_id: str = "$1") -> str:
    """Return the column for whether a user likes the photo `p`; both arguments are SQL expressions."""
    return (
        f"EXISTS (SELECT 1 FROM likes l WHERE l.shard = {photo_shard} "
        f"AND l.photo_id = p.id AND l.user_id = {user_id}) AS liked"
    )


def suggestions(photo_shard: str, user_id: str = "$1") -> str:
    """Return the column with the suggestions for the photo `p`, null unless the user is its author."""
    return (
        f"CASE WHEN p.author_id = {user_id} THEN (SELECT e.suggestions FROM photo_exif e "
        f"WHERE e.shard = {photo_shard} AND e.photo_id = p.id) END AS suggestions"
    )


def user_of(row: Row) -> User:
    """Return the user of a row of `USER`."""
    kinds = {
        "role": Role(row["role"]),
        "presence": PresenceAudience(row["presence"]),
        "location_metadata": LocationMetadata(row["location_metadata"]),
        "language": LanguageChoice(row["language"]),
    }
    return User(**{**dict(row), **kinds})


def user_summary_of(row: Row, identifier: str = "id") -> UserSummary:
    """Return the short form of the user of a row of `USER_SUMMARY` with the id in the column `identifier`."""
    return UserSummary(
        id=row[identifier],
        username=row["username"],
        display_name=row["display_name"],
        avatar_sha256=row["avatar_sha256"],
    )


def photo_of(row: Row) -> Photo:
    """Return the photo of a row of `PHOTO`, and of `suggestions` if it is there."""
    return Photo(
        author=user_summary_of(row, "author_id"),
        audience=PhotoAudience(row["audience"]),
        state=PhotoState(row["state"]),
        tags=tuple(row["tags"]),
        mentions=mentions_of(row["mentions"]),
        suggestions=row.get("suggestions") or {},
        video=None if row["video"] is None else Video(**row["video"]),
        moderation=None if row["moderation"] is None else decision_of(row["moderation"]),
        **{name: row[name] for name in _PHOTO_FIELDS},
    )


def comment_liked(photo_shard: str, user_id: str = "$1") -> str:
    """Return the column for whether a user likes the comment `c`; both arguments are SQL expressions."""
    return (
        f"EXISTS (SELECT 1 FROM comment_likes l WHERE l.shard = {photo_shard} "
        f"AND l.comment_id = c.id AND l.user_id = {user_id}) AS comment_liked"
    )


def comment_of(row: Row) -> Comment:
    """Return the comment of a row of `COMMENT`, which includes its author, and of `comment_liked` if it is there."""
    author = UserSummary(
        id=row["author_id"],
        username=row["author_username"],
        display_name=row["author_name"],
        avatar_sha256=row["author_avatar"],
    )
    return Comment(
        author=author,
        mentions=mentions_of(row["mentions"]),
        liked=bool(row.get("comment_liked")),
        **{name: row[name] for name in _COMMENT_FIELDS},
    )


def mentions_of(stored: Iterable[Mapping[str, int]]) -> tuple[Mention, ...]:
    """Return the mentions of a column `mentions`."""
    return tuple(Mention(**item) for item in stored)


def stored_mentions(mentions: Iterable[Mention]) -> list[dict[str, int]]:
    """Return the value of a column `mentions`."""
    return [asdict(mention) for mention in mentions]
