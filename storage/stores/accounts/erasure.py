"""Erasure of what a deleted account has left, in small batches that hold locks only briefly.

Photos and comments go first. Follows, likes and the other rows are erased after a grace period, when no transaction
can insert one any more: no row by or about a deleted account is inserted (`storage.stores.account_locks`), except that
a like does not lock its user's account, and that a process of an earlier version that is still running during an
upgrade locks none. What was inserted so is erased then as well.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from storage.events import AccountDeleted, ActorRemoved, MediaPurge
from storage.postgres.database import Transaction
from storage.postgres.sharding import shard
from storage.stores import account_locks
from storage.stores.comments import comment_deletion, comment_likes
from storage.stores.credentials import sessions
from storage.stores.discovery.photo_trends import counted, counts_from
from storage.stores.moderation import reports
from storage.stores.photos import photo_deletion
from storage.stores.social import edge_erasure

# Longer than any transaction that began before the deletion, in a process of an earlier version too.
GRACE_MINUTES = 20
BATCH = 20  # rows with consequences elsewhere: in feeds, caches, inboxes, live connections, the blob store
_PLAIN = 10  # times as many rows that only the account itself could see
# An event that is older is lost, or among the dead letters.
_LOST_AFTER = "interval '1 hour'"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ACCOUNT = f"shard = {shard('$1')} AND id = $1"
# Deleted for good: as long as the deletion can be undone, everything is kept.
_ENDED = "deleted_at IS NOT NULL AND deletion_due_at IS NULL AND erased_at IS NULL"
# What the account alone could see, with the column of its id and the rest of the key. All is in its shard.
_OWN = (
    ("follow_requests", "followee_id", "follower_id"),
    ("notifications", "user_id", "id"),
    ("waiting_activities", "recipient_id", "id"),
    ("deliveries", "user_id", "id"),
    ("delivery_queues", "user_id", "user_id"),
    ("notification_preferences", "user_id", "kind"),
    ("notification_schedules", "user_id", "user_id"),
    ("muted_subjects", "user_id", "subject_id"),
    ("idempotency_keys", "user_id", "key"),
    ("uploads", "user_id", "id"),
    ("collection_items", "owner_id", "photo_id"),
    ("collections", "owner_id", "id"),
    ("list_members", "owner_id", "account_id"),
    ("lists", "owner_id", "id"),
    ("account_suggestions", "user_id", "user_id"),
    ("dismissed_suggestions", "user_id", "account_id"),
    ("tag_follows", "user_id", "tag"),
    ("webhook_attempts", "owner_id", "id"),
    ("webhook_deliveries", "owner_id", "event_id"),
    ("webhook_endpoints", "owner_id", "id"),
    ("exports", "user_id", "id"),
    ("import_items", "user_id", "position"),
    ("imports", "user_id", "id"),
    ("photo_moderation", "author_id", "photo_id"),
    ("findings", "account_id", "id"),
    ("push_subscriptions", "user_id", "id"),
    ("totp", "user_id", "user_id"),
    ("recovery_codes", "user_id", "code_sha256"),
    ("passkeys", "user_id", "id"),
    ("one_time_tokens", "user_id", "sha256"),
    ("email_changes", "user_id", "id"),
    ("mail_opt_outs", "user_id", "list"),
)


async def erase(
    tx: Transaction, user_id: int, *, queued_at: int = 0, limit: int = BATCH, grace_minutes: int = GRACE_MINUTES
) -> bool:
    """Erase the next rows of a deleted account, up to `limit` of one kind; return whether there were any.

    Emits `AccountDeleted` with these rows, and `MediaPurge` for photos. Otherwise the account is erased for good, or
    its grace period is not over, and `queue_due` emits the event again. `queued_at` is that of the event that is
    handled: if the account expects another one, this one is repeated, its successor is on the way already, and nothing
    is done.
    """
    due = await _is_due(tx, user_id, grace_minutes)
    if due is None:
        return False
    # While photos are left, their removal from feeds needs the followers.
    edges = await edge_erasure.find(tx, user_id, limit=limit) if due and not await _has_photos(tx, user_id) else None
    # The account is locked together with the others, in the order of all ids: two deleted accounts that follow each
    # other may be erased at the same moment.
    await account_locks.lock_all(tx, [user_id, *(() if edges is None else edges.others)])
    expected = await _expect_next(tx, user_id, queued_at)
    if expected is None:
        return False
    if edges is None:
        batch = await _next_batch(tx, user_id, limit, due=due)
    else:
        await edge_erasure.delete(tx, user_id, edges)
        batch = AccountDeleted(user_id=user_id)
    if batch is not None:
        tx.emit(replace(batch, queued_at=in_microseconds(expected)))
        return True
    # The row stays for what names its id, as the decisions of moderators do.
    erased = "erased_at = now(), username = '', display_name = ''" if due else "erased_at = NULL"
    ended = await tx.execute(
        f"UPDATE users SET erasure_queued_at = NULL, {erased} WHERE {_ACCOUNT} AND erased_at IS NULL", user_id
    )
    if due and ended:
        # Their access tokens have expired by now, or will within minutes; they are refused no earlier.
        await sessions.revoke_all(tx, user_id)
        # A worker may have recorded an activity after the deletion, too late for the first event.
        tx.emit(ActorRemoved(user_id=user_id))
    return False


async def queue_due(tx: Transaction, *, limit: int = 100, grace_minutes: int = GRACE_MINUTES) -> int:
    """Emit `AccountDeleted` for deleted accounts that wait for it, up to `limit`, and return their number.

    These are accounts whose grace period is over, and those whose last event is so old that it must have been lost.
    """
    due = (
        f"{_ENDED} AND ("
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
        expected = await tx.fetchval(
            f"UPDATE users SET erasure_queued_at = now() WHERE {_ACCOUNT} AND {due} RETURNING erasure_queued_at",
            user_id,
            grace_minutes,
        )
        if expected is not None:
            tx.emit(AccountDeleted(user_id=user_id, queued_at=in_microseconds(expected)))
            queued += 1
    return queued


def in_microseconds(time: datetime) -> int:
    """Return a time in microseconds since the Unix epoch."""
    return (time - _EPOCH) // timedelta(microseconds=1)


async def _is_due(tx: Transaction, user_id: int, grace_minutes: int) -> bool | None:
    """Return whether the grace period of a deleted account is over, or None if nothing is to be erased."""
    due: bool | None = await tx.fetchval(
        f"""
        SELECT deleted_at <= now() - make_interval(mins => $2) FROM users
        WHERE {_ACCOUNT} AND {_ENDED}""",
        user_id,
        grace_minutes,
    )
    return due


async def _expect_next(tx: Transaction, user_id: int, queued_at: int) -> datetime | None:
    """Let the account expect the event of this transaction; return None if it expects another one than this."""
    expected: datetime | None = await tx.fetchval(
        f"UPDATE users SET erasure_queued_at = now() WHERE {_ACCOUNT} AND {_ENDED} "
        "AND ($2::timestamptz IS NULL OR erasure_queued_at = $2) RETURNING erasure_queued_at",
        user_id,
        _EPOCH + timedelta(microseconds=queued_at) if queued_at else None,
    )
    return expected


async def _next_batch(tx: Transaction, user_id: int, limit: int, *, due: bool) -> AccountDeleted | None:
    if deleted := await photo_deletion.delete_newest(tx, author_id=user_id, limit=limit):
        # The purge that began with the deletion of the account does not find these photos any more.
        tx.emit(MediaPurge(user_id=user_id, sha256s=[sha256 for _, sha256 in deleted]))
        return AccountDeleted(user_id=user_id, photos=deleted)
    if withdrawn := await comment_deletion.delete_some(tx, author_id=user_id, limit=limit):
        return AccountDeleted(user_id=user_id, comments=withdrawn)
    if not due:
        return None
    if likes := await _likes(tx, user_id, limit):
        return AccountDeleted(user_id=user_id, likes=likes)
    if (
        await comment_deletion.forget_hidden(tx, user_id, limit=_PLAIN * limit)
        or await comment_likes.erase(tx, user_id, limit=limit)
        or await reports.forget_reporter(tx, user_id, limit=_PLAIN * limit)
        or await _own(tx, user_id, _PLAIN * limit)
    ):
        return AccountDeleted(user_id=user_id)
    return None


async def _has_photos(tx: Transaction, user_id: int) -> bool:
    found: bool = await tx.fetchval(
        f"SELECT EXISTS (SELECT 1 FROM photos WHERE shard = {shard('$1')} AND author_id = $1 AND deleted_at IS NULL)",
        user_id,
    )
    return found


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
                DELETE FROM likes WHERE shard = {shard("$1")} AND photo_id = $1 AND user_id = $2
                RETURNING photo_id, user_id, created_at)
            UPDATE photos p SET likes = p.likes - 1, version = p.version + 1,
                trend_likes = greatest(p.trend_likes - {counted("gone", "p.author_id", "$3")}, 0)
            FROM gone WHERE p.shard = {shard("$1")} AND p.id = gone.photo_id RETURNING p.id, p.author_id""",
            photo_id,
            user_id,
            counts_from(user_id),
        )
        if row is not None:
            removed.append((row["id"], row["author_id"]))
    return removed


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
