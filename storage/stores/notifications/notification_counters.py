"""The counters of an inbox: how many of its entries are not seen and not read, in all and of each kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from storage.notifications import NotificationCounters, NotificationKind
from storage.postgres.database import Queryable
from storage.postgres.sharding import shard

_SHARD = shard("$1")
# The counters of the inbox $1, as a column: {kind: [unseen, unread]} of the kinds that have any, or NULL. The index
# `notifications_counters` has all that is read.
COUNTERS = f"""(
    SELECT jsonb_object_agg(kind, jsonb_build_array(unseen, unread)) FROM (
        SELECT kind, count(*) FILTER (WHERE seen_at IS NULL) AS unseen, count(*) AS unread FROM notifications
        WHERE shard = {_SHARD} AND user_id = $1 AND read_at IS NULL AND deleted_at IS NULL GROUP BY kind) AS of_kind)"""
_NEWEST = f"(SELECT max(position) FROM notifications WHERE shard = {_SHARD} AND user_id = $1 AND deleted_at IS NULL)"


async def read(db: Queryable, user_id: int) -> NotificationCounters:
    """Return the numbers of entries that are not seen and not read."""
    return counters_of(await db.fetchval(f"SELECT {COUNTERS}", user_id))


async def with_newest(db: Queryable, user_id: int) -> tuple[NotificationCounters, int | None]:
    """Return the counters of an inbox and the greatest `position` in it, None if it is empty."""
    (row,) = await db.fetch(f"SELECT {COUNTERS} AS counters, {_NEWEST} AS newest", user_id)
    return counters_of(row["counters"]), row["newest"]


def counters_of(stored: Mapping[str, Sequence[int]] | None) -> NotificationCounters:
    """Return the counters in a column `COUNTERS`, by the kinds that users read."""
    kinds: dict[NotificationKind, tuple[int, int]] = {}
    for name, (unseen, unread) in (stored or {}).items():
        kind = NotificationKind(name).shown
        before = kinds.get(kind, (0, 0))
        kinds[kind] = (before[0] + unseen, before[1] + unread)
    return NotificationCounters(
        unseen=sum(unseen for unseen, _ in kinds.values()),
        unread=sum(unread for _, unread in kinds.values()),
        kinds=kinds,
    )
