"""Turns of users whose deliveries are due: one worker at a time has a user's deliveries, a few in each turn.

A user with very many due deliveries gets as many turns as any other one: after a turn, the user is at the end of the
line. As a turn is one worker's, the limits of pushes hold whatever number of workers there is. A turn is a lease: it
expires if the worker is killed, and what it had not finished is due again.

The row of the user in `delivery_queues` is locked before deliveries are added, finished or looked for. So `due_at` is
never later than what a transaction has added. Times are those of the database.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from storage.deliveries import Delivery, DeliveryChannel, DeliveryState
from storage.postgres.database import Queryable, Transaction
from storage.postgres.sharding import shard

LEASE = timedelta(seconds=60)  # longer than the attempts of a turn
TURN = 8  # deliveries

_USER = f"shard = {shard('$1')} AND user_id = $1"
_FREE = "due_at <= statement_timestamp() AND (leased_until IS NULL OR leased_until <= statement_timestamp())"


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """Due deliveries of a user, oldest first, which a worker has until `leased_until`; `now` is the database's time."""

    user_id: int
    deliveries: Sequence[Delivery]
    leased_until: datetime
    now: datetime


async def due_users(db: Queryable, *, limit: int) -> list[int]:
    """Return users whose deliveries are due, the longest waiting first."""
    rows = await db.fetch(
        f"/* all shards: the users with due deliveries */ SELECT user_id FROM delivery_queues WHERE {_FREE} "
        "ORDER BY due_at LIMIT $1",
        limit,
    )
    return [row["user_id"] for row in rows]


async def take(tx: Transaction, user_id: int) -> Turn | None:
    """Lease a user's due deliveries, up to `TURN` of them; return None if another worker was faster."""
    now: datetime | None = await tx.fetchval(
        f"SELECT statement_timestamp() FROM delivery_queues WHERE {_USER} AND {_FREE} FOR NO KEY UPDATE SKIP LOCKED",
        user_id,
    )
    if now is None:
        return None
    leased_until = now + LEASE
    await tx.execute(f"UPDATE delivery_queues SET leased_until = $2 WHERE {_USER}", user_id, leased_until)
    found = await tx.fetch(
        "SELECT id, channel, notification_id, kind, group_key, attempts, created_at FROM deliveries "
        f"WHERE {_USER} AND state = 'waiting' AND due_at <= $2 ORDER BY due_at LIMIT $3",
        user_id,
        now,
        TURN,
    )
    deliveries = [
        Delivery(
            id=each["id"],
            user_id=user_id,
            channel=DeliveryChannel(each["channel"]),
            notification_id=each["notification_id"],
            kind=each["kind"],
            group=each["group_key"],
            attempts=each["attempts"],
            created_at=each["created_at"],
        )
        for each in found
    ]
    return Turn(user_id=user_id, deliveries=deliveries, leased_until=leased_until, now=now)


async def holds(tx: Transaction, turn: Turn) -> bool:
    """Lock a user's row; return whether the turn is still this one, and not expired and another worker's."""
    leased_until: datetime | None = await tx.fetchval(
        f"SELECT leased_until FROM delivery_queues WHERE {_USER} FOR NO KEY UPDATE", turn.user_id
    )
    return leased_until == turn.leased_until


async def finish(
    tx: Transaction, delivery: Delivery, state: DeliveryState, *, error: str | None, attempts: int
) -> bool:
    """End a delivery; return False if it has ended meanwhile. The user's row is locked."""
    return bool(
        await tx.execute(
            f"UPDATE deliveries SET state = $3, last_error = $4, attempts = $5, finished_at = statement_timestamp() "
            f"WHERE {_USER} AND id = $2 AND state = 'waiting'",
            delivery.user_id,
            delivery.id,
            state.value,
            error,
            attempts,
        )
    )


async def postpone(tx: Transaction, delivery: Delivery, due_at: datetime, *, error: str | None, attempts: int) -> None:
    """Let a delivery be due again later. The user's row is locked."""
    await tx.execute(
        f"UPDATE deliveries SET due_at = $3, last_error = $4, attempts = $5 "
        f"WHERE {_USER} AND id = $2 AND state = 'waiting'",
        delivery.user_id,
        delivery.id,
        due_at,
        error,
        attempts,
    )


async def release(tx: Transaction, turn: Turn) -> bool:
    """End a turn; return whether the user has more that is due. The next turn is after those of all who wait now."""
    if not await holds(tx, turn):
        return False
    # A statement of its own after the lock, so that it sees what others have added before.
    row = await tx.fetchrow(
        f"SELECT min(due_at) AS due_at, statement_timestamp() AS now FROM deliveries WHERE {_USER} "
        "AND state = 'waiting'",
        turn.user_id,
    )
    now, due_at = (None, None) if row is None else (row["now"], row["due_at"])
    more = now is not None and due_at is not None and due_at <= now
    await tx.execute(
        f"UPDATE delivery_queues SET leased_until = NULL, due_at = $2 WHERE {_USER}",
        turn.user_id,
        now if more else due_at,
    )
    return more
