"""The tags that users follow; a row is in the shard of its user."""

from __future__ import annotations

from locales.sentences import sentence
from storage.errors import ConflictError, NotFoundError
from storage.postgres.database import Queryable, Transaction
from storage.postgres.sharding import shard

MAX_TAGS = 20  # of one user, because a page reads each of them

_USER = f"shard = {shard('$1')} AND user_id = $1"


async def follow(tx: Transaction, user_id: int, tag: str) -> None:
    """Follow a tag in normal form; a second time changes nothing.

    Raises `NotFoundError("user")` once the account is deleted, and `ConflictError` too_many_tags.
    """
    # The lock excludes another follow of the user, which would be counted by neither.
    found = await tx.fetchval(
        f"SELECT id FROM users WHERE shard = {shard('$1')} AND id = $1 AND deleted_at IS NULL FOR NO KEY UPDATE",
        user_id,
    )
    if found is None:
        raise NotFoundError("user")
    tags = await followed(tx, user_id)
    if tag in tags:
        return
    if len(tags) >= MAX_TAGS:
        raise ConflictError(
            "too_many_tags",
            sentence("You follow {max_tags} tags already. Unfollow one of them first.", max_tags=MAX_TAGS),
        )
    await tx.execute(
        f"INSERT INTO tag_follows (shard, user_id, tag) VALUES ({shard('$1')}, $1, $2) ON CONFLICT DO NOTHING",
        user_id,
        tag,
    )


async def unfollow(tx: Transaction, user_id: int, tag: str) -> None:
    """Unfollow a tag; a second time changes nothing."""
    await tx.execute(f"DELETE FROM tag_follows WHERE {_USER} AND tag = $2", user_id, tag)


async def followed(db: Queryable, user_id: int) -> list[str]:
    """Return the tags that a user follows, in alphabetical order."""
    rows = await db.fetch(f"SELECT tag FROM tag_follows WHERE {_USER} ORDER BY tag", user_id)
    return [row["tag"] for row in rows]
