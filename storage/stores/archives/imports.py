"""Imports of archives: request, begin and finish them. Their items are in `storage.stores.photos.import_items`.

All rows are in the shard of the user. The archive is an upload that the import has used; it expires after the import
can have ended, and is deleted with its end.
"""

from __future__ import annotations

from datetime import timedelta

from storage import ids
from storage.errors import ConflictError, NotFoundError
from storage.events import ImportRequested
from storage.imports import Import, ImportSource, ImportState
from storage.models import PhotoAudience
from storage.postgres.database import Queryable, Transaction
from storage.postgres.rows import Row
from storage.postgres.sharding import shard, shards
from storage.postgres.visibility import visible
from storage.stores import account_locks
from storage.stores.photos import uploads
from storage.stores.photos.uploads import Upload

LISTED = 20  # imports that a list has at most
ARCHIVE_TTL = timedelta(days=8)  # of an archive whose import has not ended; longer than `LOST_AFTER` of an import

_COLUMNS = (
    "i.id, i.user_id, i.upload_id, i.state, i.source, i.audience, i.bytes, i.items, i.imported, i.skipped, i.failed, "
    "i.error, i.created_at, i.finished_at"
)
_IMPORT = f"i.shard = {shard('$1')} AND i.id = $1"
_OWN = f"i.shard = {shard('$1')} AND i.user_id = $1"
_UNFINISHED = "i.state IN ('queued', 'running')"
_ACTIVE = f"EXISTS (SELECT 1 FROM users a WHERE a.shard = {shard('$1')} AND a.id = i.user_id AND {visible()})"


async def create(tx: Transaction, user_id: int, upload: Upload, *, audience: PhotoAudience | None) -> Import:
    """Request an import of a whole upload, which emits `ImportRequested`; raise `NotFoundError("user")`.

    Raises `ConflictError`: import_in_progress, upload_used.
    """
    # The lock excludes another request of the user at this moment, and the account's deletion.
    if not await account_locks.lock(tx, [user_id]):
        raise NotFoundError("user")
    if await tx.fetchval(f"SELECT 1 FROM imports i WHERE {_OWN} AND {_UNFINISHED} LIMIT 1", user_id):
        raise ConflictError("import_in_progress", "An import of yours is being worked off. Wait until it has ended.")
    await uploads.use(tx, upload.id, kept=ARCHIVE_TTL)
    row = await tx.insert(
        ids.shard_of(user_id),
        f"INSERT INTO imports AS i (shard, id, user_id, upload_id, audience, bytes) "
        f"VALUES ({shard('$1')}, $1, $2, $3, $4, $5) ON CONFLICT (id, shard) DO NOTHING RETURNING {_COLUMNS}",
        user_id,
        upload.id,
        None if audience is None else audience.value,
        upload.bytes,
    )
    created = _found(row)
    tx.emit(ImportRequested(import_id=created.id, user_id=user_id))
    return created


async def of_user(db: Queryable, user_id: int) -> list[Import]:
    """Return the newest imports of a user, newest first."""
    rows = await db.fetch(f"SELECT {_COLUMNS} FROM imports i WHERE {_OWN} ORDER BY i.id DESC LIMIT $2", user_id, LISTED)
    return [_import_of(row) for row in rows]


async def get(db: Queryable, import_id: int, *, user_id: int) -> Import:
    """Return an import of a user; raise `NotFoundError("import")` for any other."""
    return _found(
        await db.fetchrow(f"SELECT {_COLUMNS} FROM imports i WHERE {_IMPORT} AND i.user_id = $2", import_id, user_id)
    )


async def begin(tx: Transaction, import_id: int) -> Import | None:
    """Make an import running, again for its next items; return None if it has ended or its account is hidden."""
    row = await tx.fetchrow(
        f"UPDATE imports i SET state = 'running', active_at = now() WHERE {_IMPORT} AND {_UNFINISHED} AND {_ACTIVE} "
        f"RETURNING {_COLUMNS}",
        import_id,
    )
    return None if row is None else _import_of(row)


async def describe(tx: Transaction, import_id: int, *, source: ImportSource, items: int) -> None:
    """Store what the archive is and how many items it has."""
    await tx.execute(f"UPDATE imports i SET source = $2, items = $3 WHERE {_IMPORT}", import_id, source.value, items)


async def finish(tx: Transaction, import_id: int, *, error: str | None = None) -> bool:
    """End an import, with an error for the user if it has failed; return False if it had ended."""
    state = ImportState.DONE if error is None else ImportState.FAILED
    return bool(
        await tx.execute(
            f"UPDATE imports i SET state = $2, error = $3, finished_at = now() WHERE {_IMPORT} AND {_UNFINISHED}",
            import_id,
            state.value,
            error,
        )
    )


async def requeue(tx: Transaction, user_id: int) -> None:
    """Emit `ImportRequested` again for an unfinished import of a user."""
    rows = await tx.fetch(f"SELECT i.id FROM imports i WHERE {_OWN} AND {_UNFINISHED}", user_id)
    for row in rows:
        tx.emit(ImportRequested(import_id=row["id"], user_id=user_id))


async def lost(db: Queryable, *, after: timedelta, limit: int) -> list[Import]:
    """Return unfinished imports of which nothing was worked off for so long: their events ended as dead letters."""
    rows = await db.fetch(
        f"/* all shards: the janitor's */ SELECT {_COLUMNS} FROM imports i WHERE {_UNFINISHED} "
        "AND i.active_at < now() - $1::interval ORDER BY i.active_at LIMIT $2",
        after,
        limit,
    )
    return [_import_of(row) for row in rows]


async def ended(db: Queryable, *, after: timedelta, limit: int) -> list[int]:
    """Return imports that ended so long ago."""
    rows = await db.fetch(
        "/* all shards: the janitor's */ SELECT i.id FROM imports i WHERE i.state IN ('done', 'failed') "
        "AND i.finished_at < now() - $1::interval ORDER BY i.finished_at LIMIT $2",
        after,
        limit,
    )
    return [row["id"] for row in rows]


async def forget(tx: Transaction, import_ids: list[int]) -> int:
    """Delete imports that have no items any more."""
    return await tx.execute(
        "DELETE FROM imports i WHERE i.shard = ANY($1::integer[]) AND i.id = ANY($2::bigint[])",
        shards(import_ids),
        import_ids,
    )


def _import_of(row: Row) -> Import:
    kinds = {
        "state": ImportState(row["state"]),
        "source": None if row["source"] is None else ImportSource(row["source"]),
        "audience": None if row["audience"] is None else PhotoAudience(row["audience"]),
    }
    return Import(**{**dict(row), **kinds})


def _found(row: Row | None) -> Import:
    if row is None:
        raise NotFoundError("import")
    return _import_of(row)
