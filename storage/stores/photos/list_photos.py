"""The photos of a list: those of its accounts that the owner may see, newest first, read when they are requested."""

from __future__ import annotations

from collections.abc import Sequence

from storage.ids import MAX_ID
from storage.models import Photo
from storage.postgres.database import Queryable
from storage.postgres.sharding import shards
from storage.postgres.visibility import addressed, published, unmuted
from storage.stores.photos import photo_lists
from storage.stores.social import list_members


async def page(db: Queryable, list_id: int, *, owner_id: int, before: int | None, limit: int) -> list[Photo]:
    """Return photos of the accounts in the owner's own list, with ids below `before`, without those of muted accounts.

    Raises `NotFoundError("list")`.
    """
    accounts = await list_members.ids(db, list_id, owner_id=owner_id)

    async def read_ids(below: int | None, wanted: int) -> list[int]:
        return await _newest_ids(db, owner_id, accounts, before=below, limit=wanted)

    return await photo_lists.filled(db, read_ids, viewer_id=owner_id, before=before, limit=limit)


async def _newest_ids(
    db: Queryable, viewer_id: int, accounts: Sequence[int], *, before: int | None, limit: int
) -> list[int]:
    """Return the newest ids that a list may show to the viewer, of photos of these accounts.

    At most `limit` ids of each account are read from the index, so that the cost of a page does not depend on the
    number of photos.
    """
    if not accounts:
        return []
    # The conditions are those of `visibility.shown`; those on the account are checked once for all of its photos.
    rows = await db.fetch(
        f"""
        SELECT own.id FROM users a
        CROSS JOIN LATERAL (
            SELECT p.id FROM photos p
            WHERE p.shard = a.shard AND p.author_id = a.id AND p.id < $4
              AND p.state = 'ready' AND p.deleted_at IS NULL AND {addressed("a.shard")}
            ORDER BY p.id DESC LIMIT $5
        ) AS own
        WHERE a.shard = ANY($2::integer[]) AND a.id = ANY($3::bigint[])
          AND {published("a.shard")} AND {unmuted("a.shard")}
        ORDER BY own.id DESC LIMIT $5""",
        viewer_id,
        shards(accounts),
        accounts,
        MAX_ID if before is None else before,
        limit,
    )
    return [row["id"] for row in rows]
