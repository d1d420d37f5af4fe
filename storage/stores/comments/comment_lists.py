"""Lists of comments as a viewer sees them: below a photo, and the replies to one comment.

Comments of authors hidden from the viewer are left out, with their replies. Those of a deleted account are deleted in
batches, and are hidden from the beginning.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple

from storage.errors import NotFoundError
from storage.models import Comment, CommentOrder
from storage.postgres.database import Queryable
from storage.postgres.rows import COMMENT, PHOTOS, Row, comment_liked, comment_of
from storage.postgres.sharding import shard
from storage.postgres.visibility import readable
from storage.stores import account_lists
from storage.stores.comments.comment_threads import author_above

FIRST_REPLIES = 3  # of each comment in a list
MAX_PINNED = 3

_VIEWED = shard("$2")
_SHOWN = f"c.shard = {_VIEWED} AND c.deleted_at IS NULL AND c.author_id <> ALL($5::bigint[])"
_COLUMNS = f"{COMMENT}, {comment_liked(_VIEWED)}"
_AFTER = {
    CommentOrder.NEWEST: "($3::bigint IS NULL OR c.id < $3)",
    CommentOrder.TOP: "($3::bigint IS NULL OR (c.likes, c.id) < ($7::integer, $3))",
}
_ORDER = {CommentOrder.NEWEST: "c.id DESC", CommentOrder.TOP: "c.likes DESC, c.id DESC"}
_NO_PIN_IS_LATER = datetime(9999, 1, 1, tzinfo=UTC)
_ALL_PINS_ARE_LATER = datetime(1970, 1, 1, tzinfo=UTC)


class Place(NamedTuple):
    """The place of a comment in a list: pinned ones by the time of their pin, others by likes and id or by id."""

    pinned_at: datetime | None
    likes: int
    id: int

    @classmethod
    def of(cls, comment: Comment) -> Place:
        """Return the place of a comment that was read."""
        return cls(comment.pinned_at, comment.likes, comment.id)


async def page(
    db: Queryable,
    photo_id: int,
    *,
    viewer_id: int | None,
    order: CommentOrder = CommentOrder.NEWEST,
    after: Place | None = None,
    limit: int,
) -> list[Comment]:
    """Return the comments after a place, pinned ones first, each with its first replies.

    Raises `NotFoundError("photo")` when the viewer may not see the photo.
    """

    async def read(last: Place | None, hidden: Collection[int]) -> list[Comment]:
        rows = await db.fetch(
            _page(order),
            viewer_id,
            photo_id,
            *_position(last),
            limit,
            list(hidden),
            pinned_before(last),
            *(() if order is CommentOrder.NEWEST else (0 if last is None else last.likes,)),
        )
        if not rows:
            raise NotFoundError("photo")
        # A photo without comments is one row without a comment.
        return [comment_of(row) for row in rows if row["id"] is not None]

    found = await _visible(db, read, after, viewer_id=viewer_id, limit=limit)
    return await _with_first_replies(db, photo_id, found, viewer_id=viewer_id)


async def one(db: Queryable, comment_id: int, *, viewer_id: int | None) -> Comment:
    """Return a comment or reply; raise `NotFoundError("comment")` when the viewer may not see it."""
    row = await db.fetchrow(
        f"""
        SELECT {_COLUMNS}, {author_above(_VIEWED)} AS above
        FROM {PHOTOS} JOIN comments c ON c.photo_id = p.id AND c.shard = p.shard
        WHERE c.shard = {_VIEWED} AND p.shard = {_VIEWED} AND a.shard = {_VIEWED} AND c.id = $2
          AND c.deleted_at IS NULL AND {readable(_VIEWED)}""",
        viewer_id,
        comment_id,
    )
    if row is None:
        raise NotFoundError("comment")
    authors = {author_id for author_id in (row["author_id"], row["above"]) if author_id is not None}
    if await account_lists.hidden(db, authors, viewer_id=viewer_id):
        raise NotFoundError("comment")
    return comment_of(row)


async def replies(
    db: Queryable, comment_id: int, *, viewer_id: int | None, after: int | None = None, limit: int
) -> list[Comment]:
    """Return the replies to a comment with ids above `after`, oldest first.

    Raises `NotFoundError("comment")` when the viewer may not see the photo, or the comment is hidden from the viewer.
    """
    author_id: int | None = await db.fetchval(
        f"""
        SELECT c.author_id FROM {PHOTOS} JOIN comments c ON c.photo_id = p.id AND c.shard = p.shard
        WHERE c.shard = {_VIEWED} AND p.shard = {_VIEWED} AND a.shard = {_VIEWED} AND c.id = $2
          AND c.deleted_at IS NULL AND {readable(_VIEWED)}""",
        viewer_id,
        comment_id,
    )
    if author_id is None or await account_lists.hidden(db, [author_id], viewer_id=viewer_id):
        raise NotFoundError("comment")

    async def read(last: Place | None, hidden: Collection[int]) -> list[Comment]:
        rows = await db.fetch(
            f"SELECT {_COLUMNS} FROM comments c "
            f"WHERE c.reply_to = $2 AND c.id > $3 AND {_SHOWN} ORDER BY c.id LIMIT $4",
            viewer_id,
            comment_id,
            0 if last is None else last.id,
            limit,
            list(hidden),
        )
        return [comment_of(row) for row in rows]

    start = None if after is None else Place(None, 0, after)
    return await _visible(db, read, start, viewer_id=viewer_id, limit=limit)


async def _visible(
    db: Queryable,
    read: Callable[[Place | None, Collection[int]], Awaitable[list[Comment]]],
    after: Place | None,
    *,
    viewer_id: int | None,
    limit: int,
) -> list[Comment]:
    """Return `limit` comments by authors that are not hidden from the viewer, or all that there are."""
    found: list[Comment] = []
    hidden: set[int] = set()
    # Some of what is read may be hidden; the rest is read after it, without the authors known to be hidden, who may
    # have written any number of comments.
    while len(found) < limit:
        batch = await read(after, hidden)
        hidden |= await account_lists.hidden(db, {comment.author.id for comment in batch}, viewer_id=viewer_id)
        found += [comment for comment in batch if comment.author.id not in hidden]
        if len(batch) < limit:
            break
        after = Place.of(batch[-1])
    return found[:limit]


async def _with_first_replies(
    db: Queryable, photo_id: int, comments: Sequence[Comment], *, viewer_id: int | None
) -> list[Comment]:
    answered = [comment.id for comment in comments if comment.replies]
    if not answered:
        return list(comments)
    rows: Sequence[Row] = await db.fetch(
        f"""
        SELECT r.* FROM unnest($3::bigint[]) AS parent (id) CROSS JOIN LATERAL (
            SELECT {_COLUMNS} FROM comments c
            WHERE c.shard = {_VIEWED} AND c.reply_to = parent.id AND c.deleted_at IS NULL ORDER BY c.id LIMIT $4) AS r
        ORDER BY r.id""",
        viewer_id,
        photo_id,
        answered,
        FIRST_REPLIES,
    )
    first = [comment_of(row) for row in rows]
    hidden = await account_lists.hidden(db, {reply.author.id for reply in first}, viewer_id=viewer_id)
    by_parent: dict[int | None, list[Comment]] = {}
    for reply in first:
        if reply.author.id not in hidden:
            by_parent.setdefault(reply.reply_to, []).append(reply)
    return [replace(each, first_replies=tuple(by_parent.get(each.id, ()))) for each in comments]


def _page(order: CommentOrder) -> str:
    """Return the statement of a page; one row without a comment if the photo has none.

    $1 is the viewer, $2 the photo, $3 the id and $7 the likes of the last comment that is not pinned, $4 the number,
    $5 hidden authors, $6 the pin before which pinned ones are read.
    """
    return f"""
        SELECT c.* FROM {PHOTOS} LEFT JOIN LATERAL (
            (SELECT {_COLUMNS} FROM comments c
             WHERE c.photo_id = $2 AND {_SHOWN} AND c.reply_to IS NULL
               AND c.pinned_at IS NOT NULL AND c.pinned_at < $6
             ORDER BY c.pinned_at DESC LIMIT {MAX_PINNED})
            UNION ALL
            (SELECT {_COLUMNS} FROM comments c
             WHERE c.photo_id = $2 AND {_SHOWN} AND c.reply_to IS NULL AND c.pinned_at IS NULL AND {_AFTER[order]}
             ORDER BY {_ORDER[order]} LIMIT $4)) AS c ON true
        WHERE p.shard = {_VIEWED} AND p.id = $2 AND {readable(_VIEWED)}
        ORDER BY c.pinned_at DESC NULLS LAST, {_ORDER[order]} LIMIT $4"""


def _position(last: Place | None) -> tuple[int | None]:
    return (None if last is None or last.pinned_at is not None else last.id,)


def pinned_before(last: Place | None) -> datetime:
    """Return the time of pins before which the pinned comments after a place were pinned."""
    if last is None:
        return _NO_PIN_IS_LATER
    return _ALL_PINS_ARE_LATER if last.pinned_at is None else last.pinned_at
