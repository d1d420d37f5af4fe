"""Blocks and mutes.

Each is two rows, one in the shard of each user; `outgoing` is true in that of the user who blocks or mutes the other.
So either side is read from one shard. Every change first locks the account of that user
(`storage.stores.account_locks`).
"""

from __future__ import annotations

from storage.errors import ConflictError
from storage.events import UserBlocked, UserMuted, UserUnblocked
from storage.postgres.database import Queryable, Transaction
from storage.postgres.sharding import shard
from storage.stores import account_locks
from storage.stores.social import close_friends, follows, list_members


async def block(tx: Transaction, blocker_id: int, blocked_id: int) -> bool:
    """Block a user and remove follows and requests in both directions; return False if it was blocked already.

    Neither is a close friend of the other afterwards, or in one of the other's lists. Emits `UserUnfollowed` for each
    removed follow or request, `CloseFriendChanged` for each close friend, then `UserBlocked`.
    """
    if blocker_id == blocked_id:
        raise ConflictError("cannot_block_yourself", "You cannot block yourself.")
    await account_locks.lock_two(tx, blocker_id, blocked_id)
    if not await _add(tx, "blocks", blocker_id, blocked_id):
        return False
    await follows.end(tx, blocker_id, blocked_id)
    await follows.end(tx, blocked_id, blocker_id)
    await close_friends.end(tx, blocker_id, blocked_id)
    await close_friends.end(tx, blocked_id, blocker_id)
    await list_members.end(tx, blocker_id, blocked_id)
    await list_members.end(tx, blocked_id, blocker_id)
    tx.emit(UserBlocked(blocker_id=blocker_id, blocked_id=blocked_id))
    return True


async def unblock(tx: Transaction, blocker_id: int, blocked_id: int) -> bool:
    """Remove a block, without restoring follows; return False if there was none. Emits `UserUnblocked`."""
    if not await _remove(tx, "blocks", blocker_id, blocked_id):
        return False
    tx.emit(UserUnblocked(blocker_id=blocker_id, blocked_id=blocked_id))
    return True


async def mute(tx: Transaction, muter_id: int, muted_id: int) -> bool:
    """Hide a user's photos from the feed and their activity from the inbox; return False if muted already."""
    if muter_id == muted_id:
        raise ConflictError("cannot_mute_yourself", "You cannot mute yourself.")
    await account_locks.lock_two(tx, muter_id, muted_id)
    if not await _add(tx, "mutes", muter_id, muted_id):
        return False
    tx.emit(UserMuted(muter_id=muter_id, muted_id=muted_id, muted=True))
    return True


async def unmute(tx: Transaction, muter_id: int, muted_id: int) -> bool:
    """Remove a mute; return False if there was none."""
    if not await _remove(tx, "mutes", muter_id, muted_id):
        return False
    tx.emit(UserMuted(muter_id=muter_id, muted_id=muted_id, muted=False))
    return True


async def blocked(db: Queryable, one_id: int, other_id: int) -> bool:
    """Return whether either of two users blocks the other."""
    found: bool = await db.fetchval(
        f"SELECT EXISTS (SELECT 1 FROM blocks WHERE shard = {shard('$2')} AND owner_id = $2 AND other_id = $1)",
        one_id,
        other_id,
    )
    return found


async def separated_ids(db: Queryable, user_id: int) -> list[int]:
    """Return the users that a user blocks, and those that block the user."""
    rows = await db.fetch(
        f"SELECT DISTINCT other_id FROM blocks WHERE shard = {shard('$1')} AND owner_id = $1", user_id
    )
    return [row["other_id"] for row in rows]


async def _add(tx: Transaction, table: str, from_id: int, to_id: int) -> bool:
    """Insert both rows of a block or mute; return False if it exists."""
    sql = (
        f"INSERT INTO {table} (shard, owner_id, other_id, outgoing) VALUES ({shard('$1')}, $1, $2, $3) "
        "ON CONFLICT DO NOTHING"
    )
    if not await tx.execute(sql, from_id, to_id, True):
        return False
    await tx.execute(sql, to_id, from_id, False)
    return True


async def _remove(tx: Transaction, table: str, from_id: int, to_id: int) -> bool:
    """Delete both rows of a block or mute; return False if there was none."""
    # The other account may be deleted by now. The lock that `_add` has on this one excludes it, too. The rows of an
    # account that is deleted itself are left to its erasure.
    if not await account_locks.lock(tx, [from_id]):
        return False
    sql = f"DELETE FROM {table} WHERE shard = {shard('$1')} AND owner_id = $1 AND other_id = $2 AND outgoing = $3"
    if not await tx.execute(sql, from_id, to_id, True):
        return False
    await tx.execute(sql, to_id, from_id, False)
    return True
