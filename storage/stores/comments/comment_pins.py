"""Comments that the photo's owner has pinned: they come first in every order."""

from __future__ import annotations

from locales.sentences import sentence
from storage.errors import ConflictError, NotFoundError
from storage.events import CommentPinned
from storage.postgres.database import Transaction
from storage.postgres.sharding import shard

MAX_PINNED = 3  # of one photo

_IN_SHARD = f"shard = {shard('$1')}"


async def pin(tx: Transaction, comment_id: int, *, owner_id: int) -> None:
    """Pin a comment on the owner's photo; a second time changes nothing.

    Emits `CommentPinned`. Raises `ConflictError` reply_not_pinned or too_many_pinned, and `NotFoundError("comment")`.
    """
    photo_id = await _lock_photo(tx, comment_id, owner_id)
    row = await tx.fetchrow(
        f"SELECT reply_to, pinned_at FROM comments WHERE {_IN_SHARD} AND id = $1 AND deleted_at IS NULL", comment_id
    )
    if row is None:
        raise NotFoundError("comment")
    if row["reply_to"] is not None:
        raise ConflictError("reply_not_pinned", "A reply cannot be pinned. Pin the comment that it is below.")
    if row["pinned_at"] is not None:
        return
    pinned: int = await tx.fetchval(
        f"SELECT count(*) FROM comments WHERE {_IN_SHARD} AND photo_id = $1 "
        "AND pinned_at IS NOT NULL AND deleted_at IS NULL",
        photo_id,
    )
    if pinned >= MAX_PINNED:
        raise ConflictError(
            "too_many_pinned",
            sentence(
                "A photo has at most {max_pinned} pinned comments. Unpin another one first.", max_pinned=MAX_PINNED
            ),
        )
    await tx.execute(
        f"UPDATE comments SET pinned_at = now(), version = version + 1 WHERE {_IN_SHARD} AND id = $1", comment_id
    )
    tx.emit(CommentPinned(comment_id=comment_id, photo_id=photo_id, owner_id=owner_id))


async def unpin(tx: Transaction, comment_id: int, *, owner_id: int) -> None:
    """Unpin a comment on the owner's photo; a second time changes nothing.

    Emits `CommentPinned`, raises `NotFoundError("comment")`.
    """
    photo_id = await _lock_photo(tx, comment_id, owner_id)
    row = await tx.fetchrow(
        f"SELECT pinned_at FROM comments WHERE {_IN_SHARD} AND id = $1 AND deleted_at IS NULL", comment_id
    )
    if row is None:
        raise NotFoundError("comment")
    if row["pinned_at"] is not None:
        await tx.execute(
            f"UPDATE comments SET pinned_at = NULL, version = version + 1 WHERE {_IN_SHARD} AND id = $1", comment_id
        )
        tx.emit(CommentPinned(comment_id=comment_id, photo_id=photo_id, owner_id=owner_id))


async def _lock_photo(tx: Transaction, comment_id: int, owner_id: int) -> int:
    photo_id: int | None = await tx.fetchval(
        f"""
        SELECT id FROM photos WHERE {_IN_SHARD}
          AND id = (SELECT photo_id FROM comments WHERE {_IN_SHARD} AND id = $1)
          AND author_id = $2 AND deleted_at IS NULL FOR NO KEY UPDATE""",
        comment_id,
        owner_id,
    )
    if photo_id is None:
        raise NotFoundError("comment")
    return photo_id
