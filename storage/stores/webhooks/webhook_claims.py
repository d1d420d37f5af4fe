"""Claims of due deliveries, fair by endpoint, and the results of their attempts.

Workers find endpoints by `due_at`, the next moment at which one has something to do, and claim up to a number of
deliveries of each. So an endpoint with very many due deliveries gets no more than others. A claim is a lease: it
expires if the worker is killed, and then the delivery is due again.

No wake-up is lost: what is added is committed first, and then `due_at` is set to now, unless it is in the past already
(`storage.stores.webhooks.webhook_deliveries.wake`). A worker commits a later `due_at` first (`take`), and looks at the
deliveries in another transaction (`claim`). So either it finds what was added, or the one who added it finds the later
`due_at` and sets it. What `claim` has found determines `due_at` only if that is still as `take` has set it; otherwise
it is only ever moved forward. If a worker ends in between, the endpoint is due again after `LOOK_AGAIN`.

The row of an endpoint is locked before its deliveries. Times are those of the database.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from storage.models import Role
from storage.postgres.database import Queryable, Transaction
from storage.postgres.sharding import shard
from storage.stores.webhooks.webhook_endpoints import COLUMNS, endpoint_of, health_of
from storage.webhooks import CIRCUIT_FAILURES, PING, Delivery, DeliveryState, Endpoint, EndpointHealth, EndpointState

LEASE = timedelta(seconds=45)  # longer than an attempt with its statements
LOOK_AGAIN = timedelta(seconds=30)

_ENDPOINT = f"e.shard = {shard('$1')} AND e.id = $1"
_DELIVERIES = f"webhook_deliveries d WHERE d.shard = {shard('$1')} AND d.endpoint_id = $1"
_DELIVERY = f"d.shard = {shard('$1')} AND d.endpoint_id = $1 AND d.event_id = $2"
# Of an ordered endpoint, a delivery waits for all earlier ones of its subject.
_FIRST = (
    f"NOT EXISTS (SELECT 1 FROM webhook_deliveries o WHERE o.shard = {shard('$1')} AND o.endpoint_id = $1 "
    "AND o.state = 'waiting' AND o.subject_id = d.subject_id AND o.type <> 'endpoint.ping' "
    "AND (o.occurred_at, o.event_id) < (d.occurred_at, d.event_id))"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """Deliveries of an endpoint that the worker has until their leases expire; none if there is nothing to send."""

    endpoint: Endpoint
    deliveries: list[Delivery]


@dataclass(frozen=True, kw_only=True, slots=True)
class Finished:
    """The result of an attempt at a delivery.

    `state` is the one after it. `attempts` counts this one. Where it still waits, the next one is due
    `next_at`.
    """

    delivery: Delivery
    state: DeliveryState
    attempts: int
    next_at: datetime | None = None


async def due(db: Queryable, *, failing: bool, limit: int) -> list[int]:
    """Return endpoints that have something to do, the longest waiting first: those with broken circuits, or others."""
    rows = await db.fetch(
        "/* all shards: the endpoints with due deliveries */ "
        f"SELECT e.id FROM webhook_endpoints e WHERE (e.failures >= {CIRCUIT_FAILURES}) = $1 "
        "AND e.due_at <= statement_timestamp() ORDER BY e.due_at LIMIT $2",
        failing,
        limit,
    )
    return [row["id"] for row in rows]


async def take(tx: Transaction, endpoint_id: int) -> datetime | None:
    """Take a due endpoint, and return the token for `claim` after the commit; None if another worker was faster."""
    token: datetime | None = await tx.fetchval(
        f"UPDATE webhook_endpoints e SET due_at = statement_timestamp() + $2::interval WHERE {_ENDPOINT} "
        "AND e.due_at <= statement_timestamp() RETURNING e.due_at",
        endpoint_id,
        LOOK_AGAIN,
    )
    return token


async def claim(
    tx: Transaction, endpoint_id: int, token: datetime, *, room: Callable[[EndpointHealth], int]
) -> Claim | None:
    """Lease due deliveries of an endpoint, as long as fewer than `room` are under way; None if it gets no more.

    Of an endpoint that is not active only pings are leased, and nothing during a pause of its circuit.
    """
    row = await tx.fetchrow(
        f"SELECT {COLUMNS}, statement_timestamp() AS now, a.deleted_at IS NULL AND e.state <> 'deleted' "
        "AND (e.scope = 'own' OR a.role = $2) AS permitted "
        f"FROM webhook_endpoints e JOIN users a ON a.shard = {shard('$1')} AND a.id = e.owner_id "
        f"WHERE {_ENDPOINT} FOR NO KEY UPDATE OF e",
        endpoint_id,
        Role.ADMIN.value,
    )
    if row is None or not row["permitted"]:
        await _look_at(tx, endpoint_id, token, None)
        return None
    endpoint, now = endpoint_of(row), row["now"]
    pause = endpoint.health.circuit_until
    if pause is not None and pause > now:
        await _look_at(tx, endpoint_id, token, pause)
        return Claim(endpoint=endpoint, deliveries=[])
    leased = await tx.fetchrow(
        f"SELECT count(*) AS number, min(d.leased_until) AS first FROM {_DELIVERIES} AND d.leased_until > $2",
        endpoint_id,
        now,
    )
    number, first = (0, None) if leased is None else (leased["number"], leased["first"])
    free = max(room(endpoint.health) - number, 0)
    claimed = await _lease(tx, endpoint, now, free) if free else []
    if len(claimed) == free:
        # More may be due. The end of any attempt makes room, and moves `due_at` forward.
        next_at = min([time for time in (first, *(each.leased_until for each in claimed)) if time is not None])
    else:
        next_at = await _next_at(tx, endpoint, now)
    await _look_at(tx, endpoint_id, token, next_at)
    return Claim(endpoint=endpoint, deliveries=claimed)


async def lock_endpoint(tx: Transaction, endpoint_id: int) -> tuple[EndpointState, EndpointHealth, datetime] | None:
    """Lock an endpoint and return its state and health, and the database's time; None if it is deleted."""
    row = await tx.fetchrow(
        f"SELECT {COLUMNS}, statement_timestamp() AS now FROM webhook_endpoints e "
        f"WHERE {_ENDPOINT} AND e.state <> 'deleted' FOR NO KEY UPDATE",
        endpoint_id,
    )
    return None if row is None else (EndpointState(row["state"]), health_of(row), row["now"])


async def finish(tx: Transaction, finished: Finished, *, now: datetime) -> bool:
    """End the lease of a delivery; return False if it has expired, and another worker may have the delivery.

    A success counts even then. The endpoint is locked.
    """
    delivery = finished.delivery
    ended = await tx.execute(
        f"""
        UPDATE webhook_deliveries d SET state = $4, attempts = $5, leased_until = NULL,
            next_at = coalesce($6, d.next_at), finished_at = $7
        WHERE {_DELIVERY} AND d.state = 'waiting' AND (d.leased_until = $3 OR $4 = 'done')""",
        delivery.endpoint_id,
        delivery.event_id,
        delivery.leased_until,
        finished.state.value,
        finished.attempts,
        finished.next_at,
        None if finished.state is DeliveryState.WAITING else now,
    )
    return ended > 0


async def set_health(
    tx: Transaction, endpoint_id: int, health: EndpointHealth, *, state: EndpointState, reason: str | None = None
) -> None:
    """Store what an attempt says about an endpoint, and let workers look at it when its next delivery is due."""
    await tx.execute(
        f"""
        UPDATE webhook_endpoints e SET failures = $2, failing_since = $3, warned_at = $4, circuit_until = $5,
            state = $6, reason = coalesce($7, e.reason),
            due_at = least(e.due_at, (SELECT min(d.next_at) FROM {_DELIVERIES} AND d.state = 'waiting'))
        WHERE {_ENDPOINT}""",
        endpoint_id,
        health.failures,
        health.failing_since,
        health.warned_at,
        health.circuit_until,
        state.value,
        reason,
    )


async def _lease(tx: Transaction, endpoint: Endpoint, now: datetime, limit: int) -> list[Delivery]:
    until = now + LEASE
    rows = await tx.fetch(
        f"""
        WITH due AS (
            SELECT d.event_id FROM {_DELIVERIES} AND d.state = 'waiting' AND d.next_at <= $2 {_claimable(endpoint)}
            ORDER BY d.next_at LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED)
        UPDATE webhook_deliveries d SET leased_until = $4, next_at = $4
        FROM due WHERE d.shard = {shard("$1")} AND d.endpoint_id = $1 AND d.event_id = due.event_id
        RETURNING d.event_id, d.type, d.event, d.occurred_at, d.attempts""",
        endpoint.id,
        now,
        limit,
        until,
    )
    return [
        Delivery(
            endpoint_id=endpoint.id,
            event_id=row["event_id"],
            type=row["type"],
            fields=row["event"] or {},
            occurred_at=row["occurred_at"],
            attempts=row["attempts"],
            leased_until=until,
        )
        for row in rows
    ]


async def _next_at(tx: Transaction, endpoint: Endpoint, now: datetime) -> datetime | None:
    """Return when the next delivery is due that is not due yet; those that are due are leased, or wait for one."""
    only_pings = "" if endpoint.state is EndpointState.ACTIVE else f"AND d.type = '{PING}'"
    next_at: datetime | None = await tx.fetchval(
        f"SELECT min(d.next_at) FROM {_DELIVERIES} AND d.state = 'waiting' AND d.next_at > $2 {only_pings}",
        endpoint.id,
        now,
    )
    return next_at


async def _look_at(tx: Transaction, endpoint_id: int, token: datetime, next_at: datetime | None) -> None:
    """Set `due_at`, unless it was changed since `take`."""
    await tx.execute(
        f"UPDATE webhook_endpoints e SET due_at = $3 WHERE {_ENDPOINT} AND e.due_at = $2", endpoint_id, token, next_at
    )


def _claimable(endpoint: Endpoint) -> str:
    if endpoint.state is not EndpointState.ACTIVE:
        return f"AND d.type = '{PING}'"
    return f"AND (d.type = '{PING}' OR {_FIRST})" if endpoint.ordered else ""
