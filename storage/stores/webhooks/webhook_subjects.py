"""Whether what an event reports is still so, when its message is about to be sent."""

from __future__ import annotations

from storage.postgres.database import Queryable
from storage.postgres.sharding import shard


async def likes(db: Queryable, photo_id: int, user_id: int) -> bool:
    """Return whether a user likes a photo that is not deleted."""
    found: bool | None = await db.fetchval(
        f"SELECT true FROM likes l JOIN photos p ON p.shard = l.shard AND p.id = l.photo_id "
        f"WHERE l.shard = {shard('$1')} AND l.photo_id = $1 AND l.user_id = $2 AND p.deleted_at IS NULL",
        photo_id,
        user_id,
    )
    return bool(found)


async def follows(db: Queryable, followee_id: int, follower_id: int) -> bool:
    """Return whether a user follows another one."""
    found: bool | None = await db.fetchval(
        f"SELECT true FROM followers f WHERE f.shard = {shard('$1')} AND f.followee_id = $1 AND f.follower_id = $2",
        followee_id,
        follower_id,
    )
    return bool(found)
