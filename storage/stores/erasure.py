"""Erasure of a deleted account's likes, follows and other rows, in small batches that hold locks only briefly.

No row by or about a deleted account is inserted (`storage.stores.account_locks`). Photos, comments and sessions that
are left all the same are swept: an earlier version that is still running during an upgrade does not lock accounts.
"""

from __future__ import annotations

from storage.events import ActorRemoved, LikeRemoved
from storage.postgres.database import Transaction
from storage.stores import comments, photos, sessions

# Longer than any transaction that began before the deletion, in a process of an earlier version too.
GRACE_MINUTES = 20


async def erase(tx: Transaction, *, limit: int = 200, grace_minutes: int = GRACE_MINUTES) -> int:
    """Erase up to `limit` likes and follows each of one deleted account; return the number of rows, 0 if none is due.

    Emits `LikeRemoved` for each like, and at the end `ActorRemoved`. Concurrent calls work on different accounts.
    """
    user_id: int | None = await tx.fetchval(
        """
        SELECT id FROM users
        WHERE deleted_at <= now() - make_interval(mins => $1) AND erased_at IS NULL
        ORDER BY deleted_at LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED""",
        grace_minutes,
    )
    if user_id is None:
        return 0
    follows = await _follows(tx, user_id, limit)
    likes = await _likes(tx, user_id, limit)
    if follows + likes:
        return follows + likes
    left = await _left(tx, user_id)
    own = await _own(tx, user_id)
    await tx.execute("UPDATE users SET erased_at = now() WHERE id = $1", user_id)
    # A worker of an earlier version may have recorded an activity after the deletion, too late for the first event.
    tx.emit(ActorRemoved(user_id=user_id))
    return left + own + 1


async def _left(tx: Transaction, user_id: int) -> int:
    """Delete the photos and comments, and end the sessions, that the deletion of the account has missed."""
    await photos.lock_for_removal(tx, user_id)
    deleted = await photos.delete_all(tx, author_id=user_id) + await comments.delete_all(tx, author_id=user_id)
    # Their access tokens have expired by now, or will within minutes; they are refused no earlier.
    return deleted + len(await sessions.revoke_all(tx, user_id))


async def _likes(tx: Transaction, user_id: int, limit: int) -> int:
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
    for row in rows:
        tx.emit(LikeRemoved(photo_id=row["id"], owner_id=row["author_id"], user_id=user_id))
    return len(rows)


async def _follows(tx: Transaction, user_id: int, limit: int) -> int:
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


async def _own(tx: Transaction, user_id: int) -> int:
    """Delete the rows that only the account itself could see."""
    statements = (
        "DELETE FROM follow_requests WHERE follower_id = $1 OR followee_id = $1",
        "DELETE FROM blocks WHERE blocker_id = $1 OR blocked_id = $1",
        "DELETE FROM mutes WHERE muter_id = $1 OR muted_id = $1",
        "DELETE FROM notifications WHERE user_id = $1",
        "DELETE FROM waiting_activities WHERE recipient_id = $1",
        "DELETE FROM idempotency_keys WHERE user_id = $1",
    )
    return sum([await tx.execute(statement, user_id) for statement in statements])
