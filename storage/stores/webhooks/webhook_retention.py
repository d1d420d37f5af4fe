"""Removal of what webhooks leave: payloads, deliveries and attempts after some days, and deleted endpoints.

Every function removes a batch and returns its size, so that it holds locks only briefly and is repeated until 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from storage import ids
from storage.postgres.database import Transaction
from storage.postgres.rows import Row
from storage.postgres.sharding import shard, shards

_NAMED = "d.shard = ANY($1::integer[]) AND d.endpoint_id = ANY($2::bigint[]) AND d.event_id = ANY($3::uuid[])"
_OF_DELETED = (("webhook_attempts", "id"), ("webhook_deliveries", "event_id"))


async def forget_payloads(tx: Transaction, *, after: timedelta, limit: int) -> int:
    """Forget what the messages were built from that were delivered so long ago; they cannot be replayed any more."""
    found = await tx.fetch(
        """
        /* all shards: the janitor's */
        SELECT d.endpoint_id, d.event_id FROM webhook_deliveries d
        WHERE d.event IS NOT NULL AND d.state IN ('done', 'void') AND d.finished_at < now() - $1::interval LIMIT $2""",
        after,
        limit,
    )
    # A message that is replayed at this moment keeps its event.
    return await _change(
        tx, f"UPDATE webhook_deliveries d SET event = NULL WHERE {_NAMED} AND d.state IN ('done', 'void')", found
    )


async def delete_deliveries(tx: Transaction, *, after: timedelta, limit: int) -> int:
    """Delete deliveries that ended so long ago, and those that have waited so long for an endpoint that is not active.

    The latter are of events so long ago.
    """
    found = await tx.fetch(
        """
        /* all shards: the janitor's */
        SELECT d.endpoint_id, d.event_id FROM webhook_deliveries d
        WHERE d.finished_at < now() - $1::interval LIMIT $2""",
        after,
        limit,
    )
    if not found:
        found = await tx.fetch(
            """
            /* all shards: the janitor's */
            SELECT d.endpoint_id, d.event_id
            FROM webhook_endpoints e JOIN webhook_deliveries d ON d.shard = e.shard AND d.endpoint_id = e.id
            WHERE e.state IN ('unverified', 'paused', 'disabled') AND d.state = 'waiting'
              AND d.occurred_at < now() - $1::interval LIMIT $2""",
            after,
            limit,
        )
    return await _change(
        tx,
        f"DELETE FROM webhook_deliveries d WHERE {_NAMED} AND d.occurred_at < now() - $4::interval "
        "AND (d.finished_at IS NULL OR d.finished_at < now() - $4::interval)",
        found,
        after,
    )


async def delete_attempts(tx: Transaction, *, older_than: timedelta, now: float, limit: int) -> int:
    """Delete attempts of so long before `now`, in seconds since the Unix epoch."""
    # The time is in the id, so that the primary key finds them.
    rows = await tx.fetch(
        "/* all shards: the janitor's */ SELECT t.id FROM webhook_attempts t WHERE t.id < $1 ORDER BY t.id LIMIT $2",
        ids.first_id_at(now - older_than.total_seconds()),
        limit,
    )
    found = [row["id"] for row in rows]
    if not found:
        return 0
    return await tx.execute(
        "DELETE FROM webhook_attempts t WHERE t.shard = ANY($1::integer[]) AND t.id = ANY($2::bigint[])",
        shards(found),
        found,
    )


async def delete_endpoints(tx: Transaction, *, limit: int) -> int:
    """Delete rows of a deleted endpoint, and the endpoint itself once it has no others."""
    endpoint_id = await tx.fetchval(
        "/* all shards: the janitor's */ SELECT e.id FROM webhook_endpoints e WHERE e.state = 'deleted' "
        "ORDER BY e.id LIMIT 1"
    )
    if endpoint_id is None:
        return 0
    for table, key in _OF_DELETED:
        deleted = await tx.execute(
            f"DELETE FROM {table} WHERE shard = {shard('$1')} AND endpoint_id = $1 AND {key} IN "
            f"(SELECT {key} FROM {table} WHERE shard = {shard('$1')} AND endpoint_id = $1 LIMIT $2)",
            endpoint_id,
            limit,
        )
        if deleted:
            return deleted
    return await tx.execute(
        f"DELETE FROM webhook_endpoints WHERE shard = {shard('$1')} AND id = $1 AND state = 'deleted'", endpoint_id
    )


async def _change(tx: Transaction, sql: str, found: Sequence[Row], *more: object) -> int:
    if not found:
        return 0
    endpoints, events = [row["endpoint_id"] for row in found], [row["event_id"] for row in found]
    return await tx.execute(sql, shards(endpoints), sorted(set(endpoints)), events, *more)
