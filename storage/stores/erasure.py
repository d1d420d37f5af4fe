"""Erasure of what a deleted account has left, in small batches that hold locks only briefly.

Photos and comments go first. Likes, follows and the other rows are erased after a grace period, when no transaction of
any process can insert one any more: no row by or about a deleted account is inserted (`storage.stores.account_locks`),
but a process of an earlier version that is still running during an upgrade does not lock accounts. What such a process
has inserted is erased then as well.
"""

from __future__ import annotations

from collections.abc import Iterable

from storage.events import AccountDeleted, ActorRemoved
from storage.postgres.database import Transaction
from storage.postgres.sharding import shard
from storage.stores import account_locks, comments, photos, sessions

# Longer than any transaction that began before the deletion, in a process of an earlier version too.
GRACE_MINUTES = 20
BATCH = 20  # rows with consequences elsewhere: in feeds, caches, inboxes, live connections, the blob store
_PLAIN = 10  # times as many rows that only the account itself could see
# An event that is older is lost, or among the dead letters.
_LOST_AFTER = "interval '1 hour'"
_RENEWED_AFTER = "interval '10 minutes'"
_ACCOUNT = f"shard = {shard('$1')} AND id = $1"
Edge = tuple[str, str, str]  # a table, the column of the account, and that of the other one
_FOLLOWING: Edge = ("following", "follower_id", "followee_id")
_FOLLOWERS: Edge = ("followers", "followee_id", "follower_id")
# What the account alone could see, with the column of its id and the rest of the key. All is in its shard.
_OWN = (
    ("follow_requests", "followee_id", "follower_id"),
    ("notifications", "user_id", "id"),
    ("waiting_activities", "recipient_id", "id"),
    ("idempotency_keys", "user_id", "key"),
)


async def erase(tx: Transaction, user_id: int, *, limit: int = BATCH, grace_minutes: int = GRACE_MINUTES) -> bool:
    """Erase the next rows of a deleted account, up to `limit` of one kind; return whether there were any.

    Emits `AccountDeleted` with these rows. Otherwise the account is erased for good, or its grace period is not over,
    and `queue_due` emits the event again.
    """
    row = await tx.fetchrow(
        f"""
        SELECT deleted_at <= now() - make_interval(mins => $2) AS due FROM users
        WHERE {_ACCOUNT} AND deleted_at IS NOT NULL AND erased_at IS NULL FOR NO KEY UPDATE""",
        user_id,
        grace_minutes,
    )
    if row is None:
        return False
    batch = await _next_batch(tx, user_id, limit, due=row["due"])
    if batch is not None:
        tx.emit(batch)
        await tx.execute(
            f"UPDATE users SET erasure_queued_at = now() WHERE {_ACCOUNT} "
            f"AND (erasure_queued_at IS NULL OR erasure_queued_at < now() - {_RENEWED_AFTER})",
            user_id,
        )
        return True
    if row["due"]:
        # Their access tokens have expired by now, or will within minutes; they are refused no earlier.
        await sessions.revoke_all(tx, user_id)
        # A worker may have recorded an activity after the deletion, too late for the first event.
        tx.emit(ActorRemoved(user_id=user_id))
    erased_at = "now()" if row["due"] else "NULL"
    await tx.execute(f"UPDATE users SET erasure_queued_at = NULL, erased_at = {erased_at} WHERE {_ACCOUNT}", user_id)
    return False


async def queue_due(tx: Transaction, *, limit: int = 100, grace_minutes: int = GRACE_MINUTES) -> int:
    """Emit `AccountDeleted` for deleted accounts that wait for it, up to `limit`, and return their number.

    These are accounts whose grace period is over, and those whose last event is so old that it must have been lost.
    """
    due = (
        "deleted_at IS NOT NULL AND erased_at IS NULL AND ("
        "(erasure_queued_at IS NULL AND deleted_at <= now() - make_interval(mins => $2)) "
        f"OR erasure_queued_at < now() - {_LOST_AFTER})"
    )
    found = await tx.fetch(
        f"/* all shards: the janitor's */ SELECT id FROM users WHERE {due} ORDER BY deleted_at LIMIT $1",
        limit,
        grace_minutes,
    )
    queued = 0
    for user_id in sorted(row["id"] for row in found):
        # Another janitor may have been faster, so the condition is checked again.
        if await tx.execute(
            f"UPDATE users SET erasure_queued_at = now() WHERE {_ACCOUNT} AND {due}", user_id, grace_minutes
        ):
            tx.emit(AccountDeleted(user_id=user_id))
            queued += 1
    return queued


async def _next_batch(tx: Transaction, user_id: int, limit: int, *, due: bool) -> AccountDeleted | None:
    if deleted := await photos.delete_newest(tx, author_id=user_id, limit=limit):
        return AccountDeleted(user_id=user_id, photos=deleted)
    if withdrawn := await comments.delete_some(tx, author_id=user_id, limit=limit):
        return AccountDeleted(user_id=user_id, comments=withdrawn)
    if not due:
        return None
    if likes := await _likes(tx, user_id, limit):
        return AccountDeleted(user_id=user_id, likes=likes)
    if await _edges(tx, user_id, limit) or await _own(tx, user_id, _PLAIN * limit):
        return AccountDeleted(user_id=user_id)
    return None


async def _likes(tx: Transaction, user_id: int, limit: int) -> list[tuple[int, int]]:
    """Delete up to `limit` likes and return the photo and its owner of each."""
    found = await tx.fetch(
        "/* all shards: the likes of a deleted account */ SELECT photo_id FROM likes WHERE user_id = $1 LIMIT $2",
        user_id,
        limit,
    )
    removed = []
    for photo_id in sorted(row["photo_id"] for row in found):
        # The photo is locked before the like, as everywhere.
        await tx.execute(f"SELECT 1 FROM photos WHERE {_ACCOUNT} FOR NO KEY UPDATE", photo_id)
        row = await tx.fetchrow(
            f"""
            WITH gone AS (
                DELETE FROM likes WHERE shard = {shard("$1")} AND photo_id = $1 AND user_id = $2 RETURNING photo_id)
            UPDATE photos p SET likes = p.likes - 1, version = p.version + 1
            FROM gone WHERE p.shard = {shard("$1")} AND p.id = gone.photo_id RETURNING p.id, p.author_id""",
            photo_id,
            user_id,
        )
        if row is not None:
            removed.append((row["id"], row["author_id"]))
    return removed


async def _edges(tx: Transaction, user_id: int, limit: int) -> int:
    """Delete up to `limit` follows, requests, blocks or mutes on both sides, and return their number.

    The other accounts are locked one after the other, each while its rows and counters change. Other transactions that
    lock two accounts skip deleted ones. So none of them waits for this account while it holds the lock on the other
    one, and this cannot deadlock.
    """
    for delete in (_followed, _followers, _requests, _blocks, _mutes):
        if deleted := await delete(tx, user_id, limit):
            return deleted
    return 0


async def _followed(tx: Transaction, user_id: int, limit: int) -> int:
    others = await _others(tx, _FOLLOWING, user_id, limit)
    for other_id in await account_locks.lock_all(tx, others):
        await tx.execute(
            f"""
            WITH follow AS (
                DELETE FROM followers WHERE shard = {shard("$1")} AND followee_id = $1 AND follower_id = $2
                RETURNING followee_id)
            UPDATE users SET followers = followers - 1
            FROM follow WHERE users.shard = {shard("$1")} AND users.id = follow.followee_id""",
            other_id,
            user_id,
        )
    deleted = await _delete_own(tx, _FOLLOWING, user_id, others)
    await tx.execute(f"UPDATE users SET following = following - $2 WHERE {_ACCOUNT}", user_id, deleted)
    return deleted


async def _followers(tx: Transaction, user_id: int, limit: int) -> int:
    others = await _others(tx, _FOLLOWERS, user_id, limit)
    for other_id in await account_locks.lock_all(tx, others):
        await tx.execute(
            f"""
            WITH follow AS (
                DELETE FROM following WHERE shard = {shard("$1")} AND follower_id = $1 AND followee_id = $2
                RETURNING follower_id)
            UPDATE users SET following = following - 1
            FROM follow WHERE users.shard = {shard("$1")} AND users.id = follow.follower_id""",
            other_id,
            user_id,
        )
    deleted = await _delete_own(tx, _FOLLOWERS, user_id, others)
    await tx.execute(f"UPDATE users SET followers = followers - $2 WHERE {_ACCOUNT}", user_id, deleted)
    return deleted


async def _requests(tx: Transaction, user_id: int, limit: int) -> int:
    found = await tx.fetch(
        "/* all shards: the requests of a deleted account */ "
        "SELECT followee_id FROM follow_requests WHERE follower_id = $1 LIMIT $2",
        user_id,
        limit,
    )
    for other_id in sorted(row["followee_id"] for row in found):
        await tx.execute(
            f"DELETE FROM follow_requests WHERE shard = {shard('$1')} AND followee_id = $1 AND follower_id = $2",
            other_id,
            user_id,
        )
    return len(found)


async def _blocks(tx: Transaction, user_id: int, limit: int) -> int:
    return await _sides(tx, "blocks", user_id, limit)


async def _mutes(tx: Transaction, user_id: int, limit: int) -> int:
    return await _sides(tx, "mutes", user_id, limit)


async def _sides(tx: Transaction, table: str, user_id: int, limit: int) -> int:
    others = await _others(tx, (table, "owner_id", "other_id"), user_id, limit)
    for other_id in await account_locks.lock_all(tx, others):
        await tx.execute(
            f"DELETE FROM {table} WHERE shard = {shard('$1')} AND owner_id = $1 AND other_id = $2", other_id, user_id
        )
    return await _delete_own(tx, (table, "owner_id", "other_id"), user_id, others)


async def _others(tx: Transaction, edge: Edge, user_id: int, limit: int) -> list[int]:
    table, own, other = edge
    rows = await tx.fetch(
        f"SELECT DISTINCT {other} AS id FROM {table} WHERE shard = {shard('$1')} AND {own} = $1 LIMIT $2",
        user_id,
        limit,
    )
    return [row["id"] for row in rows]


async def _delete_own(tx: Transaction, edge: Edge, user_id: int, others: Iterable[int]) -> int:
    table, own, other = edge
    return await tx.execute(
        f"DELETE FROM {table} WHERE shard = {shard('$1')} AND {own} = $1 AND {other} = ANY($2::bigint[])",
        user_id,
        list(others),
    )


async def _own(tx: Transaction, user_id: int, limit: int) -> int:
    """Delete up to `limit` rows of one kind that only the account itself could see, and return their number."""
    for table, own, key in _OWN:
        deleted = await tx.execute(
            f"DELETE FROM {table} WHERE shard = {shard('$1')} AND {own} = $1 AND {key} IN "
            f"(SELECT {key} FROM {table} WHERE shard = {shard('$1')} AND {own} = $1 LIMIT $2)",
            user_id,
            limit,
        )
        if deleted:
            return deleted
    return 0
