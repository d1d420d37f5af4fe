"""The log of attempts at deliveries of webhooks, which the owner of an endpoint reads."""

from __future__ import annotations

from collections.abc import Mapping

from storage import ids
from storage.postgres.database import Queryable, Transaction
from storage.postgres.rows import Row
from storage.postgres.sharding import shard
from storage.webhooks import Attempt, Delivery, Endpoint

_COLUMNS = (
    "t.id, t.endpoint_id, t.event_id, t.type, t.number, t.outcome, t.status, t.error, t.milliseconds, "
    "t.request_headers, t.response, t.created_at"
)
_FIELDS = (
    "id", "endpoint_id", "event_id", "type", "number", "outcome", "status", "error", "milliseconds", "request_headers",
    "response", "created_at",
)  # fmt: skip


async def record(
    tx: Transaction,
    endpoint: Endpoint,
    delivery: Delivery,
    *,
    outcome: str,
    status: int | None,
    error: str | None,
    milliseconds: int,
    request_headers: Mapping[str, str],
    response: str,
) -> Attempt:
    """Add an attempt to the log of its endpoint, and return it."""
    row = await tx.insert(
        ids.shard_of(endpoint.id),
        f"""
        INSERT INTO webhook_attempts AS t (shard, id, endpoint_id, event_id, owner_id, type, number, outcome, status,
            error, milliseconds, request_headers, response)
        VALUES ({shard("$1")}, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        ON CONFLICT (id, shard) DO NOTHING RETURNING {_COLUMNS}""",
        endpoint.id,
        delivery.event_id,
        endpoint.owner_id,
        delivery.type,
        delivery.attempts + 1,
        outcome,
        status,
        error,
        milliseconds,
        dict(request_headers),
        response,
    )
    if row is None:
        raise RuntimeError("three new ids in a row are taken")
    return _attempt_of(row)


async def page(
    db: Queryable, endpoint_id: int, *, before: int | None, limit: int, failed_only: bool = False
) -> list[Attempt]:
    """Return attempts at an endpoint, newest first, with ids below `before`."""
    failed = "AND t.outcome <> 'delivered'" if failed_only else ""
    rows = await db.fetch(
        f"SELECT {_COLUMNS} FROM webhook_attempts t WHERE t.shard = {shard('$1')} AND t.endpoint_id = $1 AND t.id < $2 "
        f"{failed} ORDER BY t.id DESC LIMIT $3",
        endpoint_id,
        ids.MAX_ID if before is None else before,
        limit,
    )
    return [_attempt_of(row) for row in rows]


def _attempt_of(row: Row) -> Attempt:
    return Attempt(**{name: row[name] for name in _FIELDS})
