"""Bells: a follower with one is notified of each new photo of the followee.

A bell is a column of the row of the follow in the followee's shard, so it ends with the follow.
"""

from __future__ import annotations

from storage.errors import ConflictError, NotFoundError
from storage.postgres.database import Queryable, Transaction
from storage.postgres.sharding import shard
from storage.stores import account_lists
from storage.stores.social.follows import Bound

_FOLLOWEE = shard("$2")


async def turn_on(tx: Transaction, follower_id: int, followee_id: int) -> bool:
    """Have a follower notified of new photos; return False if the follower is already.

    Raises `NotFoundError("user")` for an account that is hidden, and `ConflictError` not_following.
    """
    return await _set(tx, follower_id, followee_id, bell=True)


async def turn_off(tx: Transaction, follower_id: int, followee_id: int) -> bool:
    """End that a follower is notified; return False if that is so already."""
    return await _set(tx, follower_id, followee_id, bell=False)


async def followers(db: Queryable, author_id: int, *, after: Bound, limit: int) -> list[int]:
    """Return the followers with a bell by (shard, id), after `after`."""
    rows = await db.fetch(
        f"""
        SELECT f.follower_id FROM followers f
        WHERE f.shard = {shard("$1")} AND f.followee_id = $1 AND f.bell
          AND ((f.follower_id & 1023), f.follower_id) > ($2::bigint, $3::bigint)
        ORDER BY (f.follower_id & 1023), f.follower_id LIMIT $4""",
        author_id,
        *after,
        limit,
    )
    return [row["follower_id"] for row in rows]


async def _set(tx: Transaction, follower_id: int, followee_id: int, *, bell: bool) -> bool:
    row = await tx.fetchrow(
        f"""
        WITH changed AS (
            UPDATE followers f SET bell = $3
            WHERE f.shard = {_FOLLOWEE} AND f.followee_id = $2 AND f.follower_id = $1 AND f.bell <> $3 RETURNING 1)
        SELECT EXISTS (SELECT 1 FROM changed) AS changed, EXISTS (
            SELECT 1 FROM followers f WHERE f.shard = {_FOLLOWEE} AND f.followee_id = $2 AND f.follower_id = $1)
            AS following""",
        follower_id,
        followee_id,
        bell,
    )
    if bell and not (row and row["following"]):
        if not await account_lists.summaries(tx, [followee_id], viewer_id=follower_id):
            raise NotFoundError("user")
        raise ConflictError("not_following", "Follow this account first; then you can be notified of its photos.")
    return row is not None and bool(row["changed"])
