"""What is new for the digest of a user."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from storage.postgres.database import Queryable
from storage.postgres.sharding import shard
from storage.stores.notifications import deliveries

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
_UNSEEN = (
    f"n.shard = {shard('$1')} AND n.user_id = $1 AND n.seen_at IS NULL AND n.read_at IS NULL "
    "AND n.deleted_at IS NULL AND n.updated_at > $2"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class News:
    """The newest of `total` unseen entries that no digest has had, and when the user was last seen."""

    notification_ids: Sequence[int]
    total: int
    last_seen_at: datetime


async def news(db: Queryable, user_id: int, *, limit: int) -> News:
    """Return what is new since the user's last visit and the last digest, the newest `limit` of it."""
    last_seen_at: datetime | None = await db.fetchval(
        f"SELECT last_seen_at FROM users WHERE shard = {shard('$1')} AND id = $1", user_id
    )
    last_seen_at = last_seen_at or _NEVER
    since = max(last_seen_at, await deliveries.last_digest(db, user_id) or _NEVER)
    rows = await db.fetch(
        f"SELECT n.id FROM notifications n WHERE {_UNSEEN} ORDER BY n.position DESC LIMIT $3", user_id, since, limit
    )
    total: int = await db.fetchval(f"SELECT count(*) FROM notifications n WHERE {_UNSEEN}", user_id, since)
    return News(notification_ids=[row["id"] for row in rows], total=total, last_seen_at=last_seen_at)
