"""Comments and replies: stored with a copy of the author's name and picture, counted in the same transaction.

A reply belongs to a comment, and a reply to a reply to the same comment. The photo's counter includes replies.
Comments are deleted in `storage.stores.comments.comment_deletion`.
"""

from __future__ import annotations

from storage import ids
from storage.errors import NotFoundError
from storage.events import CommentAdded, CommentEdited
from storage.models import Comment, CommentState, PhotoCounters
from storage.postgres.database import Queryable, Transaction
from storage.postgres.rows import COMMENT, Row, comment_liked, comment_of, liked, stored_mentions
from storage.postgres.sharding import shard, shards
from storage.postgres.visibility import readable
from storage.stores import account_lists
from storage.stores.photos import photos
from storage.stores.social import mentions

_COMMENT = f"c.shard = {shard('$1')} AND c.id = $1"  # a comment's id has the shard of its photo
# The counters of the photo `p`, and whether the user $3 likes it; $1 is an id in its shard.
_COUNTERS = f"p.likes AS photo_likes, p.comments, p.version AS photo_version, {liked(shard('$1'), '$3')}"


async def add(
    tx: Transaction, *, photo_id: int, author_id: int, text: str, reply_to: int | None = None
) -> tuple[Comment, PhotoCounters]:
    """Comment on a photo that the author may see, or reply to the comment `reply_to`; emits `CommentAdded`.

    Raises `NotFoundError`: "photo", or "comment" for a comment that is not there or is hidden from the author.
    """
    # A deletion of the author's account or a change of the name waits for this lock, and then includes the comment; or
    # the comment waits, and is refused or has the new name. The account may be in another shard than the photo.
    author = await tx.fetchrow(
        "SELECT username::text, display_name, avatar_sha256 FROM users "
        f"WHERE shard = {shard('$1')} AND id = $1 AND deleted_at IS NULL FOR SHARE",
        author_id,
    )
    if author is None:
        raise NotFoundError("photo")
    mentioned = await mentions.resolve(tx, text, author_id=author_id)
    owner_id = await photos.lock(tx, photo_id, viewer_id=author_id)
    parent_id, answered_id = await _answered(tx, photo_id, reply_to, author_id) if reply_to else (None, None)
    row = await tx.insert(
        ids.shard_of(photo_id),
        f"""
        WITH c AS (
            INSERT INTO comments (shard, id, photo_id, author_id, text, author_username, author_name, author_avatar,
                mentions, reply_to, answered_id)
            VALUES ({shard("$1")}, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
            ON CONFLICT (id, shard) DO NOTHING RETURNING *),
        parent AS (
            UPDATE comments t SET replies = t.replies + 1, version = t.version + 1
            FROM c WHERE t.shard = {shard("$1")} AND t.id = c.reply_to)
        UPDATE photos p SET comments = p.comments + 1, version = p.version + 1
        FROM c WHERE p.shard = {shard("$1")} AND p.id = c.photo_id
        RETURNING {COMMENT}, {_COUNTERS}""",
        photo_id,
        author_id,
        text,
        *author,
        stored_mentions(mentioned),
        parent_id,
        answered_id,
    )
    if row is None:
        raise NotFoundError("user")
    tx.emit(CommentAdded(comment_id=row["id"], photo_id=photo_id, owner_id=owner_id, user_id=author_id))
    return comment_of(row), counters_of(row)


async def edit(tx: Transaction, comment_id: int, *, author_id: int, text: str) -> Comment:
    """Change the text of the author's own comment; the same text changes nothing.

    Emits `CommentEdited`; raises `NotFoundError("comment")`, also if the author may not see the photo any more.
    """
    row = await tx.fetchrow(
        f"""
        SELECT {COMMENT}, {comment_liked(shard("$2"))}, p.author_id AS owner_id
        FROM comments c JOIN photos p ON p.id = c.photo_id AND p.shard = c.shard
            JOIN users a ON a.id = p.author_id AND a.shard = p.shard
        WHERE c.shard = {shard("$2")} AND p.shard = {shard("$2")} AND a.shard = {shard("$2")} AND c.id = $2
          AND c.author_id = $1 AND c.deleted_at IS NULL AND {readable(shard("$2"))} FOR NO KEY UPDATE OF c""",
        author_id,
        comment_id,
    )
    if row is None:
        raise NotFoundError("comment")
    before = comment_of(row)
    if before.text == text:
        return before
    mentioned = await mentions.resolve(tx, text, author_id=author_id)
    edited = await tx.fetchrow(
        f"UPDATE comments c SET text = $2, mentions = $3, edited_at = now(), version = c.version + 1 "
        f"WHERE {_COMMENT} RETURNING {COMMENT}, $4::boolean AS comment_liked",
        comment_id,
        text,
        stored_mentions(mentioned),
        before.liked,
    )
    if edited is None:
        raise NotFoundError("comment")
    tx.emit(
        CommentEdited(
            comment_id=comment_id,
            photo_id=before.photo_id,
            owner_id=row["owner_id"],
            user_id=author_id,
            mentions=mentions.changed(before.mentions, mentioned),
        )
    )
    return comment_of(edited)


async def rename_author(tx: Transaction, author_id: int, *, below: int | None, limit: int) -> int | None:
    """Update the copies of an author's names and picture in the newest comments with ids below `below`.

    Return the id below which the next `limit` comments are to be updated, or None at the end.
    """
    # The lock waits for comments that are being written with the old name, and excludes another change of the name.
    author = await tx.fetchrow(
        "SELECT display_name, avatar_sha256, username::text FROM users "
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
            UPDATE comments SET author_name = $3, author_avatar = $4, author_username = $5
            WHERE shard = ANY($1::integer[]) AND id = ANY($2::bigint[])
              AND (author_name, author_avatar, author_username) IS DISTINCT FROM ($3, $4, $5)""",
            shards(comment_ids),
            comment_ids,
            *author,
        )
    return comment_ids[-1] if len(comment_ids) == limit else None


async def get(db: Queryable, comment_id: int) -> Comment:
    """Return a comment; raise `NotFoundError("comment")`, also once its author's account is deleted."""
    row = await db.fetchrow(f"SELECT {COMMENT} FROM comments c WHERE {_COMMENT} AND c.deleted_at IS NULL", comment_id)
    if row is None or await account_lists.hidden(db, [row["author_id"]], viewer_id=None):
        raise NotFoundError("comment")
    return comment_of(row)


async def get_deleted(db: Queryable, comment_id: int) -> Comment | None:
    """Return a comment whether it is deleted or not, None if there was none: its notifications are to be removed."""
    row = await db.fetchrow(f"SELECT {COMMENT} FROM comments c WHERE {_COMMENT}", comment_id)
    return None if row is None else comment_of(row)


async def state(db: Queryable, comment_id: int) -> CommentState | None:
    """Return the changing part of a comment, None once it is deleted."""
    row = await db.fetchrow(
        f"SELECT c.id, c.likes, c.replies, c.pinned_at IS NOT NULL AS pinned, c.version "
        f"FROM comments c WHERE {_COMMENT} AND c.deleted_at IS NULL",
        comment_id,
    )
    return None if row is None else CommentState(**dict(row))


def counters_of(row: Row) -> PhotoCounters:
    """Return the photo's counters from a row that has them with the names of a comment's query."""
    return PhotoCounters(
        photo_id=row["photo_id"],
        liked=row["liked"],
        likes=row["photo_likes"],
        comments=row["comments"],
        version=row["photo_version"],
        changed=True,
    )


async def _answered(tx: Transaction, photo_id: int, comment_id: int, viewer_id: int) -> tuple[int, int]:
    """Return the comment below which a reply to a comment or reply goes, and the user that it answers."""
    # The photo is locked, so neither can be deleted before the reply is there.
    row = await tx.fetchrow(
        f"""
        SELECT t.id, t.author_id, c.author_id AS answered_id
        FROM comments c JOIN comments t ON t.id = coalesce(c.reply_to, c.id) AND t.shard = c.shard
        WHERE {_COMMENT} AND t.shard = {shard("$1")} AND c.photo_id = $2
          AND c.deleted_at IS NULL AND t.deleted_at IS NULL""",
        comment_id,
        photo_id,
    )
    if row is None or await account_lists.hidden(tx, {row["author_id"], row["answered_id"]}, viewer_id=viewer_id):
        raise NotFoundError("comment")
    return row["id"], row["answered_id"]
