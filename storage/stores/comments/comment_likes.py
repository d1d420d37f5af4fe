"""Likes of comments: one row for each user and comment, counted on the comment in the same transaction."""

from __future__ import annotations

from storage.errors import NotFoundError
from storage.events import CommentLiked, CommentUnliked
from storage.models import CommentLike
from storage.postgres.database import Queryable, Transaction
from storage.postgres.rows import PHOTOS, Row, comment_liked
from storage.postgres.sharding import shard
from storage.postgres.visibility import readable
from storage.stores import account_lists
from storage.stores.comments.comment_threads import author_above

_COMMENT = shard("$2")  # in statements about the viewer $1 and the comment $2
# The comment, its photo and the photo's author. Of these only the comment is locked: the photo's counters stay.
_FOUND = (
    f"{PHOTOS} JOIN comments c ON c.photo_id = p.id AND c.shard = p.shard "
    f"WHERE c.shard = {_COMMENT} AND p.shard = {_COMMENT} AND a.shard = {_COMMENT} "
    "AND c.id = $2 AND c.deleted_at IS NULL AND p.deleted_at IS NULL"
)


async def add(tx: Transaction, *, comment_id: int, user_id: int) -> CommentLike:
    """Like a comment; a second time changes nothing. Emits `CommentLiked`, raises `NotFoundError("comment")`."""
    found = await tx.fetchrow(
        f"SELECT c.author_id, {author_above(_COMMENT)} AS above, c.photo_id, c.likes "
        f"FROM {_FOUND} AND {readable(_COMMENT)} FOR NO KEY UPDATE OF c",
        user_id,
        comment_id,
    )
    if found is None or await account_lists.hidden(tx, _authors(found), viewer_id=user_id):
        raise NotFoundError("comment")
    likes: int | None = await tx.fetchval(
        f"""
        WITH added AS (
            INSERT INTO comment_likes (shard, comment_id, user_id) VALUES ({_COMMENT}, $2, $1)
            ON CONFLICT DO NOTHING RETURNING comment_id)
        UPDATE comments t SET likes = t.likes + 1, version = t.version + 1
        FROM added WHERE t.shard = {_COMMENT} AND t.id = added.comment_id RETURNING t.likes""",
        user_id,
        comment_id,
    )
    if likes is not None:
        tx.emit(
            CommentLiked(
                comment_id=comment_id, photo_id=found["photo_id"], author_id=found["author_id"], user_id=user_id
            )
        )
    return CommentLike(liked=True, likes=found["likes"] if likes is None else likes)


async def remove(tx: Transaction, *, comment_id: int, user_id: int) -> CommentLike:
    """Remove a like; a second time changes nothing. Emits `CommentUnliked`, raises `NotFoundError("comment")`.

    A like can be removed as long as the comment is there, also by a user who may not see it any more.
    """
    # The lock is a statement of its own: see `storage.stores.photos.likes.remove`.
    found = await tx.fetchrow(
        f"SELECT c.author_id, c.photo_id, c.likes FROM {_FOUND} AND (EXISTS ("
        f"SELECT 1 FROM comment_likes l WHERE l.shard = {_COMMENT} AND l.comment_id = c.id AND l.user_id = $1) "
        f"OR ({readable(_COMMENT)})) FOR NO KEY UPDATE OF c",
        user_id,
        comment_id,
    )
    if found is None:
        raise NotFoundError("comment")
    likes: int | None = await tx.fetchval(
        f"""
        WITH removed AS (
            DELETE FROM comment_likes WHERE shard = {_COMMENT} AND comment_id = $2 AND user_id = $1
            RETURNING comment_id)
        UPDATE comments t SET likes = t.likes - 1, version = t.version + 1
        FROM removed WHERE t.shard = {_COMMENT} AND t.id = removed.comment_id RETURNING t.likes""",
        user_id,
        comment_id,
    )
    if likes is not None:
        tx.emit(
            CommentUnliked(
                comment_id=comment_id, photo_id=found["photo_id"], author_id=found["author_id"], user_id=user_id
            )
        )
    return CommentLike(liked=False, likes=found["likes"] if likes is None else likes)


async def likes_it(db: Queryable, *, comment_id: int, user_id: int) -> bool:
    """Return whether a user likes a comment."""
    found: bool | None = await db.fetchval(
        f"SELECT {comment_liked(_COMMENT)} FROM comments c WHERE c.shard = {_COMMENT} AND c.id = $2",
        user_id,
        comment_id,
    )
    return bool(found)


async def erase(tx: Transaction, user_id: int, *, limit: int) -> int:
    """Delete up to `limit` likes of a deleted account, and return their number; emits nothing."""
    found = await tx.fetch(
        "/* all shards: the likes of a deleted account */ "
        "SELECT comment_id FROM comment_likes WHERE user_id = $1 LIMIT $2",
        user_id,
        limit,
    )
    for comment_id in sorted(row["comment_id"] for row in found):
        await tx.execute(
            f"""
            WITH removed AS (
                DELETE FROM comment_likes WHERE shard = {_COMMENT} AND comment_id = $2 AND user_id = $1
                RETURNING comment_id)
            UPDATE comments t SET likes = t.likes - 1, version = t.version + 1
            FROM removed WHERE t.shard = {_COMMENT} AND t.id = removed.comment_id""",
            user_id,
            comment_id,
        )
    return len(found)


def _authors(row: Row) -> list[int]:
    return [author_id for author_id in (row["author_id"], row["above"]) if author_id is not None]
