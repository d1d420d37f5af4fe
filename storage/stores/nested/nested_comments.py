"""Comments of many photos, replies to many comments, and comments by their ids, each with one statement.

The rules are those of `storage.stores.comments.comment_lists`, which reads one list.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from storage.ids import MAX_ID
from storage.models import Comment, CommentOrder
from storage.postgres.database import Queryable
from storage.postgres.rows import COMMENT, PHOTOS, Row, comment_liked, comment_of
from storage.postgres.sharding import shards
from storage.postgres.visibility import readable
from storage.stores import account_lists
from storage.stores.comments.comment_lists import MAX_PINNED, Place, pinned_before
from storage.stores.comments.comment_threads import author_above
from storage.stores.nested.nested_lists import filled

_COLUMNS = f"{COMMENT}, {comment_liked('p.shard')}"
_SHOWN = "c.shard = p.shard AND c.deleted_at IS NULL AND c.author_id <> ALL($5::bigint[])"
_AFTER = {
    CommentOrder.NEWEST: "c.id < parent.after_id",
    CommentOrder.TOP: "(c.likes, c.id) < (parent.after_likes, parent.after_id)",
}
_ORDER = {CommentOrder.NEWEST: "c.id DESC", CommentOrder.TOP: "c.likes DESC, c.id DESC"}
_MOST_LIKES = 2**31 - 1
_COMMENTS = f"{PHOTOS} JOIN comments c ON c.photo_id = p.id AND c.shard = p.shard"


async def newest_of(
    db: Queryable,
    starts: Mapping[int, Place | None],
    *,
    viewer_id: int | None,
    order: CommentOrder = CommentOrder.NEWEST,
    limit: int,
) -> dict[int, list[Comment]]:
    """Return up to `limit` comments of each photo after a place, as `comment_lists.page` does, without replies.

    A photo that the viewer may not see has none.
    """
    hidden: set[int] = set()

    async def read(places: Mapping[int, Place | None]) -> Mapping[int, Sequence[Comment]]:
        rows = await db.fetch(
            _page(order),
            viewer_id,
            shards(places),
            list(places),
            limit,
            list(hidden),
            [pinned_before(place) for place in places.values()],
            [MAX_ID if place is None or place.pinned_at is not None else place.id for place in places.values()],
            [_MOST_LIKES if place is None or place.pinned_at is not None else place.likes for place in places.values()],
        )
        return {photo_id: batch[:limit] for photo_id, batch in _by_photo(rows).items()}

    async def keep(comments: Sequence[Comment]) -> Sequence[bool]:
        hidden.update(await account_lists.hidden(db, {each.author.id for each in comments}, viewer_id=viewer_id))
        return [each.author.id not in hidden for each in comments]

    return await filled(starts, read, keep, Place.of, limit=limit)


async def replies_of(
    db: Queryable, starts: Mapping[int, int | None], *, viewer_id: int | None, limit: int
) -> dict[int, list[Comment]]:
    """Return up to `limit` replies to each comment with ids above the start, oldest first.

    A comment that the viewer may not see has none.
    """
    shown = await by_ids(db, list(starts), viewer_id=viewer_id)
    hidden: set[int] = set()

    async def read(places: Mapping[int, int | None]) -> Mapping[int, Sequence[Comment]]:
        rows = await db.fetch(
            f"""
            SELECT r.* FROM unnest($3::bigint[], $6::bigint[]) AS parent (id, after_id)
            JOIN comments p ON p.id = parent.id
            CROSS JOIN LATERAL (
                SELECT {_COLUMNS} FROM comments c
                WHERE c.reply_to = p.id AND c.id > parent.after_id AND {_SHOWN} ORDER BY c.id LIMIT $4) AS r
            WHERE p.shard = ANY($2::integer[]) ORDER BY r.id""",
            viewer_id,
            shards(places),
            list(places),
            limit,
            list(hidden),
            [after or 0 for after in places.values()],
        )
        batches: defaultdict[int, list[Comment]] = defaultdict(list)
        for reply in map(comment_of, rows):
            batches[reply.reply_to or 0].append(reply)
        return batches

    async def keep(replies: Sequence[Comment]) -> Sequence[bool]:
        hidden.update(await account_lists.hidden(db, {each.author.id for each in replies}, viewer_id=viewer_id))
        return [each.author.id not in hidden for each in replies]

    readable_ones = {comment_id: after for comment_id, after in starts.items() if comment_id in shown}
    return await filled(readable_ones, read, keep, lambda reply: reply.id, limit=limit)


async def by_ids(db: Queryable, comment_ids: Collection[int], *, viewer_id: int | None) -> dict[int, Comment]:
    """Return those comments and replies that the viewer may see, by id."""
    if not comment_ids:
        return {}
    rows = await db.fetch(
        f"SELECT {_COLUMNS}, {author_above('c.shard')} AS above FROM {_COMMENTS} "
        "WHERE c.shard = ANY($2::integer[]) AND c.id = ANY($3::bigint[]) AND c.deleted_at IS NULL "
        f"AND {readable('a.shard')}",
        viewer_id,
        shards(comment_ids),
        list(comment_ids),
    )
    authors = {author_id for row in rows for author_id in (row["author_id"], row["above"]) if author_id is not None}
    hidden = await account_lists.hidden(db, authors, viewer_id=viewer_id)
    return {row["id"]: comment_of(row) for row in rows if not {row["author_id"], row["above"]} & hidden}


def _by_photo(rows: Sequence[Row]) -> Mapping[int, list[Comment]]:
    batches: defaultdict[int, list[Comment]] = defaultdict(list)
    for comment in map(comment_of, rows):
        batches[comment.photo_id].append(comment)
    return batches


def _page(order: CommentOrder) -> str:
    """Return the statement of a page of each photo.

    $1 is the viewer, $2 and $3 the shards and ids of the photos, $4 the number, $5 hidden authors; of each photo $6 is
    the pin before which pinned comments are read, $7 the id and $8 the likes after which the others are.
    """
    return f"""
        SELECT c.* FROM unnest($3::bigint[], $6::timestamptz[], $7::bigint[], $8::integer[])
            AS parent (id, pinned_before, after_id, after_likes)
        JOIN photos p ON p.id = parent.id
        JOIN users a ON a.id = p.author_id AND a.shard = p.shard
        CROSS JOIN LATERAL (
            (SELECT {_COLUMNS} FROM comments c
             WHERE c.photo_id = p.id AND {_SHOWN} AND c.reply_to IS NULL
               AND c.pinned_at IS NOT NULL AND c.pinned_at < parent.pinned_before
             ORDER BY c.pinned_at DESC LIMIT {MAX_PINNED})
            UNION ALL
            (SELECT {_COLUMNS} FROM comments c
             WHERE c.photo_id = p.id AND {_SHOWN} AND c.reply_to IS NULL AND c.pinned_at IS NULL AND {_AFTER[order]}
             ORDER BY {_ORDER[order]} LIMIT $4)) AS c
        WHERE p.shard = ANY($2::integer[]) AND {readable("a.shard")}
        ORDER BY c.pinned_at DESC NULLS LAST, {_ORDER[order]}"""
