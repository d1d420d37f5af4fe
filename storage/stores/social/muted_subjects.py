"""Photos and comment threads about which a user gets no notifications; a row is in the shard of its user.

A thread is a comment with the replies to it, and stands under the id of that comment.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from storage.errors import NotFoundError
from storage.postgres.database import Queryable, Transaction
from storage.postgres.rows import PHOTOS
from storage.postgres.sharding import shard
from storage.postgres.visibility import readable
from storage.stores import account_locks

_USER = f"shard = {shard('$1')} AND user_id = $1"
_BELOW = f"{PHOTOS} JOIN comments c ON c.photo_id = p.id AND c.shard = p.shard"
_ONE_SHARD = f"p.shard = {shard('$2')} AND a.shard = {shard('$2')}"


@dataclass(frozen=True, kw_only=True, slots=True)
class MutedSubject:
    """A muted photo, or with `comment_id` a muted thread below it."""

    photo_id: int
    comment_id: int | None
    created_at: datetime


async def mute_photo(tx: Transaction, user_id: int, photo_id: int) -> None:
    """Mute a photo; a second time changes nothing. Raises `NotFoundError`: photo, user."""
    await account_locks.require(tx, user_id)
    found = await tx.fetchval(
        f"SELECT p.id FROM {PHOTOS} WHERE {_ONE_SHARD} AND p.id = $2 AND {readable(shard('$2'))}", user_id, photo_id
    )
    if found is None:
        raise NotFoundError("photo")
    await _add(tx, user_id, photo_id, photo_id)


async def mute_thread(tx: Transaction, user_id: int, comment_id: int) -> None:
    """Mute the thread of a comment or reply; a second time changes nothing. Raises `NotFoundError`: comment, user."""
    await account_locks.require(tx, user_id)
    row = await tx.fetchrow(
        f"SELECT coalesce(c.reply_to, c.id) AS top, c.photo_id FROM {_BELOW} "
        f"WHERE {_ONE_SHARD} AND c.shard = {shard('$2')} AND c.id = $2 AND c.deleted_at IS NULL "
        f"AND {readable(shard('$2'))}",
        user_id,
        comment_id,
    )
    if row is None:
        raise NotFoundError("comment")
    await _add(tx, user_id, row["top"], row["photo_id"])


async def unmute(tx: Transaction, user_id: int, subject_id: int) -> None:
    """Unmute a photo or a thread, also of what is deleted; a second time changes nothing."""
    await tx.execute(f"DELETE FROM muted_subjects WHERE {_USER} AND subject_id = $2", user_id, subject_id)


async def top_of(db: Queryable, comment_id: int) -> int:
    """Return the comment at the top of a comment's thread: the comment itself if there is no such comment."""
    found: int | None = await db.fetchval(
        f"SELECT coalesce(c.reply_to, c.id) FROM comments c WHERE c.shard = {shard('$1')} AND c.id = $1", comment_id
    )
    return comment_id if found is None else found


async def below(db: Queryable, user_id: int, photo_ids: Collection[int]) -> dict[int, set[int]]:
    """Return what a user mutes of these photos, by photo: the photo itself, and threads below it."""
    if not photo_ids:
        return {}
    rows = await db.fetch(
        f"SELECT subject_id, photo_id FROM muted_subjects WHERE {_USER} AND photo_id = ANY($2::bigint[])",
        user_id,
        list(photo_ids),
    )
    found: dict[int, set[int]] = {}
    for row in rows:
        found.setdefault(row["photo_id"], set()).add(row["subject_id"])
    return found


async def page(db: Queryable, user_id: int, *, before: int | None, limit: int) -> list[MutedSubject]:
    """Return what a user mutes, by descending id, ids below `before`."""
    rows = await db.fetch(
        f"SELECT subject_id, photo_id, created_at FROM muted_subjects WHERE {_USER} "
        "AND ($2::bigint IS NULL OR subject_id < $2) ORDER BY subject_id DESC LIMIT $3",
        user_id,
        before,
        limit,
    )
    return [
        MutedSubject(
            photo_id=row["photo_id"],
            comment_id=None if row["subject_id"] == row["photo_id"] else row["subject_id"],
            created_at=row["created_at"],
        )
        for row in rows
    ]


async def _add(tx: Transaction, user_id: int, subject_id: int, photo_id: int) -> None:
    await tx.execute(
        "INSERT INTO muted_subjects (shard, user_id, subject_id, photo_id) "
        f"VALUES ({shard('$1')}, $1, $2, $3) ON CONFLICT DO NOTHING",
        user_id,
        subject_id,
        photo_id,
    )
