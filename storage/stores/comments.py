"""Comments: stored with a copy of the author's name and picture, counted on the photo in the same transaction."""

from __future__ import annotations

from collections.abc import Sequence

from storage import ids
from storage.errors import NotFoundError
from storage.events import CommentAdded, CommentDeleted
from storage.models import Comment, PhotoCounters
from storage.postgres.database import Queryable, Transaction
from storage.postgres.rows import COMMENT, PHOTOS, Row, comment_of, liked
from storage.postgres.sharding import shard, shards
from storage.postgres.visibility import readable
from storage.stores import account_lists, photos

_COMMENT = f"shard = {shard('$1')} AND id = $1"  # a comment's id has the shard of its photo
_VIEWED = shard("$2")
# The counters of the photo `p`, and whether the user $3 likes it; $1 is an id in its shard.
_COUNTERS = f"p.likes, p.comments, p.version, {liked(shard('$1'), '$3')}"


async def add(tx: Transaction, *, photo_id: int, author_id: int, text: str) -> tuple[Comment, PhotoCounters]:
    """Comment on a photo that the author may see; emits `CommentAdded`, raises `NotFoundError("photo")`."""
    # A deletion of the author's account or a change of the name waits for this lock, and then includes the comment; or
    # the comment waits, and is refused or has the new name. The account may be in another shard than the photo.
    author = await tx.fetchrow(
        "SELECT username::text, display_name, avatar_sha256 FROM users "
        f"WHERE shard = {shard('$1')} AND id = $1 AND deleted_at IS NULL FOR SHARE",
        author_id,
    )
    if author is None:
        raise NotFoundError("photo")
    owner_id = await photos.lock(tx, photo_id, viewer_id=author_id)
    row = await tx.insert(
        ids.shard_of(photo_id),
        f"""
        WITH c AS (
            INSERT INTO comments (shard, id, photo_id, author_id, text, author_username, author_name, author_avatar)
            VALUES ({shard("$1")}, $1, $2, $3, $4, $5, $6, $7)
            ON CONFLICT (id, shard) DO NOTHING RETURNING *)
        UPDATE photos p SET comments = p.comments + 1, version = p.version + 1
        FROM c WHERE p.shard = {shard("$1")} AND p.id = c.photo_id
        RETURNING {COMMENT}, {_COUNTERS}""",
        photo_id,
        author_id,
        text,
        *author,
    )
    if row is None:
        raise NotFoundError("user")
    tx.emit(CommentAdded(comment_id=row["id"], photo_id=photo_id, owner_id=owner_id, user_id=author_id))
    return comment_of(row), _counters_of(row)


async def delete(tx: Transaction, comment_id: int, *, user_id: int) -> PhotoCounters:
    """Delete a comment that the user wrote, or one on the user's photo, and return the photo's counters.

    Emits `CommentDeleted`; raises `NotFoundError("comment")`, also for any other comment.
    """
    # The photo is locked before the comment, as everywhere; a comment never moves to another photo.
    owner_id: int | None = await tx.fetchval(
        f"""
        SELECT author_id FROM photos WHERE shard = {shard("$1")}
          AND id = (SELECT photo_id FROM comments WHERE {_COMMENT}) AND deleted_at IS NULL FOR NO KEY UPDATE""",
        comment_id,
    )
    row = await tx.fetchrow(
        f"""
        WITH c AS (
            UPDATE comments SET deleted_at = now()
            WHERE {_COMMENT} AND deleted_at IS NULL AND (author_id = $3 OR $3 = $2) RETURNING photo_id, author_id)
        UPDATE photos p SET comments = p.comments - 1, version = p.version + 1
        FROM c WHERE p.shard = {shard("$1")} AND p.id = c.photo_id
        RETURNING c.photo_id, c.author_id, {_COUNTERS}""",
        comment_id,
        owner_id,
        user_id,
    )
    if row is None or owner_id is None:
        raise NotFoundError("comment")
    tx.emit(
        CommentDeleted(comment_id=comment_id, photo_id=row["photo_id"], owner_id=owner_id, user_id=row["author_id"])
    )
    return _counters_of(row)


async def delete_some(
    tx: Transaction, *, author_id: int, limit: int, owner_id: int | None = None
) -> list[tuple[int, int, int]]:
    """Delete up to `limit` comments of an author; return the id, the photo and its owner of each.

    With `owner_id`, only comments below this user's photos that are not deleted. Emits nothing.
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


async def rename_author(tx: Transaction, author_id: int, *, below: int | None, limit: int) -> int | None:
    """Update the copies of an author's name and picture in the newest comments with ids below `below`.

    Return the id below which the next `limit` comments are to be updated, or None at the end.
    """
    # The lock waits for comments that are being written with the old name, and excludes another change of the name.
    author = await tx.fetchrow(
        "SELECT display_name, avatar_sha256 FROM users "
        f"WHERE shard = {shard('$1')} AND id = $1 AND deleted_at IS NULL FOR NO KEY UPDATE",
        author_id,
    )
    if author is None:
        return None
    newest = await tx.fetch(
        "/* all shards: the comments of an author */ SELECT id FROM comments "
        "WHERE author_id = $1 AND deleted_at IS NULL AND id < $2 ORDER BY id DESC LIMIT $3",
        author_id,
        ids.MAX_ID if below is None else below,
        limit,
    )
    comment_ids = [row["id"] for row in newest]
    if comment_ids:
        await tx.execute(
            """
            UPDATE comments SET author_name = $3, author_avatar = $4
            WHERE shard = ANY($1::integer[]) AND id = ANY($2::bigint[])
              AND (author_name IS DISTINCT FROM $3 OR author_avatar IS DISTINCT FROM $4)""",
            shards(comment_ids),
            comment_ids,
            *author,
        )
    return comment_ids[-1] if len(comment_ids) == limit else None


async def get(db: Queryable, comment_id: int) -> Comment:
    """Return a comment; raise `NotFoundError("comment")`, also once its author's account is deleted."""
    row = await db.fetchrow(
        f"SELECT {COMMENT} FROM comments c WHERE c.shard = {shard('$1')} AND c.id = $1 AND c.deleted_at IS NULL",
        comment_id,
    )
    if row is None or await account_lists.hidden(db, [row["author_id"]], viewer_id=None):
        raise NotFoundError("comment")
    return comment_of(row)


async def page(db: Queryable, photo_id: int, *, viewer_id: int | None, before: int | None, limit: int) -> list[Comment]:
    """Return comments, newest first, with ids below `before`, without those of authors hidden from the viewer.

    Raises `NotFoundError("photo")` when the viewer may not see the photo. The comments of a deleted account are deleted
    in batches, and are hidden from the beginning.
    """
    found: list[Comment] = []
    hidden: set[int] = set()
    # Some of a page may be hidden; the rest of it is read below them, without the authors known to be hidden, who may
    # have written any number of comments.
    while len(found) < limit:
        rows = await db.fetch(
            f"""
            SELECT c.* FROM {PHOTOS} LEFT JOIN LATERAL (
                SELECT {COMMENT} FROM comments c
                WHERE c.shard = {_VIEWED} AND c.photo_id = p.id AND c.deleted_at IS NULL
                  AND ($3::bigint IS NULL OR c.id < $3) AND c.author_id <> ALL($5::bigint[])
                ORDER BY c.id DESC LIMIT $4) AS c ON true
            WHERE p.shard = {_VIEWED} AND p.id = $2 AND {readable(_VIEWED)} ORDER BY c.id DESC""",
            viewer_id,
            photo_id,
            before,
            limit,
            list(hidden),
        )
        if not rows:
            raise NotFoundError("photo")
        # A photo without comments is one row without a comment.
        read = [comment_of(row) for row in rows if row["id"] is not None]
        hidden |= await account_lists.hidden(db, {comment.author.id for comment in read}, viewer_id=viewer_id)
        found += [comment for comment in read if comment.author.id not in hidden]
        if len(read) < limit:
            break
        before = read[-1].id
    return found[:limit]


async def _delete_from(tx: Transaction, photo_id: int, comment_ids: Sequence[int]) -> list[tuple[int, int, int]]:
    """Delete comments of one photo; return the id, the photo and its owner of each."""
    # The photo is locked before the comments, as everywhere.
    await tx.execute(f"SELECT 1 FROM photos WHERE shard = {shard('$1')} AND id = $1 FOR NO KEY UPDATE", photo_id)
    rows = await tx.fetch(
        f"""
        WITH gone AS (
            UPDATE comments SET deleted_at = now()
            WHERE shard = {shard("$1")} AND id = ANY($2::bigint[]) AND photo_id = $1 AND deleted_at IS NULL
            RETURNING id, photo_id
        ), fewer AS (
            UPDATE photos p SET comments = p.comments - g.n, version = p.version + 1
            FROM (SELECT photo_id, count(*)::integer AS n FROM gone GROUP BY photo_id) AS g
            WHERE p.shard = {shard("$1")} AND p.id = g.photo_id RETURNING p.id, p.author_id)
        SELECT gone.id, gone.photo_id, fewer.author_id FROM gone JOIN fewer ON fewer.id = gone.photo_id""",
        photo_id,
        list(comment_ids),
    )
    return [(row["id"], row["photo_id"], row["author_id"]) for row in rows]


def _counters_of(row: Row) -> PhotoCounters:
    counters = {name: row[name] for name in ("photo_id", "likes", "comments", "version", "liked")}
    return PhotoCounters(changed=True, **counters)
