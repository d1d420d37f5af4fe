"""Collections: lists of photos that a user keeps, private or public; the one without a title are the saved photos.

A collection is in the shard of its owner. It shows a viewer only photos that the viewer may see. The rows of the others
stay, so that a photo returns when it can be seen again; those of deleted photos are removed
(`storage.stores.saved.collection_items`).
"""

from __future__ import annotations

from locales.sentences import sentence
from storage import ids
from storage.errors import ConflictError, NotFoundError
from storage.models import Collection
from storage.postgres.database import Queryable, Transaction
from storage.postgres.rows import Row, user_summary_of
from storage.postgres.sharding import shard
from storage.postgres.visibility import published
from storage.stores import account_locks

MAX = 200  # collections of one user

_COLLECTION = f"c.shard = {shard('$1')} AND c.id = $1"
COLUMNS = "c.id, c.title, c.public, c.created_at, c.owner_id, a.username::text, a.display_name, a.avatar_sha256"
_OWNED = "collections c JOIN users a ON a.id = c.owner_id AND a.shard = c.shard"


async def create(tx: Transaction, *, owner_id: int, title: str, public: bool) -> Collection:
    """Create an empty collection; raise `NotFoundError("user")`, and `ConflictError` too_many_collections."""
    await _lock_owner(tx, owner_id)
    number = await tx.fetchval(
        f"SELECT count(*) FROM collections WHERE shard = {shard('$1')} AND owner_id = $1 AND NOT saved", owner_id
    )
    if number >= MAX:
        raise ConflictError(
            "too_many_collections", sentence("You can have up to {most} collections. Delete one of them.", most=MAX)
        )
    return collection_of(await _insert(tx, owner_id, title, public=public, saved=False))


async def saved_id(tx: Transaction, owner_id: int) -> int:
    """Return the collection of a user's saved photos, which the first one creates; raise `NotFoundError("user")`."""
    found = await find_saved(tx, owner_id)
    if found is None:
        # Of two first ones, the second finds the collection now.
        await _lock_owner(tx, owner_id)
        found = await find_saved(tx, owner_id)
    return (await _insert(tx, owner_id, "", public=False, saved=True))["id"] if found is None else found


async def find_saved(db: Queryable, owner_id: int) -> int | None:
    """Return the collection of a user's saved photos, or None if nothing was saved yet."""
    found: int | None = await db.fetchval(
        f"SELECT id FROM collections WHERE shard = {shard('$1')} AND owner_id = $1 AND saved", owner_id
    )
    return found


async def get(db: Queryable, collection_id: int, *, viewer_id: int | None) -> Collection:
    """Return a collection: the viewer's own, or a public one of an account whose photos the viewer may see.

    Raises `NotFoundError("collection")` for any other.
    """
    row = await db.fetchrow(
        f"SELECT {COLUMNS} FROM {_OWNED} WHERE c.shard = {shard('$2')} AND c.id = $2 AND NOT c.saved "
        f"AND (c.owner_id = $1 OR c.public) AND {published(shard('$2'))}",
        viewer_id,
        collection_id,
    )
    return collection_of(row)


async def page(
    db: Queryable, owner_id: int, *, viewer_id: int | None, before: int | None, limit: int
) -> list[Collection]:
    """Return a user's collections that the viewer may see (`get`), newest first, with ids below `before`."""
    rows = await db.fetch(
        f"SELECT {COLUMNS} FROM {_OWNED} WHERE c.shard = {shard('$2')} AND c.owner_id = $2 AND NOT c.saved "
        f"AND (c.owner_id = $1 OR c.public) AND {published(shard('$2'))} AND c.id < $3 ORDER BY c.id DESC LIMIT $4",
        viewer_id,
        owner_id,
        ids.MAX_ID if before is None else before,
        limit,
    )
    return [collection_of(row) for row in rows]


async def edit(
    tx: Transaction, collection_id: int, *, owner_id: int, title: str | None = None, public: bool | None = None
) -> Collection:
    """Change what is not None of the owner's own collection; raise `NotFoundError("collection")`."""
    row = await tx.fetchrow(
        f"""
        UPDATE collections c SET title = coalesce($3, c.title), public = coalesce($4, c.public)
        FROM users a
        WHERE {_COLLECTION} AND c.owner_id = $2 AND NOT c.saved AND a.shard = {shard("$1")} AND a.id = c.owner_id
        RETURNING {COLUMNS}""",
        collection_id,
        owner_id,
        title,
        public,
    )
    return collection_of(row)


async def delete(tx: Transaction, collection_id: int, *, owner_id: int) -> None:
    """Delete the owner's own collection with its items; raise `NotFoundError("collection")`."""
    deleted = await tx.execute(
        f"DELETE FROM collections c WHERE {_COLLECTION} AND c.owner_id = $2 AND NOT c.saved", collection_id, owner_id
    )
    if not deleted:
        raise NotFoundError("collection")


async def _lock_owner(tx: Transaction, owner_id: int) -> None:
    if not await account_locks.lock(tx, [owner_id]):
        raise NotFoundError("user")


async def _insert(tx: Transaction, owner_id: int, title: str, *, public: bool, saved: bool) -> Row:
    row = await tx.insert(
        ids.shard_of(owner_id),
        f"""
        WITH a AS (
            SELECT shard, id, username, display_name, avatar_sha256 FROM users
            WHERE shard = {shard("$1")} AND id = $2 AND deleted_at IS NULL),
        c AS (
            INSERT INTO collections (shard, id, owner_id, title, public, saved)
            SELECT a.shard, $1, a.id, $3, $4, $5 FROM a
            ON CONFLICT (id, shard) DO NOTHING RETURNING *)
        SELECT {COLUMNS} FROM c CROSS JOIN a""",
        owner_id,
        title,
        public,
        saved,
    )
    if row is None:
        raise NotFoundError("user")
    return row


def collection_of(row: Row | None) -> Collection:
    """Return the collection of a row of `COLUMNS`; raise `NotFoundError("collection")` for None."""
    if row is None:
        raise NotFoundError("collection")
    return Collection(
        id=row["id"],
        owner=user_summary_of(row, "owner_id"),
        title=row["title"],
        public=row["public"],
        created_at=row["created_at"],
    )
