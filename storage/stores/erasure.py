"""Erasure of what a deleted account has left, in small batches that hold locks only briefly.

Photos and comments go first. Likes, follows and the other rows are erased after a grace period, when no transaction of
any process can insert one any more: no row by or about a deleted account is inserted (`storage.stores.account_locks`),
but a process of an earlier version that is still running during an upgrade does not lock accounts. What such a process
has inserted is erased then as well.
"""

from __future__ import annotations

from storage.events import AccountDeleted, ActorRemoved
from storage.postgres.database import Transaction
from storage.stores import comments, photos, sessions

# Longer than any transaction that began before the deletion, in a process of an earlier version too.
GRACE_MINUTES = 20
BATCH = 20  # rows with consequences elsewhere: in feeds, caches, inboxes, live connections, the blob store
_PLAIN = 10  # times as many rows without
# An event that is older is lost, or among the dead letters.
_LOST_AFTER = "interval '1 hour'"
_RENEWED_AFTER = "interval '10 minutes'"


async def erase(tx: Transaction, user_id: int, *, limit: int = BATCH, grace_minutes: int = GRACE_MINUTES) -> bool:
    """Erase the next rows of a deleted account, up to `limit` of one kind; return whether there were any.

    Emits `AccountDeleted` with these rows. Otherwise the account is erased for good, or its grace period is not over,
    and `queue_due` emits the event again.
    """
    row = await tx.fetchrow(
        """
        SELECT deleted_at <= now() - make_interval(mins => $2) AS due FROM users
        WHERE id = $1 AND deleted_at IS NOT NULL AND erased_at IS NULL FOR NO KEY UPDATE""",
        user_id,
        grace_minutes,
    )
    if row is None:
        return False
    batch = await _next_batch(tx, user_id, limit, due=row["due"])
    if batch is not None:
        tx.emit(batch)
        await tx.execute(
            "UPDATE users SET erasure_queued_at = now() "
            f"WHERE id = $1 AND coalesce(erasure_queued_at < now() - {_RENEWED_AFTER}, true)",
            user_id,
        )
        return True
    if row["due"]:
        # Their access tokens have expired by now, or will within minutes; they are refused no earlier.
        await sessions.revoke_all(tx, user_id)
        # A worker of an earlier version may have recorded an activity after the deletion, too late for the first event.
        tx.emit(ActorRemoved(user_id=user_id))
    await tx.execute(
        "UPDATE users SET erasure_queued_at = NULL, erased_at = CASE WHEN $2 THEN now() END WHERE id = $1",
        user_id,
        row["due"],
    )
    return False


async def queue_due(tx: Transaction, *, limit: int = 100, grace_minutes: int = GRACE_MINUTES) -> int:
    """Emit `AccountDeleted` for deleted accounts that wait for it, up to `limit`, and return their number.

    These are accounts whose grace period is over, and those whose last event is so old that it must have been lost.
    """
    rows = await tx.fetch(
        f"""
        UPDATE users SET erasure_queued_at = now()
        WHERE id IN (
            SELECT id FROM users
            WHERE deleted_at IS NOT NULL AND erased_at IS NULL
              AND CASE WHEN erasure_queued_at IS NULL THEN deleted_at <= now() - make_interval(mins => $1)
                       ELSE erasure_queued_at < now() - {_LOST_AFTER} END
            ORDER BY deleted_at LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED)
        RETURNING id""",
        grace_minutes,
        limit,
    )
    for row in rows:
        tx.emit(AccountDeleted(user_id=row["id"]))
    return len(rows)


async def _next_batch(tx: Transaction, user_id: int, limit: int, *, due: bool) -> AccountDeleted | None:
    if deleted := await photos.delete_newest(tx, author_id=user_id, limit=limit):
        return AccountDeleted(user_id=user_id, photos=deleted)
    if withdrawn := await comments.delete_some(tx, author_id=user_id, limit=limit):
        return AccountDeleted(user_id=user_id, comments=withdrawn)
    if not due:
        return None
    if likes := await _likes(tx, user_id, limit):
        return AccountDeleted(user_id=user_id, likes=likes)
    if await _follows(tx, user_id, _PLAIN * limit) or await _own(tx, user_id, _PLAIN * limit):
        return AccountDeleted(user_id=user_id)
    return None


async def _likes(tx: Transaction, user_id: int, limit: int) -> list[tuple[int, int]]:
    """Delete up to `limit` likes and return the photo and its owner of each."""
    locked = await tx.fetch(
        """
        SELECT id FROM photos WHERE id IN (SELECT photo_id FROM likes WHERE user_id = $1 LIMIT $2)
        ORDER BY id FOR NO KEY UPDATE""",
        user_id,
        limit,
    )
    rows = await tx.fetch(
        """
        WITH gone AS (DELETE FROM likes WHERE user_id = $1 AND photo_id = ANY($2::bigint[]) RETURNING photo_id)
        UPDATE photos p SET likes = p.likes - 1, version = p.version + 1 FROM gone WHERE p.id = gone.photo_id
        RETURNING p.id, p.author_id""",
        user_id,
        [row["id"] for row in locked],
    )
    return [(row["id"], row["author_id"]) for row in rows]


async def _follows(tx: Transaction, user_id: int, limit: int) -> int:
    """Delete up to `limit` follows in each direction and return their number."""
    # Other transactions that lock two accounts skip deleted ones. So none of them waits for this account while it
    # holds the lock on the other one, and this cannot deadlock.
    locked = await tx.fetch(
        """
        SELECT id FROM users WHERE id IN (
            (SELECT followee_id FROM follows WHERE follower_id = $1 LIMIT $2)
            UNION ALL (SELECT follower_id FROM follows WHERE followee_id = $1 LIMIT $2))
        ORDER BY id FOR NO KEY UPDATE""",
        user_id,
        limit,
    )
    others = [row["id"] for row in locked]
    followed = await tx.fetch(
        "DELETE FROM follows WHERE follower_id = $1 AND followee_id = ANY($2::bigint[]) RETURNING followee_id",
        user_id,
        others,
    )
    followers = await tx.fetch(
        "DELETE FROM follows WHERE followee_id = $1 AND follower_id = ANY($2::bigint[]) RETURNING follower_id",
        user_id,
        others,
    )
    lost = sorted(row["followee_id"] for row in followed)
    freed = [row["follower_id"] for row in followers]
    await tx.execute("UPDATE users SET followers = followers - 1 WHERE id = ANY($1::bigint[])", lost)
    await tx.execute("UPDATE users SET following = following - 1 WHERE id = ANY($1::bigint[])", freed)
    await tx.execute(
        "UPDATE users SET following = following - $2, followers = followers - $3 WHERE id = $1",
        user_id,
        len(lost),
        len(freed),
    )
    return len(lost) + len(freed)


async def _own(tx: Transaction, user_id: int, limit: int) -> int:
    """Delete up to `limit` rows of one kind that only the account itself could see, and return their number."""
    for table, condition in (
        ("follow_requests", "follower_id = $1 OR followee_id = $1"),
        ("blocks", "blocker_id = $1 OR blocked_id = $1"),
        ("mutes", "muter_id = $1 OR muted_id = $1"),
        ("notifications", "user_id = $1"),
        ("waiting_activities", "recipient_id = $1"),
        ("idempotency_keys", "user_id = $1"),
    ):
        deleted = await tx.execute(
            f"DELETE FROM {table} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {table} WHERE {condition} LIMIT $2))",
            user_id,
            limit,
        )
        if deleted:
            return deleted
    return 0
