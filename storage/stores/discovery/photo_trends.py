"""What the ranking of photos depends on: counted with each like, and read together with the counters.

`photos.trend_likes` counts the likes of others whose accounts were at least a day old when they liked. The age follows
from the ids, so a like counts or does not count for as long as it exists.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from storage import ids
from storage.errors import NotFoundError
from storage.models import PhotoCounters
from storage.postgres.database import Queryable
from storage.postgres.rows import PHOTOS, Row, liked
from storage.postgres.sharding import shard
from storage.postgres.visibility import public_to_all
from storage.trends import NEW_ACCOUNT, PhotoTrend

MAX_COMMENTS = 1000  # the newest of a photo, whose authors are counted

_ID_BITS = ids.SEQUENCE_BITS + ids.SHARD_BITS
_SHARD = shard("$2")
_NEW_MS = int(NEW_ACCOUNT.total_seconds() * 1000)
# In every statement `$1` is the viewer NULL: only what a visitor may see is ranked. `$2` is the photo.
_COMMENTERS = f"""(
    SELECT count(DISTINCT c.author_id) FROM (
        SELECT c.author_id FROM comments c
        WHERE c.shard = {_SHARD} AND c.photo_id = p.id AND c.deleted_at IS NULL AND c.author_id <> p.author_id
          AND (c.id >> {_ID_BITS}) - (c.author_id >> {_ID_BITS}) >= {_NEW_MS}
        ORDER BY c.id DESC LIMIT {MAX_COMMENTS}) AS c)"""
_COLUMNS = (
    f"p.id, p.author_id, p.version, p.trend_likes, {_COMMENTERS} AS commenters, a.followers, "
    f"{public_to_all(_SHARD)} AS public"
)
_PHOTOS = f"{PHOTOS} WHERE p.shard = {_SHARD} AND p.id = $2"


def counted(like: str, author_id: str, counts_from: str) -> str:
    """Return the SQL expression, 0 or 1, for whether the row `like` of `likes` counts for the ranking of its photo.

    `counts_from` is the parameter with the time since when the user's likes count.
    """
    return f"({like}.user_id <> {author_id} AND {like}.created_at >= {counts_from}::timestamptz)::integer"


def counts_by_row(like: str, author_id: str) -> str:
    """Return the SQL condition for whether the row `like` of `likes` counts, in statements about likes of many users.

    It is the condition of `counted`, with the time since when the user's likes count from the id in the row.
    """
    # A double precision number of seconds, rounded to microseconds, is exact for a whole number of milliseconds.
    moment = f"to_timestamp((({like}.user_id >> {_ID_BITS}) + {ids.EPOCH_MS + _NEW_MS}) / 1000.0)"
    return f"({like}.user_id <> {author_id} AND {like}.created_at >= {moment})"


def counts_from(user_id: int) -> datetime:
    """Return the time since when likes of a user count."""
    return datetime.fromtimestamp(ids.milliseconds_of(user_id) / 1000, UTC) + NEW_ACCOUNT


async def counters(db: Queryable, *, photo_id: int, user_id: int) -> PhotoCounters:
    """Return what `likes.state` returns, with what the photo's score depends on; raise `NotFoundError("photo")`."""
    row = await db.fetchrow(
        f"SELECT {_COLUMNS}, p.likes, p.comments, {liked(_SHARD, '$3')} FROM {_PHOTOS} AND p.deleted_at IS NULL",
        None,
        photo_id,
        user_id,
    )
    if row is None:
        raise NotFoundError("photo")
    return PhotoCounters(
        photo_id=photo_id,
        liked=row["liked"],
        likes=row["likes"],
        comments=row["comments"],
        version=row["version"],
        changed=False,
        trend=_trend_of(row),
    )


async def load(db: Queryable, photo_ids: Sequence[int]) -> list[PhotoTrend]:
    """Return what the scores of photos depend on, by one statement each; photos without a row are left out."""
    rows = [await db.fetchrow(f"SELECT {_COLUMNS} FROM {_PHOTOS}", None, photo_id) for photo_id in photo_ids]
    return [_trend_of(row) for row in rows if row is not None]


async def newest_ids(db: Queryable, *, before: int, limit: int) -> list[int]:
    """Return the ids below `before` of the newest public photos with a like or a comment."""
    rows = await db.fetch(
        f"/* all shards: the ranking, built again */ SELECT p.id FROM {PHOTOS} "
        f"WHERE p.id < $2 AND (p.trend_likes > 0 OR p.comments > 0) AND {public_to_all('a.shard')} "
        "ORDER BY p.id DESC LIMIT $3",
        None,
        before,
        limit,
    )
    return [row["id"] for row in rows]


def _trend_of(row: Row) -> PhotoTrend:
    return PhotoTrend(
        photo_id=row["id"],
        author_id=row["author_id"],
        version=row["version"],
        likes=row["trend_likes"],
        commenters=row["commenters"],
        followers=row["followers"],
        public=row["public"],
    )
