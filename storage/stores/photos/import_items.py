"""The items of imports: one row for each photo of an archive that was worked off.

A row is written in the transaction that creates the photo, so a repeated job finds what it has done.
"""

from __future__ import annotations

from storage.errors import ConflictError
from storage.imports import ImportItem, ImportItemState
from storage.postgres.database import Queryable, Transaction
from storage.postgres.rows import Row
from storage.postgres.sharding import shard

MAX_NAME = 200  # characters of a name that are kept
_OF_IMPORT = f"t.shard = {shard('$1')} AND t.import_id = $1"
_COLUMNS = "t.position, t.name, t.state, t.reason, t.photo_id"


async def add(tx: Transaction, import_id: int, user_id: int, item: ImportItem) -> None:
    """Store the result of an item and count it; raise `ConflictError` conflict if another worker has stored one."""
    added = await tx.execute(
        f"""
        INSERT INTO import_items (shard, import_id, position, user_id, name, state, reason, photo_id)
        VALUES ({shard("$1")}, $1, $2, $3, $4, $5, $6, $7) ON CONFLICT (import_id, position, shard) DO NOTHING""",
        import_id,
        item.position,
        user_id,
        item.name[:MAX_NAME],
        item.state.value,
        item.reason,
        item.photo_id,
    )
    if not added:
        raise ConflictError("conflict", "Another worker has imported this item.")
    # The column has the name of the state.
    await tx.execute(
        f"UPDATE imports SET {item.state.value} = {item.state.value} + 1, active_at = now() "
        f"WHERE shard = {shard('$1')} AND id = $1",
        import_id,
    )


async def reject(tx: Transaction, import_id: int, photo_id: int, reason: str) -> None:
    """Let an item have failed whose photo could not be processed."""
    changed = await tx.execute(
        f"UPDATE import_items t SET state = 'failed', reason = $3 "
        f"WHERE {_OF_IMPORT} AND t.photo_id = $2 AND t.state = 'imported'",
        import_id,
        photo_id,
        reason,
    )
    if changed:
        await tx.execute(
            f"UPDATE imports SET imported = imported - 1, failed = failed + 1 WHERE shard = {shard('$1')} AND id = $1",
            import_id,
        )


async def positions(db: Queryable, import_id: int) -> set[int]:
    """Return the items that were worked off."""
    rows = await db.fetch(f"SELECT t.position FROM import_items t WHERE {_OF_IMPORT}", import_id)
    return {row["position"] for row in rows}


async def page(
    db: Queryable, import_id: int, *, state: ImportItemState | None, after: int, limit: int
) -> list[ImportItem]:
    """Return items in the order of the archive, with positions above `after`, of one state if it is given."""
    rows = await db.fetch(
        f"SELECT {_COLUMNS} FROM import_items t WHERE {_OF_IMPORT} AND t.position > $2 "
        "AND ($3::text IS NULL OR t.state = $3) ORDER BY t.position LIMIT $4",
        import_id,
        after,
        None if state is None else state.value,
        limit,
    )
    return [_item_of(row) for row in rows]


async def forget(tx: Transaction, import_id: int, *, limit: int) -> int:
    """Delete up to `limit` items of an import, and return their number."""
    return await tx.execute(
        f"DELETE FROM import_items WHERE shard = {shard('$1')} AND import_id = $1 AND position IN ("
        f"SELECT position FROM import_items WHERE shard = {shard('$1')} AND import_id = $1 LIMIT $2)",
        import_id,
        limit,
    )


def _item_of(row: Row) -> ImportItem:
    return ImportItem(**{**dict(row), "state": ImportItemState(row["state"])})
