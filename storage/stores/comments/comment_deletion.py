"""Deletion of comments: by their author or the photo's owner, in batches after a block, and with an account.

A deleted comment takes its replies with it, the first of them in the same transaction. The counter of a photo is the
number of its comments and replies that are not deleted, at any moment. The photo is locked before its comments.
"""

from __future__ import annotations

from collections.abc import Sequence

from storage.errors import NotFoundError
from storage.events import CommentDeleted, RepliesOrphaned
from storage.models import PhotoCounters
from storage.postgres.database import Transaction
from storage.postgres.rows import Row, liked
from storage.postgres.sharding import shard, shards
from storage.stores.comments.comments import counters_of

REPLIES_AT_ONCE = 100  # that are deleted in one transaction; each has an event

# What a deleted comment says goes at once. Its mentions stay: by them it is taken out of inboxes.
_FORGET = ", text = '', author_username = '', author_name = '', author_avatar = NULL"
_IN_SHARD = f"shard = {shard('$1')}"
_COUNTERS = f"p.likes AS photo_likes, p.comments, p.version AS photo_version, {liked(shard('$1'), '$3')}"


async def delete(tx: Transaction, comment_id: int, *, user_id: int) -> PhotoCounters:
    """Delete a comment that the user wrote, or one on the user's photo, with replies; return the photo's counters.

    Emits `CommentDeleted` for each, and `RepliesOrphaned` if there are more replies than `REPLIES_AT_ONCE`. Raises
    `NotFoundError("comment")`, also for any other comment.
    """
    owner_id = await _lock_photo_of(tx, comment_id)
    row = await tx.fetchrow(
        f"""
        WITH c AS (
            UPDATE comments SET deleted_at = now(){_FORGET}
            WHERE {_IN_SHARD} AND id = $1 AND deleted_at IS NULL AND (author_id = $3 OR $3 = $2)
            RETURNING photo_id, author_id, reply_to, replies),
        parent AS (
            UPDATE comments t SET replies = t.replies - 1, version = t.version + 1
            FROM c WHERE t.shard = {shard("$1")} AND t.id = c.reply_to)
        UPDATE photos p SET comments = p.comments - 1, version = p.version + 1
        FROM c WHERE p.shard = {shard("$1")} AND p.id = c.photo_id
        RETURNING c.photo_id, c.author_id, c.replies, {_COUNTERS}""",
        comment_id,
        owner_id,
        user_id,
    )
    if row is None or owner_id is None:
        raise NotFoundError("comment")
    photo_id: int = row["photo_id"]
    tx.emit(CommentDeleted(comment_id=comment_id, photo_id=photo_id, owner_id=owner_id, user_id=row["author_id"]))
    if not row["replies"]:
        return counters_of(row)
    return await _delete_replies(tx, comment_id, owner_id, viewer_id=user_id) or counters_of(row)


async def delete_orphans(tx: Transaction, comment_id: int) -> None:
    """Delete the next replies of a deleted comment; emits what `delete` does."""
    owner_id = await _lock_photo_of(tx, comment_id)
    if owner_id is not None:  # else the photo is deleted, and its comments are not counted any more
        await _delete_replies(tx, comment_id, owner_id, viewer_id=owner_id)


async def delete_some(
    tx: Transaction, *, author_id: int, limit: int, owner_id: int | None = None
) -> list[tuple[int, int, int]]:
    """Delete up to `limit` comments of an author; return the id, the photo and its owner of each.

    With `owner_id`, only comments below this user's photos that are not deleted. Without, the account is being erased.
    Emits `RepliesOrphaned` for those with replies, and nothing for themselves.
    """
    found = await tx.fetch(
        """
        /* all shards: the comments of an author */
        SELECT c.id, c.photo_id FROM comments c JOIN photos p ON p.id = c.photo_id AND p.shard = c.shard
        WHERE c.author_id = $1 AND c.deleted_at IS NULL
          AND ($2::bigint IS NULL OR (p.author_id = $2 AND p.deleted_at IS NULL))
        ORDER BY c.id LIMIT $3""",
        author_id,
        owner_id,
        limit,
    )
    by_photo: dict[int, list[int]] = {}
    for row in found:
        by_photo.setdefault(row["photo_id"], []).append(row["id"])
    deleted: list[tuple[int, int, int]] = []
    for photo_id in sorted(by_photo):
        deleted += await _delete_from(tx, photo_id, by_photo[photo_id])
    return deleted


async def forget_hidden(tx: Transaction, author_id: int, *, limit: int) -> int:
    """Erase what the comments say that moderators hide of an erased account, for good; return their number."""
    rows = await tx.fetch(
        "/* all shards: the comments of an author */ SELECT id FROM comments "
        "WHERE author_id = $1 AND hidden_at IS NOT NULL LIMIT $2",
        author_id,
        limit,
    )
    found = [row["id"] for row in rows]
    return await tx.execute(
        f"UPDATE comments SET hidden_at = NULL{_FORGET} WHERE shard = ANY($1::integer[]) AND id = ANY($2::bigint[])",
        shards(found),
        found,
    )


async def _lock_photo_of(tx: Transaction, comment_id: int) -> int | None:
    """Lock the photo of a comment and return its owner; None if there is none. A comment never changes its photo."""
    owner_id: int | None = await tx.fetchval(
        f"""
        SELECT author_id FROM photos WHERE {_IN_SHARD}
          AND id = (SELECT photo_id FROM comments WHERE {_IN_SHARD} AND id = $1) AND deleted_at IS NULL
          FOR NO KEY UPDATE""",
        comment_id,
    )
    return owner_id


async def _delete_replies(tx: Transaction, comment_id: int, owner_id: int, *, viewer_id: int) -> PhotoCounters | None:
    """Delete replies of a comment whose photo is locked, and return the photo's counters, None if there were none."""
    gone = await tx.fetch(
        f"""
        UPDATE comments SET deleted_at = now(){_FORGET}
        WHERE {_IN_SHARD} AND id IN (
            SELECT id FROM comments WHERE {_IN_SHARD} AND reply_to = $1 AND deleted_at IS NULL ORDER BY id LIMIT $2)
        RETURNING id, photo_id, author_id""",
        comment_id,
        REPLIES_AT_ONCE,
    )
    if not gone:
        return None
    photo_id = gone[0]["photo_id"]
    await _count_replies(tx, comment_id, len(gone))
    row = await tx.fetchrow(
        f"UPDATE photos p SET comments = p.comments - $2, version = p.version + 1 "
        f"WHERE p.shard = {shard('$1')} AND p.id = $1 RETURNING p.id AS photo_id, {_COUNTERS}",
        photo_id,
        len(gone),
        viewer_id,
    )
    for reply in gone:
        tx.emit(
            CommentDeleted(comment_id=reply["id"], photo_id=photo_id, owner_id=owner_id, user_id=reply["author_id"])
        )
    if len(gone) == REPLIES_AT_ONCE:
        tx.emit(RepliesOrphaned(comment_id=comment_id))
    return None if row is None else counters_of(row)


async def _count_replies(tx: Transaction, comment_id: int, deleted: int) -> None:
    await tx.execute(
        f"UPDATE comments SET replies = replies - $2, version = version + 1 WHERE {_IN_SHARD} AND id = $1",
        comment_id,
        deleted,
    )


async def _delete_from(tx: Transaction, photo_id: int, comment_ids: Sequence[int]) -> list[tuple[int, int, int]]:
    """Delete comments of one photo; return the id, the photo and its owner of each."""
    await tx.execute(f"SELECT 1 FROM photos WHERE {_IN_SHARD} AND id = $1 FOR NO KEY UPDATE", photo_id)
    rows = await tx.fetch(
        f"""
        WITH gone AS (
            UPDATE comments SET deleted_at = now(){_FORGET}
            WHERE {_IN_SHARD} AND id = ANY($2::bigint[]) AND photo_id = $1 AND deleted_at IS NULL
            RETURNING id, photo_id, reply_to, replies
        ), fewer AS (
            UPDATE photos p SET comments = p.comments - g.n, version = p.version + 1
            FROM (SELECT photo_id, count(*)::integer AS n FROM gone GROUP BY photo_id) AS g
            WHERE p.shard = {shard("$1")} AND p.id = g.photo_id RETURNING p.id, p.author_id)
        SELECT gone.id, gone.photo_id, gone.reply_to, gone.replies, fewer.author_id
        FROM gone JOIN fewer ON fewer.id = gone.photo_id""",
        photo_id,
        list(comment_ids),
    )
    # In a statement of its own: a comment and a reply to it may both be among these.
    for parent_id, replies in _by_parent(rows).items():
        await _count_replies(tx, parent_id, replies)
    for row in rows:
        if row["replies"]:
            tx.emit(RepliesOrphaned(comment_id=row["id"]))
    return [(row["id"], row["photo_id"], row["author_id"]) for row in rows]


def _by_parent(rows: Sequence[Row]) -> dict[int, int]:
    """Return the number of replies among comments for each comment that they were below, in the order of ids."""
    parents = sorted(row["reply_to"] for row in rows if row["reply_to"] is not None)
    return {parent_id: parents.count(parent_id) for parent_id in parents}
