"""The check of counters against the rows that they count, and their repair.

A counter changes in the transaction of its row: likes, those that count for the ranking, and comments on the photo;
followers, followees and photos on the account. They are counted again only here, to find out whether they are still
right.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from storage.models import PhotoCounters
from storage.postgres.database import Queryable, Transaction
from storage.postgres.rows import Row
from storage.postgres.sharding import shard, shards
from storage.stores.discovery.photo_trends import counts_by_row
from storage.stores.photos.photos import COUNTED

_ONE = shard("$1")
_SEVERAL = "ANY($1::integer[])"
_AUDIENCES = ", ".join(f"'{audience}'" for audience in sorted(COUNTED))
_SHOWN = f"state = 'ready' AND deleted_at IS NULL AND audience IN ({_AUDIENCES})"  # the photos that profiles count


class Checked(NamedTuple):
    """The ids of a page whose counters are wrong, and the id to continue after, None at the end."""

    wrong: Sequence[int]
    after: int | None


class CheckedPhotos(NamedTuple):
    """The ids of wrong photos, the counters of all photos of a page, and the id to continue after, None at the end."""

    wrong: Sequence[int]
    counters: Sequence[PhotoCounters]
    after: int | None


class RepairedPhoto(NamedTuple):
    """What was wrong with a photo: its likes or comments, or its likes that count for the ranking."""

    author_id: int
    counters: bool
    trend: bool


async def check_photos(db: Queryable, *, after: int, limit: int) -> CheckedPhotos:
    """Count likes, also for the ranking, and comments of the `limit` photos with the lowest ids above `after`."""
    page = await db.fetch(
        """
        /* all shards: the daily check of all counters */
        SELECT id FROM photos WHERE id > $1 AND deleted_at IS NULL ORDER BY id LIMIT $2""",
        after,
        limit,
    )
    photo_ids = [row["id"] for row in page]
    # One statement has one snapshot on each server, and a row and its counter change in the same transaction: so no
    # lock is needed.
    rows = await db.fetch(
        f"""
        SELECT p.id, p.likes, p.comments, p.version,
            (p.likes, p.comments, p.trend_likes) <> (coalesce(l.n, 0), coalesce(c.n, 0), coalesce(l.trend, 0)) AS wrong
        FROM photos p
        LEFT JOIN (
            SELECT k.shard, k.photo_id, count(*)::integer AS n,
                (count(*) FILTER (WHERE {counts_by_row("k", "q.author_id")}))::integer AS trend
            FROM likes k JOIN photos q ON q.shard = k.shard AND q.id = k.photo_id
            WHERE k.shard = {_SEVERAL} AND k.photo_id = ANY($2::bigint[]) GROUP BY k.shard, k.photo_id
        ) AS l ON l.shard = p.shard AND l.photo_id = p.id
        LEFT JOIN ({_counted("comments", "photo_id", "deleted_at IS NULL")}) AS c
            ON c.shard = p.shard AND c.photo_id = p.id
        WHERE p.shard = {_SEVERAL} AND p.id = ANY($2::bigint[]) AND p.deleted_at IS NULL ORDER BY p.id""",
        shards(photo_ids),
        photo_ids,
    )
    return CheckedPhotos(
        wrong=[row["id"] for row in rows if row["wrong"]],
        counters=[_counters(row) for row in rows],
        after=photo_ids[-1] if len(photo_ids) == limit else None,
    )


async def repair_photo(tx: Transaction, photo_id: int) -> RepairedPhoto | None:
    """Correct the counters of a photo and return what was wrong, or None if nothing was any more."""
    # A like or comment that is under way waits for this lock after its insert, so it is counted by itself.
    stored = await tx.fetchrow(
        f"SELECT author_id, likes, comments, trend_likes FROM photos WHERE shard = {_ONE} AND id = $1 "
        "AND deleted_at IS NULL FOR NO KEY UPDATE",
        photo_id,
    )
    if stored is None:
        return None
    # Not part of the UPDATE: there a cluster refuses the time of an account, which is computed from a column.
    (counted,) = await tx.fetch(
        f"""
        SELECT
            (SELECT count(*) FROM likes l WHERE l.shard = {_ONE} AND l.photo_id = $1)::integer AS likes,
            (SELECT count(*) FROM comments c
             WHERE c.shard = {_ONE} AND c.photo_id = $1 AND c.deleted_at IS NULL)::integer AS comments,
            (SELECT count(*) FROM likes l
             WHERE l.shard = {_ONE} AND l.photo_id = $1 AND {counts_by_row("l", "$2")})::integer AS trend_likes""",
        photo_id,
        stored["author_id"],
    )
    wrong = {name for name, number in counted.items() if number != stored[name]}
    if not wrong:
        return None
    await tx.execute(
        "UPDATE photos SET likes = $2, comments = $3, trend_likes = $4, version = version + 1 "
        f"WHERE shard = {_ONE} AND id = $1",
        photo_id,
        counted["likes"],
        counted["comments"],
        counted["trend_likes"],
    )
    return RepairedPhoto(author_id=stored["author_id"], counters=wrong != {"trend_likes"}, trend="trend_likes" in wrong)


async def check_accounts(db: Queryable, *, after: int, limit: int) -> Checked:
    """Count followers, followees and photos of the `limit` accounts with the lowest ids above `after`."""
    page = await db.fetch(
        """
        /* all shards: the daily check of all counters */
        SELECT id FROM users WHERE id > $1 AND deleted_at IS NULL ORDER BY id LIMIT $2""",
        after,
        limit,
    )
    user_ids = [row["id"] for row in page]
    rows = await db.fetch(
        f"""
        SELECT a.id FROM users a
        LEFT JOIN ({_counted("followers", "followee_id")}) AS f ON f.shard = a.shard AND f.followee_id = a.id
        LEFT JOIN ({_counted("following", "follower_id")}) AS g ON g.shard = a.shard AND g.follower_id = a.id
        LEFT JOIN ({_counted("photos", "author_id", _SHOWN)}) AS p ON p.shard = a.shard AND p.author_id = a.id
        WHERE a.shard = {_SEVERAL} AND a.id = ANY($2::bigint[]) AND a.deleted_at IS NULL
          AND (a.followers, a.following, a.photos) <> (coalesce(f.n, 0), coalesce(g.n, 0), coalesce(p.n, 0))
        ORDER BY a.id""",
        shards(user_ids),
        user_ids,
    )
    return Checked(wrong=[row["id"] for row in rows], after=user_ids[-1] if len(user_ids) == limit else None)


async def repair_account(tx: Transaction, user_id: int) -> bool:
    """Correct the counters of an account; return whether they were still wrong."""
    await tx.execute(f"SELECT 1 FROM users WHERE shard = {_ONE} AND id = $1 FOR NO KEY UPDATE", user_id)
    return bool(
        await tx.execute(
            f"""
            UPDATE users a SET followers = counted.followers, following = counted.following, photos = counted.photos
            FROM (SELECT
                (SELECT count(*) FROM followers f WHERE f.shard = {_ONE} AND f.followee_id = $1)::integer AS followers,
                (SELECT count(*) FROM following g WHERE g.shard = {_ONE} AND g.follower_id = $1)::integer AS following,
                (SELECT count(*) FROM photos p
                 WHERE p.shard = {_ONE} AND p.author_id = $1 AND {_SHOWN})::integer AS photos
            ) AS counted
            WHERE a.shard = {_ONE} AND a.id = $1 AND a.deleted_at IS NULL
              AND (a.followers, a.following, a.photos) <> (counted.followers, counted.following, counted.photos)""",
            user_id,
        )
    )


def _counted(table: str, owner: str, condition: str = "true") -> str:
    """Return the query that counts the rows of each owner of a page."""
    return (
        f"SELECT shard, {owner}, count(*)::integer AS n FROM {table} "
        f"WHERE shard = {_SEVERAL} AND {owner} = ANY($2::bigint[]) AND {condition} GROUP BY shard, {owner}"
    )


def _counters(row: Row) -> PhotoCounters:
    numbers = {name: row[name] for name in ("likes", "comments", "version")}
    return PhotoCounters(photo_id=row["id"], liked=False, changed=True, **numbers)
