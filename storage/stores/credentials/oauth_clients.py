"""Applications that use the API for their users (OAuth 2.1)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from locales.sentences import sentence
from storage import ids
from storage.errors import ConflictError, NotFoundError
from storage.oauth import Application
from storage.postgres.database import Queryable, Transaction
from storage.postgres.sharding import shard, shards

MOST = 20  # of an owner
UNUSED_DAYS = 7  # after which one that registered itself and was never used is deleted

_COLUMNS = "c.id, c.owner_id, c.name, c.website, c.redirect_uris, c.scopes, c.secret_sha256, c.refreshes, c.created_at"
_ONE = f"c.shard = {shard('$1')} AND c.id = $1 AND c.deleted_at IS NULL"
# An owner has the shard of its applications.
_OWNER_ACTIVE = (
    f"NOT EXISTS (SELECT true FROM users o WHERE o.shard = {shard('$1')} AND o.id = c.owner_id "
    "AND o.suspended_at IS NOT NULL)"
)
_OF_OWNER = f"c.shard = {shard('$1')} AND c.owner_id = $1 AND c.deleted_at IS NULL"


@dataclass(frozen=True, kw_only=True, slots=True)
class ApplicationFields:
    """What is registered of an application, apart from its secret."""

    name: str
    website: str
    redirect_uris: Sequence[str]
    scopes: Sequence[str]
    refreshes: bool = False


async def add(
    tx: Transaction, owner_id: int | None, fields: ApplicationFields, *, secret_sha256: bytes | None, shard_: int
) -> Application:
    """Add an application in a shard, which is that of its owner, if it has one.

    Raises `ConflictError` too_many_applications and `NotFoundError("user")`.
    """
    if owner_id is not None:
        # The lock lets two requests at the same moment follow each other, so that both are counted.
        locked = f"SELECT true FROM users WHERE shard = {shard('$1')} AND id = $1 AND deleted_at IS NULL "
        if not await tx.fetchval(locked + "FOR NO KEY UPDATE", owner_id):
            raise NotFoundError("user")
        if len(await of_owner(tx, owner_id)) >= MOST:
            raise ConflictError(
                "too_many_applications", sentence("You can have {most} applications. Delete one first.", most=MOST)
            )
    row = await tx.fetchrow(
        "INSERT INTO oauth_clients AS c "
        "(shard, id, owner_id, name, website, redirect_uris, scopes, secret_sha256, refreshes) "
        f"VALUES ({shard('$1')}, $1, $2, $3, $4, $5::text[], $6::text[], $7, $8) RETURNING {_COLUMNS}",
        tx.new_id(shard_),
        owner_id,
        fields.name,
        fields.website,
        list(fields.redirect_uris),
        list(fields.scopes),
        secret_sha256,
        fields.refreshes,
    )
    return _application(row)


async def get(db: Queryable, client_id: int, *, owner_id: int | None = None) -> Application:
    """Return an application; raise `NotFoundError("application")`, also for another one's if `owner_id` is given."""
    row = await db.fetchrow(f"SELECT {_COLUMNS} FROM oauth_clients c WHERE {_ONE}", client_id)
    if row is None or owner_id not in {None, row["owner_id"]}:
        raise NotFoundError("application")
    return _application(row)


async def working(db: Queryable, client_id: int) -> Application:
    """Return an application; raise `NotFoundError("application")`, also while its owner is suspended."""
    row = await db.fetchrow(f"SELECT {_COLUMNS} FROM oauth_clients c WHERE {_ONE} AND {_OWNER_ACTIVE}", client_id)
    if row is None:
        raise NotFoundError("application")
    return _application(row)


async def by_ids(db: Queryable, client_ids: Iterable[int]) -> dict[int, Application]:
    """Return applications by their ids, also deleted ones whose tokens have not ended yet."""
    wanted = sorted(set(client_ids))
    rows = await db.fetch(
        f"SELECT {_COLUMNS} FROM oauth_clients c WHERE c.shard = ANY($1::integer[]) AND c.id = ANY($2::bigint[])",
        shards(wanted),
        wanted,
    )
    return {row["id"]: _application(row) for row in rows}


async def of_owner(db: Queryable, owner_id: int) -> list[Application]:
    """Return the applications of an owner, in the order of their registration."""
    rows = await db.fetch(f"SELECT {_COLUMNS} FROM oauth_clients c WHERE {_OF_OWNER} ORDER BY c.id", owner_id)
    return [_application(row) for row in rows]


async def update(tx: Transaction, client_id: int, fields: ApplicationFields, *, owner_id: int) -> Application:
    """Replace what is registered of an application; raise `NotFoundError("application")`."""
    row = await tx.fetchrow(
        "UPDATE oauth_clients AS c SET name = $3, website = $4, redirect_uris = $5::text[], scopes = $6::text[], "
        f"refreshes = $7 WHERE {_ONE} AND c.owner_id = $2 RETURNING {_COLUMNS}",
        client_id,
        owner_id,
        fields.name,
        fields.website,
        list(fields.redirect_uris),
        list(fields.scopes),
        fields.refreshes,
    )
    if row is None:
        raise NotFoundError("application")
    return _application(row)


async def set_secret(tx: Transaction, client_id: int, secret_sha256: bytes, *, owner_id: int) -> Application:
    """Replace the secret of a confidential application; raise `NotFoundError("application")`."""
    row = await tx.fetchrow(
        f"UPDATE oauth_clients AS c SET secret_sha256 = $3 "
        f"WHERE {_ONE} AND c.owner_id = $2 AND c.secret_sha256 IS NOT NULL RETURNING {_COLUMNS}",
        client_id,
        owner_id,
        secret_sha256,
    )
    if row is None:
        raise NotFoundError("application")
    return _application(row)


async def mark_used(tx: Transaction, client_id: int) -> None:
    """Record that an application was used, once a day."""
    await tx.execute(
        f"UPDATE oauth_clients c SET last_used_at = now() "
        f"WHERE {_ONE} AND (c.last_used_at IS NULL OR c.last_used_at < now() - interval '1 day')",
        client_id,
    )


async def delete(tx: Transaction, client_id: int, *, owner_id: int | None = None) -> None:
    """Delete an application, which gets no tokens any more.

    Raises `NotFoundError("application")`, also for another one's if `owner_id` is given.
    """
    deleted = await tx.execute(
        f"UPDATE oauth_clients c SET deleted_at = now() WHERE {_ONE} AND ($2::bigint IS NULL OR c.owner_id = $2)",
        client_id,
        owner_id,
    )
    if not deleted:
        raise NotFoundError("application")


async def delete_all(tx: Transaction, owner_id: int) -> None:
    """Delete the applications of an owner."""
    await tx.execute(f"UPDATE oauth_clients c SET deleted_at = now() WHERE {_OF_OWNER}", owner_id)


async def deleted(db: Queryable, *, limit: int = 100) -> list[int]:
    """Return applications that were deleted, and whose sessions have to end."""
    rows = await db.fetch(
        "/* all shards: the janitor's */ SELECT id FROM oauth_clients WHERE deleted_at IS NOT NULL LIMIT $1", limit
    )
    return [row["id"] for row in rows]


async def forget(tx: Transaction, client_id: int) -> None:
    """Delete the row of an application that was deleted, when it has no sessions any more."""
    await tx.execute(
        f"DELETE FROM oauth_clients c WHERE c.shard = {shard('$1')} AND c.id = $1 AND c.deleted_at IS NOT NULL",
        client_id,
    )


async def purge_unused(tx: Transaction, *, limit: int = 1000) -> int:
    """Delete up to `limit` applications that registered themselves and were never used, and return their number."""
    rows = await tx.fetch(
        "/* all shards: the janitor's */ SELECT id FROM oauth_clients WHERE owner_id IS NULL AND last_used_at IS NULL "
        f"AND created_at < now() - interval '{UNUSED_DAYS} days' LIMIT $1",
        limit,
    )
    unused = [row["id"] for row in rows]
    return await tx.execute(
        "DELETE FROM oauth_clients WHERE shard = ANY($1::integer[]) AND id = ANY($2::bigint[]) "
        "AND last_used_at IS NULL",
        shards(unused),
        unused,
    )


def new_shard(owner_id: int | None) -> int:
    """Return the shard of a new application."""
    return ids.draw_shard() if owner_id is None else ids.shard_of(owner_id)


def _application(row: Any) -> Application:
    fields = dict(row)
    return Application(**{**fields, "redirect_uris": tuple(row["redirect_uris"]), "scopes": tuple(row["scopes"])})
