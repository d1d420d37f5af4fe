"""Collections of many users, and collections by their ids, each with one statement.

The rules are those of `storage.stores.saved.photo_collections`, which reads the collections of one user.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from storage.ids import MAX_ID
from storage.models import Collection
from storage.postgres.database import Queryable
from storage.postgres.sharding import shards
from storage.postgres.visibility import published
from storage.stores.saved.photo_collections import COLUMNS, collection_of


async def by_ids(db: Queryable, collection_ids: Sequence[int], *, viewer_id: int | None) -> dict[int, Collection]:
    """Return those collections that the viewer may see, by id; see `photo_collections.get`."""
    rows = await db.fetch(
        f"SELECT {COLUMNS} FROM collections c JOIN users a ON a.id = c.owner_id AND a.shard = c.shard "
        "WHERE c.shard = ANY($2::integer[]) AND c.id = ANY($3::bigint[]) AND NOT c.saved "
        f"AND (c.owner_id = $1 OR c.public) AND {published('a.shard')}",
        viewer_id,
        shards(collection_ids),
        list(collection_ids),
    )
    return {row["id"]: collection_of(row) for row in rows}


async def of_owners(
    db: Queryable, starts: Mapping[int, int | None], *, viewer_id: int | None, limit: int
) -> dict[int, list[Collection]]:
    """Return up to `limit` collections of each user with ids below the start that the viewer may see, newest first."""
    rows = await db.fetch(
        f"""
        SELECT kept.* FROM unnest($3::bigint[], $4::bigint[]) AS parent (id, below)
        JOIN users a ON a.id = parent.id
        CROSS JOIN LATERAL (
            SELECT {COLUMNS} FROM collections c
            WHERE c.shard = a.shard AND c.owner_id = a.id AND NOT c.saved AND (c.owner_id = $1 OR c.public)
              AND c.id < parent.below
            ORDER BY c.id DESC LIMIT $5) AS kept
        WHERE a.shard = ANY($2::integer[]) AND {published("a.shard")} ORDER BY kept.id DESC""",
        viewer_id,
        shards(starts),
        list(starts),
        [MAX_ID if below is None else below for below in starts.values()],
        limit,
    )
    found: defaultdict[int, list[Collection]] = defaultdict(list)
    for row in rows:
        found[row["owner_id"]].append(collection_of(row))
    return found
