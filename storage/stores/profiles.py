"""Profiles: an account as a viewer sees it, read with one statement."""

from __future__ import annotations

from dataclasses import fields
from typing import NamedTuple

from storage.errors import NotFoundError
from storage.models import Relation, User
from storage.postgres.database import Queryable
from storage.postgres.rows import USER, user_of
from storage.postgres.visibility import PRESENCE
from storage.stores import users
from storage.stores.relations import relation_to

_PREFIX = "relation_"  # an account has a column `following`, too


class Profile(NamedTuple):
    """An account, the viewer's relation to it, and whether the viewer may see its presence."""

    user: User
    relation: Relation
    presence_visible: bool


async def find(db: Queryable, name_or_id: str, *, viewer_id: int | None) -> Profile:
    """Return the profile of the account that `users.find` returns; raises the same."""
    # The condition is NULL for a visitor.
    row = await db.fetchrow(
        f"SELECT {USER}, {relation_to('a.id', _PREFIX)}, ({PRESENCE}) IS TRUE AS presence_visible FROM {users.NAMED}",
        viewer_id,
        users.id_of(name_or_id),
        name_or_id,
    )
    if row is None:
        raise NotFoundError("user")
    columns = dict(row)
    visible: bool = columns.pop("presence_visible")
    relation = Relation(**{field.name: columns.pop(_PREFIX + field.name) for field in fields(Relation)})
    return Profile(user_of(columns), relation, visible)
