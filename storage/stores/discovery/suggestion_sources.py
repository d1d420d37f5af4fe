"""Where suggestions of accounts come from: the follows and likes of the user. Each read is bounded, see the limits."""

from __future__ import annotations

from collections.abc import Sequence

from storage.postgres.database import Queryable
from storage.postgres.sharding import shard, shards

MAX_FOLLOWERS = 100
MAX_FRIENDS = 300  # whose follows are read, of the followed accounts those that are newest
MAX_FOLLOWS = 300  # of each of these
MAX_CANDIDATES = 500


async def followers(db: Queryable, user_id: int) -> list[int]:
    """Return the ids of followers, newest account first."""
    rows = await db.fetch(
        f"SELECT follower_id FROM followers WHERE shard = {shard('$1')} AND followee_id = $1 "
        "ORDER BY follower_id DESC LIMIT $2",
        user_id,
        MAX_FOLLOWERS,
    )
    return [row["follower_id"] for row in rows]


async def friends(db: Queryable, user_id: int) -> list[int]:
    """Return the ids of followed accounts, newest account first."""
    rows = await db.fetch(
        f"SELECT followee_id FROM following WHERE shard = {shard('$1')} AND follower_id = $1 "
        "ORDER BY followee_id DESC LIMIT $2",
        user_id,
        MAX_FRIENDS,
    )
    return [row["followee_id"] for row in rows]


async def friends_of(db: Queryable, friend_ids: Sequence[int]) -> dict[int, int]:
    """Return the accounts that most of the friends follow, and by how many of them each is followed."""
    rows = await db.fetch(
        """
        SELECT own.id, count(*) AS friends FROM users a
        CROSS JOIN LATERAL (
            SELECT f.followee_id AS id FROM following f WHERE f.shard = a.shard AND f.follower_id = a.id
            ORDER BY f.followee_id DESC LIMIT $3) AS own
        WHERE a.shard = ANY($1::integer[]) AND a.id = ANY($2::bigint[]) AND a.deleted_at IS NULL
        GROUP BY own.id ORDER BY friends DESC, own.id DESC LIMIT $4""",
        shards(friend_ids),
        list(friend_ids),
        MAX_FOLLOWS,
        MAX_CANDIDATES,
    )
    return {row["id"]: row["friends"] for row in rows}


async def tags_of(db: Queryable, photo_ids: Sequence[int], *, limit: int) -> list[str]:
    """Return the most frequent tags of photos."""
    rows = await db.fetch(
        "SELECT t.tag, count(*) AS photos FROM photo_tags t "
        "WHERE t.shard = ANY($1::integer[]) AND t.photo_id = ANY($2::bigint[]) "
        "GROUP BY t.tag ORDER BY photos DESC, t.tag LIMIT $3",
        shards(photo_ids),
        list(photo_ids),
        limit,
    )
    return [row["tag"] for row in rows]
