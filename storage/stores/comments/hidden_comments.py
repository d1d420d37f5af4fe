"""Comments that moderators hide: they are deleted as others see it, and can be restored.

The replies of a hidden comment stay. No list shows them, because each list of replies is that of a comment which is
shown. The photo is locked before its comments, as for a deletion.
"""

from __future__ import annotations

from storage.errors import NotFoundError
from storage.events import CommentAdded, CommentDeleted
from storage.models import PhotoCounters
from storage.postgres.database import Transaction
from storage.postgres.rows import Row, liked
from storage.postgres.sharding import shard
from storage.stores.comments.comments import counters_of

_IN_SHARD = f"shard = {shard('$1')}"
_COUNTERS = f"p.likes AS photo_likes, p.comments, p.version AS photo_version, {liked(shard('$1'), '$2')}"
_CHANGE = """
    WITH c AS (
        UPDATE comments SET deleted_at = {deleted_at}, hidden_at = {deleted_at}
        WHERE {in_shard} AND id = $1 AND {condition} RETURNING photo_id, author_id, reply_to),
    parent AS (
        UPDATE comments t SET replies = t.replies + {change}, version = t.version + 1
        FROM c WHERE t.shard = {shard} AND t.id = c.reply_to)
    UPDATE photos p SET comments = p.comments + {change}, version = p.version + 1
    FROM c WHERE p.shard = {shard} AND p.id = c.photo_id
    RETURNING p.author_id AS owner_id, c.photo_id, c.author_id, {counters}"""


def _statement(deleted_at: str, condition: str, change: str) -> str:
    return _CHANGE.format(
        deleted_at=deleted_at,
        condition=condition,
        change=change,
        in_shard=_IN_SHARD,
        shard=shard("$1"),
        counters=_COUNTERS,
    )


_HIDE = _statement("now()", "deleted_at IS NULL", "(-1)")
_RESTORE = _statement("NULL", "hidden_at IS NOT NULL", "1")


async def hide(tx: Transaction, comment_id: int) -> PhotoCounters | None:
    """Hide a comment, which emits `CommentDeleted`; return the photo's counters, None if it is deleted already.

    Raises `NotFoundError("comment")` if the photo is deleted.
    """
    await _lock_photo_of(tx, comment_id)
    row = await tx.fetchrow(_HIDE, comment_id, 0)
    if row is None:
        return None
    tx.emit(
        CommentDeleted(
            comment_id=comment_id, photo_id=row["photo_id"], owner_id=row["owner_id"], user_id=row["author_id"]
        )
    )
    return counters_of(row)


async def restore(tx: Transaction, comment_id: int) -> PhotoCounters | None:
    """Restore a hidden comment, which emits `CommentAdded`; return the photo's counters, None if it is not hidden.

    Raises `NotFoundError("comment")` if the photo is deleted, and nothing is left to restore the comment to.
    """
    await _lock_photo_of(tx, comment_id)
    row = await tx.fetchrow(_RESTORE, comment_id, 0)
    if row is None:
        return None
    tx.emit(
        CommentAdded(
            comment_id=comment_id, photo_id=row["photo_id"], owner_id=row["owner_id"], user_id=row["author_id"]
        )
    )
    return counters_of(row)


async def erase(tx: Transaction, comment_id: int) -> None:
    """Erase the text of a hidden comment for good."""
    await tx.execute(
        f"UPDATE comments SET text = '', mentions = '[]', hidden_at = NULL "
        f"WHERE {_IN_SHARD} AND id = $1 AND hidden_at IS NOT NULL",
        comment_id,
    )


async def _lock_photo_of(tx: Transaction, comment_id: int) -> Row:
    row = await tx.fetchrow(
        f"SELECT id FROM photos WHERE {_IN_SHARD} AND deleted_at IS NULL "
        f"AND id = (SELECT photo_id FROM comments WHERE {_IN_SHARD} AND id = $1) FOR NO KEY UPDATE",
        comment_id,
    )
    if row is None:
        raise NotFoundError("comment")
    return row
