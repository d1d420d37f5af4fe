"""Endpoints of webhooks: addresses of subscribers, with the secrets that sign messages to them.

An endpoint is in the shard of its owner. A deleted one is hidden at once and removed later, in batches
(`storage.stores.webhooks.webhook_retention`). Its rows in other tables stay until then.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from locales.sentences import sentence
from storage import ids
from storage.errors import ConflictError, NotFoundError
from storage.models import Role
from storage.postgres.database import Queryable, Transaction
from storage.postgres.rows import Row
from storage.postgres.sharding import shard
from storage.stores import account_locks
from storage.webhooks import Endpoint, EndpointHealth, EndpointScope, EndpointState

MAX = 10  # endpoints of one account
PREVIOUS_SECRET_TTL = timedelta(hours=24)

COLUMNS = (
    "e.id, e.owner_id, e.url, e.description, e.types, e.scope, e.ordered, e.moderation, e.state, e.reason, e.secret, "
    "e.previous_secret, e.previous_until, e.failures, e.failing_since, e.warned_at, e.circuit_until, e.created_at"
)
_ENDPOINT = f"e.shard = {shard('$1')} AND e.id = $1"
_OWN = f"{_ENDPOINT} AND e.owner_id = $2 AND e.state <> 'deleted'"


async def create(
    tx: Transaction,
    *,
    owner_id: int,
    url: str,
    description: str,
    types: Sequence[str],
    scope: EndpointScope,
    ordered: bool,
    secret: str,
    moderation: bool = False,
) -> Endpoint:
    """Create an unverified endpoint; raise `NotFoundError("user")`, and `ConflictError` too_many_webhooks."""
    if not await account_locks.lock(tx, [owner_id]):
        raise NotFoundError("user")
    if len(await of_owner(tx, owner_id)) >= MAX:
        raise ConflictError(
            "too_many_webhooks", sentence("You can have up to {most} webhooks. Delete one of them.", most=MAX)
        )
    row = await tx.insert(
        ids.shard_of(owner_id),
        f"""
        INSERT INTO webhook_endpoints AS e
            (shard, id, owner_id, url, description, types, scope, ordered, state, secret, moderation)
        VALUES ({shard("$1")}, $1, $2, $3, $4, $5, $6, $7, 'unverified', $8, $9)
        ON CONFLICT (id, shard) DO NOTHING RETURNING {COLUMNS}""",
        owner_id,
        url,
        description,
        list(types),
        scope,
        ordered,
        secret,
        moderation,
    )
    return _found(row)


async def of_owner(db: Queryable, owner_id: int) -> list[Endpoint]:
    """Return the endpoints of an account, oldest first."""
    rows = await db.fetch(
        f"SELECT {COLUMNS} FROM webhook_endpoints e WHERE e.shard = {shard('$1')} AND e.owner_id = $1 "
        "AND e.state <> 'deleted' ORDER BY e.id",
        owner_id,
    )
    return [endpoint_of(row) for row in rows]


async def get(db: Queryable, endpoint_id: int, *, owner_id: int) -> Endpoint:
    """Return the owner's own endpoint; raise `NotFoundError("webhook")`."""
    return _found(await db.fetchrow(f"SELECT {COLUMNS} FROM webhook_endpoints e WHERE {_OWN}", endpoint_id, owner_id))


async def lock(tx: Transaction, endpoint_id: int, *, owner_id: int) -> Endpoint:
    """Lock the owner's own endpoint and return it; raise `NotFoundError("webhook")`."""
    return _found(
        await tx.fetchrow(
            f"SELECT {COLUMNS} FROM webhook_endpoints e WHERE {_OWN} FOR NO KEY UPDATE", endpoint_id, owner_id
        )
    )


async def edit(
    tx: Transaction,
    endpoint_id: int,
    *,
    owner_id: int,
    url: str | None = None,
    description: str | None = None,
    types: Sequence[str] | None = None,
    ordered: bool | None = None,
    state: EndpointState | None = None,
    moderation: bool | None = None,
) -> Endpoint:
    """Change what is not None of the owner's own endpoint; raise `NotFoundError("webhook")`.

    A worker looks at its deliveries soon, since some may be due now.
    """
    return _found(
        await tx.fetchrow(
            f"""
            UPDATE webhook_endpoints e SET url = coalesce($3, e.url), description = coalesce($4, e.description),
                types = coalesce($5::jsonb, e.types), ordered = coalesce($6, e.ordered),
                state = coalesce($7, e.state), moderation = coalesce($8, e.moderation), due_at = statement_timestamp()
            WHERE {_OWN} RETURNING {COLUMNS}""",
            endpoint_id,
            owner_id,
            url,
            description,
            None if types is None else list(types),
            ordered,
            state,
            moderation,
        )
    )


async def moderates(db: Queryable, endpoint_id: int) -> bool:
    """Return whether an endpoint decides about photos now: it has that right, is active, and an administrator's."""
    found: bool | None = await db.fetchval(
        "SELECT true FROM webhook_endpoints e JOIN users a ON a.shard = e.shard AND a.id = e.owner_id "
        f"WHERE {_ENDPOINT} AND e.moderation AND e.scope = 'all' AND e.state IN ('active', 'paused') "
        "AND a.role = $2 AND a.deleted_at IS NULL AND a.suspended_at IS NULL",
        endpoint_id,
        Role.ADMIN.value,
    )
    return bool(found)


async def replace_secret(tx: Transaction, endpoint_id: int, *, owner_id: int, secret: str) -> Endpoint:
    """Sign with another secret from now on, and with the present one for a day; raise `NotFoundError("webhook")`."""
    return _found(
        await tx.fetchrow(
            f"""
            UPDATE webhook_endpoints e SET secret = $3, previous_secret = e.secret,
                previous_until = statement_timestamp() + $4::interval
            WHERE {_OWN} RETURNING {COLUMNS}""",
            endpoint_id,
            owner_id,
            secret,
            PREVIOUS_SECRET_TTL,
        )
    )


async def activate(tx: Transaction, endpoint_id: int) -> EndpointState:
    """Make a locked endpoint active that has returned its challenge, and forget its failures; return its state.

    A paused one stays paused. A worker looks at its deliveries: those of a disabled one wait for this.
    """
    state: str = await tx.fetchval(
        f"""
        UPDATE webhook_endpoints e SET state = CASE WHEN e.state = 'paused' THEN e.state ELSE 'active' END,
            reason = NULL, failures = 0, failing_since = NULL, warned_at = NULL, circuit_until = NULL,
            due_at = statement_timestamp()
        WHERE {_ENDPOINT} RETURNING e.state""",
        endpoint_id,
    )
    return EndpointState(state)


async def failing(db: Queryable, *, limit: int) -> list[Endpoint]:
    """Return endpoints of all accounts that fail or are disabled, the longest failing ones first."""
    rows = await db.fetch(
        f"/* all shards: a list for the operator */ SELECT {COLUMNS} FROM webhook_endpoints e "
        "WHERE e.state = 'disabled' OR (e.failures > 0 AND e.state <> 'deleted') "
        "ORDER BY e.failing_since NULLS LAST, e.id LIMIT $1",
        limit,
    )
    return [endpoint_of(row) for row in rows]


async def disable(tx: Transaction, endpoint_id: int, *, reason: str) -> Endpoint | None:
    """Disable an endpoint of any account until it is verified again; return None if there is none."""
    row = await tx.fetchrow(
        f"UPDATE webhook_endpoints e SET state = 'disabled', reason = $2 WHERE {_ENDPOINT} AND e.state <> 'deleted' "
        f"RETURNING {COLUMNS}",
        endpoint_id,
        reason,
    )
    return None if row is None else endpoint_of(row)


async def delete(tx: Transaction, endpoint_id: int, *, owner_id: int) -> None:
    """Delete the owner's own endpoint; raise `NotFoundError("webhook")`. From the commit on nothing new is sent."""
    # The secrets are not needed for anything any more.
    deleted = await tx.execute(
        f"UPDATE webhook_endpoints e SET state = 'deleted', secret = '', previous_secret = NULL WHERE {_OWN}",
        endpoint_id,
        owner_id,
    )
    if not deleted:
        raise NotFoundError("webhook")


def endpoint_of(row: Row) -> Endpoint:
    """Return the endpoint of a row of `COLUMNS`."""
    until = row["previous_until"]
    previous = row["previous_secret"] if until is not None and until > datetime.now(UTC) else None
    return Endpoint(
        id=row["id"],
        owner_id=row["owner_id"],
        url=row["url"],
        description=row["description"],
        types=tuple(row["types"]),
        scope=EndpointScope(row["scope"]),
        ordered=row["ordered"],
        moderation=row["moderation"],
        state=EndpointState(row["state"]),
        reason=row["reason"],
        secrets=tuple(secret for secret in (row["secret"], previous) if secret),
        previous_until=until if previous else None,
        health=health_of(row),
        created_at=row["created_at"],
    )


def health_of(row: Row) -> EndpointHealth:
    """Return the health in a row of `COLUMNS`."""
    return EndpointHealth(
        failures=row["failures"],
        failing_since=row["failing_since"],
        warned_at=row["warned_at"],
        circuit_until=row["circuit_until"],
    )


def _found(row: Row | None) -> Endpoint:
    if row is None:
        raise NotFoundError("webhook")
    return endpoint_of(row)
