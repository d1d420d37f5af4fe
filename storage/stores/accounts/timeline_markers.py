"""How far a user has read the timelines "home" and "notifications" in apps; the last position that is set counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from storage.postgres.database import Queryable, Transaction
from storage.postgres.sharding import shard

TIMELINES = ("home", "notifications")
_USER = f"shard = {shard('$1')} AND user_id = $1"


@dataclass(frozen=True, kw_only=True, slots=True)
class TimelineMarker:
    """The id that was read last, as the app has written it; `version` grows with each change."""

    timeline: str
    last_read: str
    version: int
    updated_at: datetime


async def read(db: Queryable, user_id: int, timelines: Sequence[str]) -> list[TimelineMarker]:
    """Return the markers of a user's timelines; one that was never set is missing."""
    rows = await db.fetch(
        f"SELECT timeline, last_read, version, updated_at FROM timeline_markers WHERE {_USER} "
        "AND timeline = ANY($2::text[]) ORDER BY timeline",
        user_id,
        list(timelines),
    )
    return [TimelineMarker(**dict(row)) for row in rows]


async def write(tx: Transaction, user_id: int, timeline: str, last_read: str) -> None:
    """Set a marker; nothing is written once the account is deleted."""
    await tx.execute(
        f"""
        INSERT INTO timeline_markers AS m (shard, user_id, timeline, last_read)
        SELECT a.shard, a.id, $2, $3 FROM users a
        WHERE a.shard = {shard("$1")} AND a.id = $1 AND a.deleted_at IS NULL FOR KEY SHARE
        ON CONFLICT (user_id, timeline, shard) DO UPDATE
        SET last_read = excluded.last_read, version = m.version + 1, updated_at = excluded.updated_at""",
        user_id,
        timeline,
        last_read,
    )
