"""Authors with very many followers, all but a few of which exist as rows of the author's followers alone.

They have no accounts and no feeds in Redis, as users who have not been here for two weeks have none.
"""

from __future__ import annotations

from storage.ids import SHARDS
from storage.postgres.database import Database

_FOLLOWERS = """
INSERT INTO followers (shard, follower_id, followee_id)
SELECT $1::bigint & 1023, i * 1024 + (i & 1023), $1 FROM generate_series($2::bigint, $3::bigint) AS i
"""
_COUNT = """
UPDATE users SET followers = (SELECT count(*) FROM followers WHERE shard = $1::bigint & 1023 AND followee_id = $1)
WHERE id = $1
"""


def member(number: int) -> int:
    """Return the id of a follower by number, from 1; those of real accounts are greater."""
    return number * SHARDS + number % SHARDS


async def add_followers(db: Database, author: int, count: int, *, first: int = 1) -> None:
    """Make `count` members of the crowd, from the number `first` on, followers of an author, who is an account."""
    async with db.connection() as connection:
        async with connection.transaction():
            # Without the checks of foreign keys, which take most of the time.
            await connection.execute("SET LOCAL session_replication_role = replica")
            await connection.execute(_FOLLOWERS, author, first, first + count - 1, timeout=600)
        await connection.execute(_COUNT, author, timeout=600)
        await connection.execute("ANALYZE followers")
