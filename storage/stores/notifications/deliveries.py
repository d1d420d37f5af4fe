"""Deliveries of notifications: what is added, what was sent lately, and the removal of old ones.

A notification has one waiting delivery for each channel: a second activity of its group moves nothing and adds nothing.
All rows are in the user's shard, under the lock of the user's row (`storage.stores.notifications.delivery_claims`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from storage import ids
from storage.deliveries import HOUR, SUMMARY, DeliveryChannel, Reason, Recent
from storage.postgres.database import Queryable, Transaction
from storage.postgres.sharding import shard

_USER = f"shard = {shard('$1')} AND user_id = $1"
_DIGEST = "digest"


@dataclass(frozen=True, kw_only=True, slots=True)
class NewDelivery:
    """A delivery to add; `due_at` is when it may go out at the earliest."""

    channel: DeliveryChannel
    notification_id: int
    kind: str
    group: str
    due_at: datetime


async def add(tx: Transaction, user_id: int, delivery: NewDelivery, *, since: datetime | None = None) -> bool:
    """Add a delivery, unless the notification has one that waits, or was sent one `since` then; return if it is new.

    Nothing is added for a deleted account.
    """
    if not await _queue(tx, user_id, delivery.due_at):
        return False
    known = await tx.fetchval(
        f"SELECT true FROM deliveries WHERE {_USER} AND notification_id = $2 AND channel = $3 "
        "AND (state = 'waiting' OR state = 'sent' AND finished_at >= $4) LIMIT 1",
        user_id,
        delivery.notification_id,
        delivery.channel.value,
        since,
    )
    if known:
        return False
    row = await tx.insert(
        ids.shard_of(user_id),
        f"""
        INSERT INTO deliveries (shard, id, user_id, notification_id, channel, kind, group_key, due_at)
        VALUES ({shard("$1")}, $1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (id, shard) DO NOTHING RETURNING id""",
        user_id,
        delivery.notification_id,
        delivery.channel.value,
        delivery.kind,
        delivery.group,
        delivery.due_at,
    )
    return row is not None


async def waiting_channels(db: Queryable, user_id: int, notification_id: int) -> set[DeliveryChannel]:
    """Return the channels on which a delivery of a notification waits."""
    rows = await db.fetch(
        f"SELECT channel FROM deliveries WHERE {_USER} AND notification_id = $2 AND state = 'waiting'",
        user_id,
        notification_id,
    )
    return {DeliveryChannel(row["channel"]) for row in rows}


async def set_digest(tx: Transaction, user_id: int, due_at: datetime | None) -> None:
    """Let the next digest of a user be due at a moment, or have none with None."""
    await tx.execute(f"SELECT 1 FROM delivery_queues WHERE {_USER} FOR NO KEY UPDATE", user_id)
    await tx.execute(f"DELETE FROM deliveries WHERE {_USER} AND channel = '{_DIGEST}' AND state = 'waiting'", user_id)
    if due_at is not None:
        digest = NewDelivery(
            channel=DeliveryChannel.DIGEST, notification_id=user_id, kind=_DIGEST, group=_DIGEST, due_at=due_at
        )
        await add(tx, user_id, digest)


async def add_summary(tx: Transaction, user_id: int, due_at: datetime) -> None:
    """Let a summary of dropped pushes be due at a moment, unless one waits already."""
    summary = NewDelivery(
        channel=DeliveryChannel.PUSH, notification_id=user_id, kind=SUMMARY, group=SUMMARY, due_at=due_at
    )
    await add(tx, user_id, summary)


async def missed_pushes(db: Queryable, user_id: int, since: datetime, *, limit: int) -> int:
    """Return of how many unseen entries a push was dropped for its number `since` then, counted up to `limit`."""
    number: int = await db.fetchval(
        f"""
        SELECT count(*) FROM (
            SELECT 1 FROM notifications n
            WHERE n.shard = {shard("$1")} AND n.user_id = $1 AND n.seen_at IS NULL AND n.read_at IS NULL
                AND n.deleted_at IS NULL AND n.updated_at > $2::timestamptz - interval '1 day' AND EXISTS (
                    SELECT 1 FROM deliveries d
                    WHERE d.shard = {shard("$1")} AND d.user_id = $1 AND d.notification_id = n.id
                        AND d.channel = 'push' AND d.state = 'dropped' AND d.last_error = '{Reason.CAP.value}'
                        AND d.finished_at >= $2)
            LIMIT $3) AS missed""",
        user_id,
        since,
        limit,
    )
    return number


async def recent_pushes(db: Queryable, user_id: int, *, pause: timedelta) -> Recent:
    """Return the pushes that a user got within an hour, and by group within the `pause` as well."""
    rows = await db.fetch(
        f"SELECT group_key, finished_at FROM deliveries WHERE {_USER} AND channel = 'push' AND state = 'sent' "
        "AND finished_at > statement_timestamp() - $2::interval ORDER BY finished_at",
        user_id,
        max(HOUR, pause),
    )
    by_group: Mapping[str, datetime] = {row["group_key"]: row["finished_at"] for row in rows}
    return Recent(times=[row["finished_at"] for row in rows], by_group=by_group)


async def last_digest(db: Queryable, user_id: int) -> datetime | None:
    """Return when a user was last sent a digest, as far as that is kept."""
    found: datetime | None = await db.fetchval(
        f"SELECT max(finished_at) FROM deliveries WHERE {_USER} AND channel = '{_DIGEST}' AND state = 'sent'", user_id
    )
    return found


async def oldest_due(db: Queryable) -> float:
    """Return for how many seconds the oldest waiting delivery has been due."""
    age: float = await db.fetchval(
        "/* all shards: the age of the oldest delivery */ "
        "SELECT coalesce(extract(epoch FROM statement_timestamp() - min(due_at)), 0)::float8 "
        "FROM deliveries WHERE state = 'waiting' AND due_at <= statement_timestamp()"
    )
    return age


async def waiting(db: Queryable) -> int:
    """Return how many deliveries wait, due or not."""
    number: int = await db.fetchval(
        "/* all shards: the number of deliveries */ SELECT count(*) FROM deliveries WHERE state = 'waiting'"
    )
    return number


async def purge(tx: Transaction, *, after: timedelta, limit: int) -> int:
    """Delete up to `limit` deliveries that ended so long ago, and return their number."""
    rows = await tx.fetch(
        "/* all shards: the janitor's */ SELECT id FROM deliveries "
        "WHERE finished_at < statement_timestamp() - $1::interval LIMIT $2",
        after,
        limit,
    )
    found: Sequence[int] = [row["id"] for row in rows]
    if not found:
        return 0
    return await tx.execute(
        "DELETE FROM deliveries WHERE shard = ANY($1::integer[]) AND id = ANY($2::bigint[])",
        sorted({ids.shard_of(delivery_id) for delivery_id in found}),
        list(found),
    )


async def _queue(tx: Transaction, user_id: int, due_at: datetime) -> bool:
    """Lock a user's row, which a worker finds at `due_at`; return False for a deleted account."""
    row = await tx.fetchrow(
        f"""
        INSERT INTO delivery_queues AS q (shard, user_id, due_at)
        SELECT a.shard, a.id, $2::timestamptz FROM users a
        WHERE a.shard = {shard("$1")} AND a.id = $1 AND a.deleted_at IS NULL
        ON CONFLICT (user_id, shard) DO UPDATE SET due_at = least(q.due_at, excluded.due_at)
        RETURNING q.user_id""",
        user_id,
        due_at,
    )
    return row is not None
