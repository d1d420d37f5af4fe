"""Comments: stored with a copy of the author's name and picture, counted on the photo in the same transaction."""

from __future__ import annotations

from storage import ids
from storage.errors import NotFoundError
from storage.events import CommentAdded, CommentDeleted
from storage.models import Comment, PhotoCounters
from storage.postgres.database import Queryable, Transaction
from storage.postgres.rows import COMMENT, PHOTOS, Row, comment_of
from storage.postgres.visibility import READABLE, WRITTEN, unblocked
from storage.stores import photos

# The counters of the photo `p`, and whether the user $3 likes it.
_COUNTERS = (
    "p.likes, p.comments, p.version, EXISTS (SELECT FROM likes l WHERE l.photo_id = p.id AND l.user_id = $3) AS liked"
)


async def add(tx: Transaction, *, photo_id: int, author_id: int, text: str) -> tuple[Comment, PhotoCounters]:
    """Comment on a photo that the author may see; emits `CommentAdded`, raises `NotFoundError("photo")`."""
    # This also locks the author's account. A deletion or a change of the name waits for the comment, and then includes
    # it; or the comment waits, and is refused or has the new name.
    owner_id = await photos.lock(tx, photo_id, viewer_id=author_id)
    row = await tx.insert(
        ids.shard_of(photo_id),
        f"""
        WITH c AS (
            INSERT INTO comments (id, photo_id, author_id, author_username, author_name, author_avatar, text)
            SELECT $1, $2, a.id, a.username::text, a.display_name, a.avatar_sha256, $4 FROM users a
            WHERE a.id = $3 AND a.deleted_at IS NULL
            ON CONFLICT (id) DO NOTHING RETURNING *)
        UPDATE photos p SET comments = p.comments + 1, version = p.version + 1 FROM c WHERE p.id = c.photo_id
        RETURNING {COMMENT}, {_COUNTERS}""",
        photo_id,
        author_id,
        text,
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
        """
        SELECT author_id FROM photos
        WHERE id = (SELECT photo_id FROM comments WHERE id = $1) AND deleted_at IS NULL FOR NO KEY UPDATE""",
        comment_id,
    )
    row = await tx.fetchrow(
        f"""
        WITH c AS (
            UPDATE comments SET deleted_at = now()
            WHERE id = $1 AND deleted_at IS NULL AND (author_id = $3 OR $3 = $2) RETURNING photo_id, author_id)
        UPDATE photos p SET comments = p.comments - 1, version = p.version + 1 FROM c WHERE p.id = c.photo_id
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
        SELECT c.id, c.photo_id FROM comments c JOIN photos p ON p.id = c.photo_id
        WHERE c.author_id = $1 AND c.deleted_at IS NULL
          AND ($2::bigint IS NULL OR (p.author_id = $2 AND p.deleted_at IS NULL))
        ORDER BY c.id LIMIT $3""",
        author_id,
        owner_id,
        limit,
    )
    # The photos are locked before the comments, as everywhere.
    await tx.execute(
        "SELECT FROM photos WHERE id = ANY($1::bigint[]) ORDER BY id FOR NO KEY UPDATE",
        sorted({row["photo_id"] for row in found}),
    )
    rows = await tx.fetch(
        """
        WITH gone AS (
            UPDATE comments SET deleted_at = now() WHERE id = ANY($1::bigint[]) AND deleted_at IS NULL
            RETURNING id, photo_id
        ), fewer AS (
            UPDATE photos p SET comments = p.comments - g.n, version = p.version + 1
            FROM (SELECT photo_id, count(*)::integer AS n FROM gone GROUP BY photo_id) AS g
            WHERE p.id = g.photo_id RETURNING p.id, p.author_id)
        SELECT gone.id, gone.photo_id, fewer.author_id FROM gone JOIN fewer ON fewer.id = gone.photo_id""",
        [row["id"] for row in found],
    )
    return [(row["id"], row["photo_id"], row["author_id"]) for row in rows]


async def rename_author(tx: Transaction, author_id: int, *, below: int | None, limit: int) -> int | None:
    """Update the copies of an author's name and picture in the newest comments with ids below `below`.

    Return the id below which the next `limit` comments are to be updated, or None at the end.
    """
    # The lock waits for comments that are being written with the old name, and excludes another change of the name.
    row = await tx.fetchrow(
        """
        WITH author AS (
            SELECT id, display_name, avatar_sha256 FROM users
            WHERE id = $1 AND deleted_at IS NULL FOR NO KEY UPDATE),
        newest AS (
            SELECT id FROM comments WHERE author_id = $1 AND deleted_at IS NULL AND id < $2
            ORDER BY id DESC LIMIT $3),
        renamed AS (
            UPDATE comments c SET author_name = author.display_name, author_avatar = author.avatar_sha256
            FROM newest, author
            WHERE c.id = newest.id
              AND (c.author_name, c.author_avatar) IS DISTINCT FROM (author.display_name, author.avatar_sha256))
        SELECT min(id) AS last, count(*) AS found FROM newest""",
        author_id,
        ids.MAX_ID if below is None else below,
        limit,
    )
    last: int | None = None if row is None or row["found"] < limit else row["last"]
    return last


async def get(db: Queryable, comment_id: int) -> Comment:
    """Return a comment; raise `NotFoundError("comment")`."""
    row = await db.fetchrow(f"SELECT {COMMENT} FROM comments c WHERE c.id = $1 AND {WRITTEN}", comment_id)
    if row is None:
        raise NotFoundError("comment")
    return comment_of(row)


async def page(db: Queryable, photo_id: int, *, viewer_id: int | None, before: int | None, limit: int) -> list[Comment]:
    """Return comments, newest first, with ids below `before`, without authors blocked either way.

    Raises `NotFoundError("photo")` when the viewer may not see the photo.
    """
    rows = await db.fetch(
        f"""
        SELECT c.* FROM {PHOTOS} LEFT JOIN LATERAL (
            SELECT {COMMENT} FROM comments c
            WHERE c.photo_id = p.id AND {WRITTEN} AND ($3::bigint IS NULL OR c.id < $3)
              AND {unblocked("c.author_id")}
            ORDER BY c.id DESC LIMIT $4) AS c ON true
        WHERE p.id = $2 AND {READABLE} ORDER BY c.id DESC""",
        viewer_id,
        photo_id,
        before,
        limit,
    )
    if not rows:
        raise NotFoundError("photo")
    # A photo without comments is one row without a comment.
    return [comment_of(row) for row in rows if row["id"] is not None]


def _counters_of(row: Row) -> PhotoCounters:
    counters = {name: row[name] for name in ("photo_id", "likes", "comments", "version", "liked")}
    return PhotoCounters(changed=True, **counters)
