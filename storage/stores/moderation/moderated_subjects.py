"""What moderators see of accounts, photos and comments: also what is hidden from all others."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from storage.models import Comment, Photo, User
from storage.postgres.database import Queryable
from storage.postgres.rows import COMMENT, PHOTO, PHOTOS, USER, comment_of, photo_of, user_of
from storage.postgres.sharding import shard, shards
from storage.stores.photos.photo_items import with_items


@dataclass(frozen=True, kw_only=True, slots=True)
class ModeratedAccount:
    """An account, and since when it is limited and suspended."""

    user: User
    limited_at: datetime | None
    suspended_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ModeratedComment:
    """A comment, and whether a moderator has hidden it."""

    comment: Comment
    hidden: bool


async def accounts(db: Queryable, user_ids: Collection[int]) -> dict[int, ModeratedAccount]:
    """Return accounts by id; deleted ones are left out."""
    if not user_ids:
        return {}
    rows = await db.fetch(
        f"SELECT {USER}, a.limited_at, a.suspended_at FROM users a "
        "WHERE a.shard = ANY($1::integer[]) AND a.id = ANY($2::bigint[]) AND a.deleted_at IS NULL",
        shards(user_ids),
        list(user_ids),
    )
    found = {}
    for row in rows:
        fields = dict(row)
        times = {name: fields.pop(name) for name in ("limited_at", "suspended_at")}
        found[row["id"]] = ModeratedAccount(user=user_of(fields), **times)
    return found


async def photo(db: Queryable, photo_id: int) -> Photo | None:
    """Return a photo in any state, None for a deleted one."""
    row = await db.fetchrow(
        f"SELECT {PHOTO} FROM {PHOTOS} WHERE p.shard = {shard('$1')} AND p.id = $1 AND p.deleted_at IS NULL", photo_id
    )
    if row is None:
        return None
    (found,) = await with_items(db, [photo_of(row)])
    return found


async def comment(db: Queryable, comment_id: int) -> ModeratedComment | None:
    """Return a comment, hidden ones as well, None for one that its author or the photo's owner has deleted."""
    row = await db.fetchrow(
        f"SELECT {COMMENT}, c.hidden_at IS NOT NULL AS hidden FROM comments c WHERE c.shard = {shard('$1')} "
        "AND c.id = $1 AND (c.deleted_at IS NULL OR c.hidden_at IS NOT NULL)",
        comment_id,
    )
    return None if row is None else ModeratedComment(comment=comment_of(row), hidden=row["hidden"])
