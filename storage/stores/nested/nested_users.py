"""Users below many parents, each with one statement: who like photos, follow accounts, or are in lists.

The rules are those of `storage.stores.photos.likes`, `relations` and `list_members`, which read one list.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from storage.ids import MAX_ID
from storage.models import UserSummary
from storage.postgres.database import Queryable
from storage.postgres.rows import Row
from storage.postgres.sharding import shards
from storage.postgres.visibility import published, readable
from storage.stores import account_lists
from storage.stores.nested.nested_lists import filled

# The account `a` is one of the parents, and the viewer may see its photos and the users that it is connected with.
_PARENTS = "FROM unnest($3::bigint[], $4::bigint[]) AS parent (id, below)"
_ACCOUNTS = f"{_PARENTS} JOIN users a ON a.id = parent.id"
_VISIBLE = f"a.shard = ANY($2::integer[]) AND {published('a.shard')}"
_FOLLOWERS = f"""
    SELECT a.id AS parent_id, f.position, f.position AS user_id {_ACCOUNTS}
    CROSS JOIN LATERAL (
        SELECT f.follower_id AS position FROM followers f
        WHERE f.shard = a.shard AND f.followee_id = a.id AND f.follower_id < parent.below
        ORDER BY f.follower_id DESC LIMIT $5) AS f
    WHERE {_VISIBLE} ORDER BY f.position DESC"""
_FOLLOWING = f"""
    SELECT a.id AS parent_id, f.position, f.position AS user_id {_ACCOUNTS}
    CROSS JOIN LATERAL (
        SELECT f.followee_id AS position FROM following f
        WHERE f.shard = a.shard AND f.follower_id = a.id AND f.followee_id < parent.below
        ORDER BY f.followee_id DESC LIMIT $5) AS f
    WHERE {_VISIBLE} ORDER BY f.position DESC"""
_LIKERS = f"""
    SELECT p.id AS parent_id, l.position, l.user_id {_PARENTS}
    JOIN photos p ON p.id = parent.id JOIN users a ON a.id = p.author_id AND a.shard = p.shard
    CROSS JOIN LATERAL (
        SELECT l.version AS position, l.user_id FROM likes l
        WHERE l.shard = p.shard AND l.photo_id = p.id AND l.version < parent.below
        ORDER BY l.version DESC LIMIT $5) AS l
    WHERE p.shard = ANY($2::integer[]) AND {readable("a.shard")} ORDER BY l.position DESC"""

_MEMBERS = f"""
    SELECT l.id AS parent_id, m.position, m.position AS user_id {_PARENTS} JOIN lists l ON l.id = parent.id
    CROSS JOIN LATERAL (
        SELECT m.account_id AS position FROM list_members m
        WHERE m.shard = l.shard AND m.list_id = l.id AND m.account_id < parent.below
        ORDER BY m.account_id DESC LIMIT $5) AS m
    WHERE l.shard = ANY($2::integer[]) AND l.owner_id = $1 ORDER BY m.position DESC"""


class Listed(NamedTuple):
    """A user in a list, and the position below which the list goes on."""

    position: int
    user: UserSummary


Lists = dict[int, list[Listed]]


async def followers(db: Queryable, starts: Mapping[int, int | None], *, viewer_id: int | None, limit: int) -> Lists:
    """Return up to `limit` followers of each account with positions below the start, newest account first.

    An account whose photos the viewer may not see has none.
    """
    return await _read(db, _FOLLOWERS, starts, viewer_id=viewer_id, limit=limit)


async def following(db: Queryable, starts: Mapping[int, int | None], *, viewer_id: int | None, limit: int) -> Lists:
    """Return up to `limit` accounts that each account follows, as `followers` does."""
    return await _read(db, _FOLLOWING, starts, viewer_id=viewer_id, limit=limit)


async def likers(db: Queryable, starts: Mapping[int, int | None], *, viewer_id: int | None, limit: int) -> Lists:
    """Return up to `limit` users who like each photo, newest like first.

    A photo that the viewer may not see has none.
    """
    return await _read(db, _LIKERS, starts, viewer_id=viewer_id, limit=limit)


async def members(db: Queryable, starts: Mapping[int, int | None], *, owner_id: int, limit: int) -> Lists:
    """Return up to `limit` accounts in each of the owner's own lists, newest account first; others have none."""
    return await _read(db, _MEMBERS, starts, viewer_id=owner_id, limit=limit)


async def visible(db: Queryable, user_ids: Sequence[int], *, viewer_id: int | None) -> set[int]:
    """Return those accounts whose photos, followers and followed accounts the viewer may see."""
    rows = await db.fetch(
        f"SELECT a.id FROM users a WHERE a.id = ANY($3::bigint[]) AND {_VISIBLE}",
        viewer_id,
        shards(user_ids),
        list(user_ids),
    )
    return {row["id"] for row in rows}


async def _read(
    db: Queryable, sql: str, starts: Mapping[int, int | None], *, viewer_id: int | None, limit: int
) -> Lists:
    users: dict[int, UserSummary] = {}

    async def read(places: Mapping[int, int | None]) -> Mapping[int, Sequence[Row]]:
        below = [MAX_ID if place is None else place for place in places.values()]
        batches: defaultdict[int, list[Row]] = defaultdict(list)
        for row in await db.fetch(sql, viewer_id, shards(places), list(places), below, limit):
            batches[row["parent_id"]].append(row)
        return batches

    async def keep(rows: Sequence[Row]) -> Sequence[bool]:
        unknown = {row["user_id"] for row in rows} - users.keys()
        users.update(await account_lists.summaries(db, unknown, viewer_id=viewer_id))
        return [row["user_id"] in users for row in rows]

    found = await filled(starts, read, keep, lambda row: row["position"], limit=limit)
    return {
        parent: [Listed(position=row["position"], user=users[row["user_id"]]) for row in rows]
        for parent, rows in found.items()
    }
