"""An author and very many followers, inserted directly into the database."""

from __future__ import annotations

from collections.abc import Sequence

from storage import ids
from storage.ids import IdGenerator
from storage.postgres.database import Database

_USER = """
INSERT INTO users (shard, id, username, email, password_hash, display_name)
VALUES ($1::bigint & 1023, $1, $2::text, $2::text || '@picshare.example', '', $2::text)
"""
_FOLLOWING = "INSERT INTO following (shard, follower_id, followee_id) VALUES ($1::bigint & 1023, $1, $2)"
_FOLLOWERS = "INSERT INTO followers (shard, follower_id, followee_id) VALUES ($2::bigint & 1023, $1, $2)"


async def create_author(db: Database, followers: int) -> tuple[int, list[int]]:
    """Create an author with this number of followers, who are spread over all shards; return their ids."""
    maker = IdGenerator()
    author = maker.new(7)
    follower_ids = [maker.new(number % ids.SHARDS) for number in range(followers)]
    async with db.connection() as connection:
        await connection.executemany(
            _USER, [(user_id, f"user{number}") for number, user_id in enumerate([author, *follower_ids])]
        )
    await follow(db, author, follower_ids)
    return author, follower_ids


async def follow(db: Database, author: int, follower_ids: Sequence[int]) -> None:
    """Make accounts followers of another one, on both sides, without counting them."""
    edges = [(follower_id, author) for follower_id in follower_ids]
    async with db.connection() as connection:
        await connection.executemany(_FOLLOWING, edges)
        await connection.executemany(_FOLLOWERS, edges)
        await connection.execute("ANALYZE")
