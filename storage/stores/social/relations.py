"""The relation of a viewer to another account, and what it lets the viewer see.

All of it is read from the shard of the other account: follows, blocks, mutes and close friends have a row there.
"""

from __future__ import annotations

from collections.abc import Collection

from storage.models import Relation, StarState, User
from storage.postgres.database import Queryable
from storage.postgres.sharding import shard, shards
from storage.postgres.visibility import presence, published
from storage.stores import account_lists

_OTHER = shard("$2")
_PUBLISHED, _PRESENCE = published(_OTHER), presence(_OTHER)


async def relation(db: Queryable, viewer_id: int, other_id: int) -> Relation:
    """Return a viewer's relation to another user; every field is False for the viewer's own account."""
    (row,) = await db.fetch(f"SELECT {relation_to_other()}", viewer_id, other_id)
    return Relation(**dict(row))


async def to_others(db: Queryable, viewer_id: int, other_ids: Collection[int]) -> dict[int, Relation]:
    """Return a viewer's relations to other users by id, as `relation` does for one."""
    if not other_ids:
        return {}
    rows = await db.fetch(
        f"SELECT a.id, {relation_to_other('', 'a.id', 'a.shard')} FROM users a "
        "WHERE a.shard = ANY($2::integer[]) AND a.id = ANY($3::bigint[])",
        viewer_id,
        shards(other_ids),
        list(other_ids),
    )
    found = {row["id"]: {name: value for name, value in row.items() if name != "id"} for row in rows}
    return {other_id: Relation(**found.get(other_id, {})) for other_id in other_ids}


async def requesters(db: Queryable, viewer_id: int, other_ids: Collection[int]) -> set[int]:
    """Return those of other users who ask to follow the viewer."""
    rows = await db.fetch(
        f"SELECT r.follower_id FROM follow_requests r WHERE r.shard = {shard('$1')} AND r.followee_id = $1 "
        "AND r.follower_id = ANY($2::bigint[])",
        viewer_id,
        list(other_ids),
    )
    return {row["follower_id"] for row in rows}


def relation_to_other(prefix: str = "", other: str = "$2", in_shard: str = _OTHER) -> str:
    """Return the columns of the relation of the viewer $1 to an account; `prefix` begins each.

    `other` and `in_shard` are the SQL expressions of the account's id and shard.
    """
    return (
        f"EXISTS (SELECT 1 FROM followers f "
        f"WHERE f.shard = {in_shard} AND f.followee_id = {other} AND f.follower_id = $1) "
        f"AS {prefix}following, "
        f"EXISTS (SELECT 1 FROM follow_requests r "
        f"WHERE r.shard = {in_shard} AND r.followee_id = {other} AND r.follower_id = $1) "
        f"AS {prefix}requested, "
        f"EXISTS (SELECT 1 FROM following f "
        f"WHERE f.shard = {in_shard} AND f.follower_id = {other} AND f.followee_id = $1) "
        f"AS {prefix}followed_by, "
        f"EXISTS (SELECT 1 FROM blocks b WHERE b.shard = {in_shard} AND b.owner_id = {other} AND b.other_id = $1 "
        f"AND NOT b.outgoing) AS {prefix}blocking, "
        f"EXISTS (SELECT 1 FROM mutes m WHERE m.shard = {in_shard} AND m.owner_id = {other} AND m.other_id = $1 "
        f"AND NOT m.outgoing) AS {prefix}muting, "
        f"EXISTS (SELECT 1 FROM close_friends c WHERE c.shard = {in_shard} AND c.owner_id = {other} "
        f"AND c.other_id = $1 AND NOT c.outgoing) AS {prefix}close_friend, "
        f"EXISTS (SELECT 1 FROM followers f "
        f"WHERE f.shard = {in_shard} AND f.followee_id = {other} AND f.follower_id = $1 "
        f"AND f.bell) AS {prefix}bell"
    )


async def in_home_feed(db: Queryable, viewer_id: int, author_id: int) -> tuple[bool, StarState | None]:
    """Return whether an author's photos belong to a viewer's home feed, and whether the author is a star."""
    row = await db.fetchrow(
        f"SELECT {relation_to_other()}, "
        f"(SELECT s.state FROM stars s WHERE s.shard = {_OTHER} AND s.author_id = $2) AS star",
        viewer_id,
        author_id,
    )
    if row is None:
        return False, None
    wanted = viewer_id == author_id or (row["following"] and not row["muting"] and not row["blocking"])
    return wanted, None if row["star"] is None else StarState(row["star"])


async def may_see(db: Queryable, viewer_id: int | None, owner_id: int) -> bool:
    """Return whether a viewer, None for a visitor, may see an account's photos."""
    return await _is_visible(db, _PUBLISHED, viewer_id, owner_id)


async def may_see_photos_and_presence(db: Queryable, viewer_id: int, owner_id: int) -> tuple[bool, bool]:
    """Return whether a viewer may see an account's photos, and whether its presence."""
    row = await db.fetchrow(
        f"SELECT ({_PUBLISHED}) AS photos, ({_PRESENCE}) AS presence FROM users a "
        f"WHERE a.shard = {_OTHER} AND a.id = $2",
        viewer_id,
        owner_id,
    )
    return (False, False) if row is None else (row["photos"], row["presence"])


async def may_see_presence(db: Queryable, viewer_id: int | None, owner_id: int) -> bool:
    """Return whether a viewer, None for a visitor, may see a user's presence."""
    return await _is_visible(db, _PRESENCE, viewer_id, owner_id)


async def followers(
    db: Queryable, user_id: int, *, before: int | None, limit: int, viewer_id: int | None = None
) -> list[User]:
    """Return followers, newest account first, with ids below `before`, without accounts hidden from the viewer."""
    return await _users(db, "followers", "followee_id", "follower_id", (viewer_id, user_id, before, limit))


async def following(
    db: Queryable, user_id: int, *, before: int | None, limit: int, viewer_id: int | None = None
) -> list[User]:
    """Return followed users, newest account first, with ids below `before`, without those hidden from the viewer."""
    return await _users(db, "following", "follower_id", "followee_id", (viewer_id, user_id, before, limit))


async def requests(db: Queryable, user_id: int, *, before: int | None, limit: int) -> list[User]:
    """Return the users with an open follow request to a private user, newest account first, ids below `before`."""
    return await _users(db, "follow_requests", "followee_id", "follower_id", (user_id, user_id, before, limit))


async def close_friends(db: Queryable, user_id: int, *, before: int | None, limit: int) -> list[User]:
    """Return a user's close friends, newest account first, with ids below `before`."""
    return await _users(db, "close_friends", "outgoing AND owner_id", "other_id", (user_id, user_id, before, limit))


async def blocks(db: Queryable, user_id: int, *, before: int | None, limit: int) -> list[User]:
    """Return the users that a user blocks, newest account first, with ids below `before`; also those who block back."""
    return await _users(db, "blocks", "outgoing AND owner_id", "other_id", (None, user_id, before, limit))


async def mutes(db: Queryable, user_id: int, *, before: int | None, limit: int) -> list[User]:
    """Return the users that a user mutes, newest account first, with ids below `before`; also those who block back."""
    return await _users(db, "mutes", "outgoing AND owner_id", "other_id", (None, user_id, before, limit))


async def _is_visible(db: Queryable, condition: str, viewer_id: int | None, owner_id: int) -> bool:
    visible: bool = await db.fetchval(
        f"SELECT EXISTS (SELECT 1 FROM users a WHERE a.shard = {_OTHER} AND a.id = $2 AND {condition})",
        viewer_id,
        owner_id,
    )
    return visible


async def _users(
    db: Queryable, table: str, owner: str, other: str, args: tuple[int | None, int, int | None, int]
) -> list[User]:
    viewer_id, user_id, before, limit = args
    found: list[User] = []
    # Some of a page may be hidden from the viewer; the rest of it is read below them.
    while len(found) < limit:
        rows = await db.fetch(
            f"SELECT {other} AS id FROM {table} WHERE shard = {shard('$1')} AND {owner} = $1 "
            f"AND ($2::bigint IS NULL OR {other} < $2) ORDER BY {other} DESC LIMIT $3",
            user_id,
            before,
            limit,
        )
        shown = await account_lists.shown(db, [row["id"] for row in rows], viewer_id=viewer_id)
        found += [shown[row["id"]] for row in rows if row["id"] in shown]
        if len(rows) < limit:
            break
        before = rows[-1]["id"]
    return found[:limit]
