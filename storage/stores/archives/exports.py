"""Exports of accounts: request, begin and finish them, and remove what they leave.

A row is in the shard of its user. The archive is written before its row becomes ready and deleted before the row says
so, and a job that finds no use for an archive deletes it. So every archive has a row that leads to its deletion.
"""

from __future__ import annotations

from datetime import timedelta

from locales.sentences import sentence
from storage import ids
from storage.errors import ConflictError, NotFoundError
from storage.events import ExportRequested
from storage.exports import Export, ExportState
from storage.postgres.database import Queryable, Transaction
from storage.postgres.rows import Row
from storage.postgres.sharding import shard, shards
from storage.stores import account_locks

PERIOD = timedelta(days=1)  # between two requests
TTL = timedelta(days=7)  # of an archive
LISTED = 20  # exports that a list has at most: a month of them is kept

_COLUMNS = "e.id, e.user_id, e.state, e.bytes, e.photos, e.error, e.created_at, e.ready_at, e.expires_at"
_EXPORT = f"e.shard = {shard('$1')} AND e.id = $1"
_OWN = f"e.shard = {shard('$1')} AND e.user_id = $1"
_NAMED = "e.shard = ANY($1::integer[]) AND e.id = ANY($2::bigint[])"
_NOT_DELETED = (
    f"EXISTS (SELECT 1 FROM users a WHERE a.shard = {shard('$1')} AND a.id = e.user_id AND a.deleted_at IS NULL)"
)


async def create(tx: Transaction, user_id: int) -> Export:
    """Request an export, which emits `ExportRequested`; raise `NotFoundError("user")`.

    Raises `ConflictError`: export_in_progress, and export_too_soon within a day after the last one that has not failed.
    """
    # The lock excludes another request of the user at this moment, and the account's deletion.
    if not await account_locks.lock(tx, [user_id]):
        raise NotFoundError("user")
    last = await tx.fetchrow(
        f"SELECT e.state, e.created_at + $2::interval AS next_at, e.created_at + $2::interval > now() AS too_soon "
        f"FROM exports e WHERE {_OWN} AND e.state <> 'failed' ORDER BY e.id DESC LIMIT 1",
        user_id,
        PERIOD,
    )
    if last is not None and last["state"] in {ExportState.QUEUED, ExportState.RUNNING}:
        raise ConflictError("export_in_progress", "Your export is being made. You are notified when it is ready.")
    if last is not None and last["too_soon"]:
        raise ConflictError(
            "export_too_soon",
            sentence("You can request one export a day. The next one is possible at {time}.", time=last["next_at"]),
        )
    row = await tx.insert(
        ids.shard_of(user_id),
        f"INSERT INTO exports AS e (shard, id, user_id) VALUES ({shard('$1')}, $1, $2) "
        f"ON CONFLICT (id, shard) DO NOTHING RETURNING {_COLUMNS}",
        user_id,
    )
    export = _found(row)
    tx.emit(ExportRequested(export_id=export.id, user_id=user_id))
    return export


async def of_user(db: Queryable, user_id: int) -> list[Export]:
    """Return the newest exports of a user, newest first."""
    rows = await db.fetch(f"SELECT {_COLUMNS} FROM exports e WHERE {_OWN} ORDER BY e.id DESC LIMIT $2", user_id, LISTED)
    return [_export_of(row) for row in rows]


async def get(db: Queryable, export_id: int) -> Export:
    """Return an export of an account that is not deleted; raise `NotFoundError("export")`."""
    return _found(await db.fetchrow(f"SELECT {_COLUMNS} FROM exports e WHERE {_EXPORT} AND {_NOT_DELETED}", export_id))


async def begin(tx: Transaction, export_id: int) -> Export | None:
    """Make an export running, again if a job was interrupted; return None if it has ended or its account is deleted."""
    row = await tx.fetchrow(
        f"UPDATE exports e SET state = 'running' WHERE {_EXPORT} AND e.state IN ('queued', 'running') "
        f"AND {_NOT_DELETED} RETURNING {_COLUMNS}",
        export_id,
    )
    return None if row is None else _export_of(row)


async def finish(tx: Transaction, export: Export, *, size: int, photos: int, ttl: timedelta = TTL) -> Export | None:
    """Make a running export ready, whose archive is stored and kept for `ttl`.

    Return None if it is not running, or its account is deleted.
    """
    # The lock excludes the deletion of the account, which would not find this archive.
    if not await account_locks.lock(tx, [export.user_id]):
        return None
    row = await tx.fetchrow(
        f"UPDATE exports e SET state = 'ready', bytes = $2, photos = $3, ready_at = now(), "
        f"expires_at = now() + $4::interval WHERE {_EXPORT} AND e.state = 'running' RETURNING {_COLUMNS}",
        export.id,
        size,
        photos,
        ttl,
    )
    return None if row is None else _export_of(row)


async def expired(db: Queryable, *, limit: int) -> list[int]:
    """Return exports whose archives have expired."""
    rows = await db.fetch(
        "/* all shards: the janitor's */ SELECT e.id FROM exports e WHERE e.state = 'ready' AND e.expires_at < now() "
        "ORDER BY e.expires_at LIMIT $1",
        limit,
    )
    return [row["id"] for row in rows]


async def expire(tx: Transaction, export_ids: list[int]) -> None:
    """Make exports expired whose archives are deleted."""
    await tx.execute(
        f"UPDATE exports e SET state = 'expired' WHERE {_NAMED} AND e.state = 'ready'", shards(export_ids), export_ids
    )


async def fail_lost(tx: Transaction, *, after: timedelta, limit: int) -> int:
    """Fail exports that were requested so long ago and are not ready: their events ended as dead letters."""
    rows = await tx.fetch(
        "/* all shards: the janitor's */ SELECT e.id FROM exports e WHERE e.state IN ('queued', 'running') "
        "AND e.created_at < now() - $1::interval ORDER BY e.created_at LIMIT $2",
        after,
        limit,
    )
    found = [row["id"] for row in rows]
    if not found:
        return 0
    return await tx.execute(
        "UPDATE exports e SET state = 'failed', error = 'It could not be made. Request another one.' "
        f"WHERE {_NAMED} AND e.state IN ('queued', 'running')",
        shards(found),
        found,
    )


async def forget(tx: Transaction, *, after: timedelta, limit: int) -> int:
    """Delete the rows of exports that have failed or expired and were requested so long ago."""
    rows = await tx.fetch(
        "/* all shards: the janitor's */ SELECT e.id FROM exports e WHERE e.state IN ('failed', 'expired') "
        "AND e.created_at < now() - $1::interval ORDER BY e.created_at LIMIT $2",
        after,
        limit,
    )
    found = [row["id"] for row in rows]
    return await tx.execute(f"DELETE FROM exports e WHERE {_NAMED}", shards(found), found) if found else 0


async def ids_of(db: Queryable, user_id: int) -> list[int]:
    """Return all exports of a user, also of a deleted one."""
    rows = await db.fetch(f"SELECT e.id FROM exports e WHERE {_OWN}", user_id)
    return [row["id"] for row in rows]


async def state_of(db: Queryable, export_id: int) -> ExportState | None:
    """Return the state of an export, None if there is none, or its account is deleted."""
    state: str | None = await db.fetchval(
        f"SELECT e.state FROM exports e WHERE {_EXPORT} AND {_NOT_DELETED}", export_id
    )
    return None if state is None else ExportState(state)


def _export_of(row: Row) -> Export:
    return Export(**{**dict(row), "state": ExportState(row["state"])})


def _found(row: Row | None) -> Export:
    if row is None:
        raise NotFoundError("export")
    return _export_of(row)
