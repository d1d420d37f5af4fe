"""Likes: one row for each user and photo, counted on the photo in the same transaction.

Every change increases the photo's `version` while its row is locked, so that a consumer that receives changes in
another order knows which is newer.
"""

from __future__ import annotations

from collections.abc import Sequence

from storage.errors import NotFoundError
from storage.events import LikeAdded, LikeRemoved
from storage.models import PhotoCounters, UserSummary
from storage.postgres.database import Queryable, Transaction
from storage.postgres.rows import PHOTOS, Row, liked
from storage.postgres.sharding import shard, shards
from storage.postgres.visibility import readable
from storage.stores import account_lists
from storage.stores.discovery.photo_trends import counted, counts_from

_PHOTO = shard("$2")  # in statements about the viewer $1 and the photo $2


async def add(tx: Transaction, *, photo_id: int, user_id: int) -> PhotoCounters:
    """Like a photo; a second time changes nothing.

    Emits `LikeAdded`; raises `NotFoundError("photo")`. The user's account is in another shard and is not locked: a like
    that is committed after the account's deletion is erased with it.
    """
    # One statement instead of three saves two round trips on the service's most frequent write. Each part sees the
    # row as it is once the lock is held: SELECT ... FOR UPDATE and UPDATE follow the row to its newest version, and
    # ON CONFLICT checks the index, not the statement's snapshot.
    row = await tx.fetchrow(
        f"""
        WITH photo AS (
            SELECT p.shard, p.id, p.author_id, p.likes, p.comments, p.version FROM {PHOTOS}
            WHERE p.shard = {_PHOTO} AND p.id = $2 AND {readable(_PHOTO)} FOR NO KEY UPDATE OF p),
        added AS (
            INSERT INTO likes (shard, photo_id, user_id, version) SELECT shard, id, $1, version + 1 FROM photo
            ON CONFLICT DO NOTHING RETURNING photo_id, user_id, created_at),
        counted AS (
            UPDATE photos AS q SET likes = q.likes + 1, version = q.version + 1,
                trend_likes = q.trend_likes + {counted("added", "q.author_id", "$3")}
            FROM added
            WHERE q.shard = {_PHOTO} AND q.id = added.photo_id RETURNING q.likes, q.version)
        SELECT photo.author_id, photo.comments, coalesce(counted.likes, photo.likes) AS likes,
            coalesce(counted.version, photo.version) AS version, counted.version IS NOT NULL AS changed
        FROM photo LEFT JOIN counted ON true""",
        user_id,
        photo_id,
        counts_from(user_id),
    )
    if row is None:
        raise NotFoundError("photo")
    if row["changed"]:
        tx.emit(LikeAdded(photo_id=photo_id, owner_id=row["author_id"], user_id=user_id))
    return _counters(row, photo_id, liked=True, changed=row["changed"])


async def remove(tx: Transaction, *, photo_id: int, user_id: int) -> PhotoCounters:
    """Remove a like; a second time changes nothing. Emits `LikeRemoved`, raises `NotFoundError("photo")`.

    A like can be removed as long as the photo exists, also by a user who may not see the photo any more.
    """
    # The lock is a statement of its own: in one statement the DELETE would use a snapshot from before the lock, and
    # miss a like that was committed while it waited.
    locked = await tx.fetchrow(
        f"SELECT p.author_id, p.likes, p.comments, p.version FROM {PHOTOS} "
        f"WHERE p.shard = {_PHOTO} AND p.id = $2 AND p.deleted_at IS NULL AND (EXISTS ("
        f"SELECT 1 FROM likes l WHERE l.shard = {_PHOTO} AND l.photo_id = p.id AND l.user_id = $1) "
        f"OR ({readable(_PHOTO)})) FOR NO KEY UPDATE OF p",
        user_id,
        photo_id,
    )
    if locked is None:
        raise NotFoundError("photo")
    row = await tx.fetchrow(
        f"""
        WITH removed AS (
            DELETE FROM likes WHERE shard = {_PHOTO} AND photo_id = $2 AND user_id = $1
            RETURNING photo_id, user_id, created_at)
        UPDATE photos p SET likes = p.likes - 1, version = p.version + 1,
            trend_likes = greatest(p.trend_likes - {counted("removed", "p.author_id", "$3")}, 0)
        FROM removed WHERE p.shard = {_PHOTO} AND p.id = removed.photo_id
        RETURNING p.likes, p.comments, p.version""",
        user_id,
        photo_id,
        counts_from(user_id),
    )
    if row is not None:
        tx.emit(LikeRemoved(photo_id=photo_id, owner_id=locked["author_id"], user_id=user_id))
    return _counters(row or locked, photo_id, liked=False, changed=row is not None)


async def state(db: Queryable, *, photo_id: int, user_id: int, changed: bool = False) -> PhotoCounters:
    """Return a photo's counters and whether a user likes it; raise `NotFoundError("photo")` once deleted."""
    row = await db.fetchrow(
        f"""
        SELECT p.likes, p.comments, p.version, {liked(_PHOTO)}
        FROM photos p WHERE p.shard = {_PHOTO} AND p.id = $2 AND p.deleted_at IS NULL""",
        user_id,
        photo_id,
    )
    if row is None:
        raise NotFoundError("photo")
    return PhotoCounters(photo_id=photo_id, changed=changed, **dict(row))


async def page(
    db: Queryable, photo_id: int, *, before: int | None, limit: int, viewer_id: int | None = None
) -> list[tuple[int, UserSummary]]:
    """Return (version of the like, user) of a photo's likes, newest first, with versions below `before`.

    Users hidden from the viewer are left out. Whether the viewer may see the photo, the caller has to check.
    """
    found: list[tuple[int, UserSummary]] = []
    # Some of a page may be hidden from the viewer; the rest of it is read below them.
    while len(found) < limit:
        rows = await db.fetch(
            f"SELECT version, user_id FROM likes WHERE shard = {shard('$1')} AND photo_id = $1 "
            "AND ($2::bigint IS NULL OR version < $2) ORDER BY version DESC LIMIT $3",
            photo_id,
            before,
            limit,
        )
        users = await account_lists.summaries(db, [row["user_id"] for row in rows], viewer_id=viewer_id)
        found += [(row["version"], users[row["user_id"]]) for row in rows if row["user_id"] in users]
        if len(rows) < limit:
            break
        before = rows[-1]["version"]
    return found[:limit]


async def among(db: Queryable, photo_ids: Sequence[int], *, user_id: int) -> set[int]:
    """Return which of these photos a user likes."""
    if not photo_ids:
        return set()
    rows = await db.fetch(
        "SELECT photo_id FROM likes WHERE shard = ANY($2::integer[]) AND photo_id = ANY($3::bigint[]) AND user_id = $1",
        user_id,
        shards(photo_ids),
        list(photo_ids),
    )
    return {row["photo_id"] for row in rows}


async def of_user(db: Queryable, user_id: int, *, limit: int = 10_000) -> list[tuple[int, int]]:
    """Return (photo id, version) of a user's likes of the last 90 days, newest first."""
    rows = await db.fetch(
        "/* all shards: a viewer's likes, kept in Redis afterwards */ SELECT photo_id, version FROM likes "
        "WHERE user_id = $1 AND created_at > now() - interval '90 days' ORDER BY created_at DESC LIMIT $2",
        user_id,
        limit,
    )
    return [(row["photo_id"], row["version"]) for row in rows]


def _counters(row: Row, photo_id: int, *, liked: bool, changed: bool) -> PhotoCounters:
    return PhotoCounters(
        photo_id=photo_id,
        liked=liked,
        likes=row["likes"],
        comments=row["comments"],
        version=row["version"],
        changed=changed,
    )
