"""Close friends: the users that may see the photos of an account that are for close friends.

Any account can be one. A close friend that is no follower sees these photos on the owner's profile, not in the feed.
Only the owner can read the list. It has two rows for each, as blocks and mutes have (`storage.stores.social.blocks`).
"""

from __future__ import annotations

from collections.abc import Sequence

from locales.sentences import sentence
from storage.errors import ConflictError, NotFoundError
from storage.events import CloseFriendChanged
from storage.postgres.database import Queryable, Transaction
from storage.postgres.sharding import shard
from storage.stores import account_locks

# A photo for close friends reaches the feeds of all of them at once, in one step of the fan-out.
MAX = 500

_OWNED = f"shard = {shard('$1')} AND owner_id = $1"


async def add(tx: Transaction, owner_id: int, friend_id: int) -> bool:
    """Make a user a close friend; return False if they are one. Emits `CloseFriendChanged`.

    Raises `NotFoundError("user")`, also if either blocks the other, and `ConflictError`: not_your_own_friend,
    too_many_close_friends.
    """
    if owner_id == friend_id:
        raise ConflictError("not_your_own_friend", "You cannot be your own close friend.")
    await account_locks.lock_two(tx, owner_id, friend_id)
    row = await tx.fetchrow(
        f"""
        SELECT count(*) AS number, count(*) FILTER (WHERE other_id = $2) > 0 AS there,
            EXISTS (SELECT 1 FROM blocks WHERE shard = {shard("$1")} AND owner_id = $1 AND other_id = $2) AS blocked
        FROM close_friends WHERE {_OWNED} AND outgoing""",
        owner_id,
        friend_id,
    )
    if row is None or row["blocked"]:
        raise NotFoundError("user")
    if row["there"]:
        return False
    if row["number"] >= MAX:
        raise ConflictError(
            "too_many_close_friends", sentence("You can have up to {most} close friends. Remove one of them.", most=MAX)
        )
    sql = f"INSERT INTO close_friends (shard, owner_id, other_id, outgoing) VALUES ({shard('$1')}, $1, $2, $3)"
    await tx.execute(sql, owner_id, friend_id, True)
    await tx.execute(sql, friend_id, owner_id, False)
    tx.emit(CloseFriendChanged(owner_id=owner_id, friend_id=friend_id))
    return True


async def remove(tx: Transaction, owner_id: int, friend_id: int) -> bool:
    """Remove a close friend; return False if the user is none. Emits `CloseFriendChanged`."""
    # The other account may be deleted; the lock that `add` has on this one excludes it, too.
    if not await account_locks.lock(tx, [owner_id]):
        return False
    return await end(tx, owner_id, friend_id)


async def end(tx: Transaction, owner_id: int, friend_id: int) -> bool:
    """Remove a close friend of a locked account, as `remove` does."""
    sql = f"DELETE FROM close_friends WHERE {_OWNED} AND other_id = $2 AND outgoing = $3"
    if not await tx.execute(sql, owner_id, friend_id, True):
        return False
    await tx.execute(sql, friend_id, owner_id, False)
    tx.emit(CloseFriendChanged(owner_id=owner_id, friend_id=friend_id))
    return True


async def ids(db: Queryable, owner_id: int) -> list[int]:
    """Return the close friends of a user."""
    rows = await db.fetch(f"SELECT other_id FROM close_friends WHERE {_OWNED} AND outgoing", owner_id)
    return [row["other_id"] for row in rows]


async def among(db: Queryable, owner_id: int, user_ids: Sequence[int]) -> list[int]:
    """Return which of these users are close friends of a user."""
    rows = await db.fetch(
        f"SELECT other_id FROM close_friends WHERE {_OWNED} AND outgoing AND other_id = ANY($2::bigint[])",
        owner_id,
        list(user_ids),
    )
    return [row["other_id"] for row in rows]
