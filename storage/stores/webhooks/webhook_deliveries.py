"""Deliveries of webhooks: one for each event and endpoint that is to receive it, and their replays.

An event that is handled twice adds its deliveries once. After the commit that has added them, `wake` lets a worker look
at their endpoints (`storage.stores.webhooks.webhook_claims` says why not before). A replay locks its endpoint, and
wakes in its transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from storage.errors import ConflictError, NotFoundError
from storage.models import Role
from storage.postgres.database import Queryable, Transaction
from storage.postgres.sharding import shard, shards
from storage.postgres.visibility import visible
from storage.webhooks import CIRCUIT_FAILURES, PING, DeliveryState, WebhookEvent

# Endpoints that receive events; those for a paused one wait until it is active again.
_RECEIVES = "e.state IN ('active', 'paused')"
_OF_ENDPOINT = f"d.shard = {shard('$1')} AND d.endpoint_id = $1"
_REPLAYED = "state = 'waiting', attempts = 0, next_at = statement_timestamp(), leased_until = NULL, finished_at = NULL"


@dataclass(frozen=True, kw_only=True, slots=True)
class Watcher:
    """An endpoint over everything, with the types of events that it receives, all if there is none.

    With `moderation` it is that of a service that decides about photos.
    """

    id: int
    moderation: bool
    types: tuple[str, ...]

    def receives(self, kind: str) -> bool:
        """Return whether the endpoint receives events of a type."""
        return not self.types or kind in self.types


async def watchers(db: Queryable) -> list[Watcher]:
    """Return the endpoints over everything whose owners are administrators now."""
    rows = await db.fetch(
        "/* all shards: endpoints over everything */ "
        "SELECT e.id, e.types, e.moderation FROM webhook_endpoints e "
        "JOIN users a ON a.shard = e.shard AND a.id = e.owner_id "
        f"WHERE e.scope = 'all' AND {_RECEIVES} AND a.role = $1 AND {visible()}",
        Role.ADMIN.value,
    )
    return [Watcher(id=row["id"], types=tuple(row["types"]), moderation=row["moderation"]) for row in rows]


async def own(db: Queryable, owner_ids: Collection[int], kind: str) -> list[int]:
    """Return the endpoints of these accounts that receive their own events of a type."""
    rows = await db.fetch(
        "SELECT e.id FROM webhook_endpoints e WHERE e.shard = ANY($1::integer[]) AND e.owner_id = ANY($2::bigint[]) "
        f"AND e.scope = 'own' AND {_RECEIVES} AND (e.types = '[]' OR e.types ? $3)",
        shards(owner_ids),
        list(owner_ids),
        kind,
    )
    return [row["id"] for row in rows]


async def add(tx: Transaction, endpoint_ids: Collection[int], event: WebhookEvent, *, settle: timedelta) -> int:
    """Add the deliveries of an event to endpoints that still receive events; return how many are new.

    Those of an ordered endpoint become due so long (`settle`) after the event, so that events of the same moment, which
    are handled in any order, are sent in theirs.
    """
    return await tx.execute(
        f"""
        INSERT INTO webhook_deliveries
            (shard, endpoint_id, event_id, owner_id, type, subject_id, event, occurred_at, next_at)
        SELECT e.shard, e.id, $3::uuid, e.owner_id, $4::text, $5::bigint, $6::jsonb, $7::timestamptz,
            CASE WHEN e.ordered THEN $8::timestamptz ELSE $7::timestamptz END
        FROM webhook_endpoints e WHERE e.shard = ANY($1::integer[]) AND e.id = ANY($2::bigint[]) AND {_RECEIVES}
        ON CONFLICT (endpoint_id, event_id, shard) DO NOTHING""",
        shards(endpoint_ids),
        list(endpoint_ids),
        event.id,
        event.type,
        event.subject_id,
        dict(event.fields),
        event.occurred_at,
        event.occurred_at + settle,
    )


async def add_ping(tx: Transaction, endpoint_id: int, *, event_id: UUID, fields: Mapping[str, Any]) -> None:
    """Add a message that verifies an endpoint in any state; end the pause of its circuit, so that it is sent now."""
    await tx.execute(
        f"""
        INSERT INTO webhook_deliveries
            (shard, endpoint_id, event_id, owner_id, type, subject_id, event, occurred_at, next_at)
        SELECT e.shard, e.id, $2, e.owner_id, $3, e.id, $4, statement_timestamp(), statement_timestamp()
        FROM webhook_endpoints e WHERE e.shard = {shard("$1")} AND e.id = $1
        ON CONFLICT (endpoint_id, event_id, shard) DO NOTHING""",
        endpoint_id,
        event_id,
        PING,
        dict(fields),
    )
    await tx.execute(
        "UPDATE webhook_endpoints e SET circuit_until = NULL, due_at = statement_timestamp() "
        f"WHERE e.shard = {shard('$1')} AND e.id = $1",
        endpoint_id,
    )


async def has_waiting_ping(db: Queryable, endpoint_id: int) -> bool:
    """Return whether a ping of an endpoint has no result yet."""
    found: bool | None = await db.fetchval(
        f"SELECT true FROM webhook_deliveries d WHERE {_OF_ENDPOINT} AND d.state = 'waiting' AND d.type = $2 LIMIT 1",
        endpoint_id,
        PING,
    )
    return bool(found)


async def wake_locked(tx: Transaction, endpoint_id: int) -> None:
    """Let workers look at an endpoint from the commit on, which the transaction has locked."""
    await tx.execute(
        f"UPDATE webhook_endpoints e SET due_at = statement_timestamp() WHERE e.shard = {shard('$1')} AND e.id = $1",
        endpoint_id,
    )


async def wake(db: Queryable, endpoint_ids: Collection[int]) -> None:
    """Let workers look at endpoints now; after the commit of what they are to find there. Can be repeated."""
    await db.fetch(
        "UPDATE webhook_endpoints e SET due_at = statement_timestamp() WHERE e.shard = ANY($1::integer[]) "
        "AND e.id = ANY($2::bigint[]) AND (e.due_at IS NULL OR e.due_at > statement_timestamp()) RETURNING e.id",
        shards(endpoint_ids),
        list(endpoint_ids),
    )


async def replay(tx: Transaction, endpoint_id: int, event_id: UUID) -> None:
    """Send the message of a delivery again, with a new series of attempts; one that waits is sent now.

    Raises `ConflictError` webhook_too_old once its payload cannot be built any more, and webhook_in_progress while an
    attempt is under way.
    """
    row = await tx.fetchrow(
        f"SELECT d.event IS NOT NULL AS kept, d.leased_until > statement_timestamp() AS leased, d.type "
        f"FROM webhook_deliveries d WHERE {_OF_ENDPOINT} AND d.event_id = $2 FOR NO KEY UPDATE",
        endpoint_id,
        event_id,
    )
    if row is None or not row["kept"]:
        raise ConflictError("webhook_too_old", "The event of this attempt is not kept any more.")
    if row["leased"]:
        raise ConflictError("webhook_in_progress", "An attempt at this message is under way. Wait for its result.")
    await tx.execute(
        f"UPDATE webhook_deliveries d SET {_REPLAYED} WHERE {_OF_ENDPOINT} AND d.event_id = $2", endpoint_id, event_id
    )


async def replay_some(
    tx: Transaction,
    endpoint_id: int,
    *,
    since: datetime,
    after: tuple[datetime, UUID] | None,
    failed_only: bool,
    limit: int,
) -> tuple[int, tuple[datetime, UUID] | None]:
    """Send messages of events since a time again, up to `limit` in the order of their events.

    Pings are left out, and so are messages that wait or whose payload cannot be built any more. Returns how many are
    sent again, and the place from which to go on (`after`), None at the end.
    """
    states = [DeliveryState.FAILED] if failed_only else [DeliveryState.FAILED, DeliveryState.DONE]
    rows = await tx.fetch(
        f"""
        SELECT d.event_id, d.occurred_at, d.event IS NOT NULL AND d.state = ANY($5::text[]) AND d.type <> $6 AS wanted
        FROM webhook_deliveries d WHERE {_OF_ENDPOINT} AND d.occurred_at >= $2
          AND ($3::timestamptz IS NULL OR (d.occurred_at, d.event_id) > ($3, $4::uuid))
        ORDER BY d.occurred_at, d.event_id LIMIT $7 FOR NO KEY UPDATE""",
        endpoint_id,
        since,
        after[0] if after else None,
        after[1] if after else None,
        states,
        PING,
        limit,
    )
    wanted = [row["event_id"] for row in rows if row["wanted"]]
    if wanted:
        await tx.execute(
            f"UPDATE webhook_deliveries d SET {_REPLAYED} WHERE {_OF_ENDPOINT} AND d.event_id = ANY($2::uuid[])",
            endpoint_id,
            wanted,
        )
    return len(wanted), (rows[-1]["occurred_at"], rows[-1]["event_id"]) if len(rows) == limit else None


async def event_of_attempt(db: Queryable, attempt_id: int, *, endpoint_id: int) -> UUID:
    """Return the event of an attempt at an endpoint; raise `NotFoundError("attempt")`."""
    event_id: UUID | None = await db.fetchval(
        f"SELECT t.event_id FROM webhook_attempts t WHERE t.shard = {shard('$1')} AND t.id = $1 AND t.endpoint_id = $2",
        attempt_id,
        endpoint_id,
    )
    if event_id is None:
        raise NotFoundError("attempt")
    return event_id


async def open_circuits(db: Queryable) -> int:
    """Return how many endpoints have messages that wait for the end of the pause after ten failures in a row."""
    number: int = await db.fetchval(
        "/* all shards: the endpoints that pause */ SELECT count(*) FROM webhook_endpoints e "
        f"WHERE (e.failures >= {CIRCUIT_FAILURES}) AND e.due_at IS NOT NULL AND e.circuit_until > statement_timestamp()"
    )
    return number


async def oldest_due(db: Queryable) -> float:
    """Return for how many seconds the oldest delivery to an active endpoint with a closed circuit has been due."""
    age: float = await db.fetchval(
        "/* all shards: the age of the oldest delivery */ "
        "SELECT coalesce(extract(epoch FROM statement_timestamp() - min(e.due_at)), 0)::float8 "
        "FROM webhook_endpoints e WHERE e.due_at <= statement_timestamp()"
    )
    return age
