"""Profiles: accounts as a viewer sees them, read with one statement once their ids are known."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields
from typing import NamedTuple

from storage.errors import NotFoundError
from storage.models import Relation, User
from storage.postgres.database import Queryable
from storage.postgres.rows import USER, Row, user_of
from storage.postgres.sharding import shard, shards
from storage.postgres.visibility import presence, profile
from storage.stores.accounts import users
from storage.stores.social.relations import relation_to_other

_PREFIX = "relation_"  # an account has a column `following`, too
_OWNER = shard("$2")


class Profile(NamedTuple):
    """An account, the viewer's relation to it, and whether the viewer may see its presence."""

    user: User
    relation: Relation
    presence_visible: bool


async def find(db: Queryable, name_or_id: str, *, viewer_id: int | None) -> Profile:
    """Return the profile of the account that `users.find` returns; raises the same."""
    return await users.by_name_or_id(db, name_or_id, lambda user_id: _read(db, user_id, viewer_id))


async def by_ids(db: Queryable, user_ids: Collection[int], *, viewer_id: int | None) -> dict[int, Profile]:
    """Return the profiles of these accounts by id, without those that `find` would not return."""
    if not user_ids:
        return {}
    relation = relation_to_other(_PREFIX, "a.id", "a.shard")
    rows = await db.fetch(
        f"SELECT {USER}, {relation}, ({presence('a.shard')}) IS TRUE AS presence_visible FROM users a "
        f"WHERE a.shard = ANY($2::integer[]) AND a.id = ANY($3::bigint[]) AND {profile('a.shard')}",
        viewer_id,
        shards(user_ids),
        list(user_ids),
    )
    return {row["id"]: _profile(row) for row in rows}


async def _read(db: Queryable, user_id: int, viewer_id: int | None) -> Profile:
    # The condition of the presence is NULL for a visitor.
    row = await db.fetchrow(
        f"SELECT {USER}, {relation_to_other(_PREFIX)}, ({presence(_OWNER)}) IS TRUE AS presence_visible "
        f"FROM users a WHERE a.shard = {_OWNER} AND a.id = $2 AND {profile(_OWNER)}",
        viewer_id,
        user_id,
    )
    if row is None:
        raise NotFoundError("user")
    return _profile(row)


def _profile(row: Row) -> Profile:
    columns = dict(row)
    visible: bool = columns.pop("presence_visible")
    relation = Relation(**{field.name: columns.pop(_PREFIX + field.name) for field in fields(Relation)})
    return Profile(user_of(columns), relation, visible)
