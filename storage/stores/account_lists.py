"""Accounts of many shards by id, for lists that name them: likes, followers, comments, notifications, search.

The rows of such a list are in the shard of their photo or user, and the accounts in other shards. So a list reads the
ids first, and then the accounts with one statement. On a cluster it is sent to the shards of these accounts.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from storage.models import User, UserSummary
from storage.postgres.database import Queryable
from storage.postgres.rows import USER, USER_SUMMARY, user_of, user_summary_of
from storage.postgres.sharding import shards
from storage.postgres.visibility import findable as findable_condition
from storage.postgres.visibility import known

_NAMED = "a.shard = ANY($2::integer[]) AND a.id = ANY($3::bigint[])"
_KNOWN = known("a.shard")
_FINDABLE = findable_condition("a.shard")


async def shown(db: Queryable, user_ids: Collection[int], *, viewer_id: int | None) -> dict[int, User]:
    """Return the accounts that a list may show to the viewer (None for a visitor), by id."""
    rows = await _read(db, f"SELECT {USER} FROM users a WHERE {_NAMED} AND {_KNOWN}", user_ids, viewer_id)
    return {row["id"]: user_of(row) for row in rows}


async def findable(db: Queryable, user_ids: Collection[int], *, viewer_id: int | None) -> dict[int, User]:
    """Return the accounts that a search may show to the viewer (None for a visitor), by id."""
    rows = await _read(db, f"SELECT {USER} FROM users a WHERE {_NAMED} AND {_FINDABLE}", user_ids, viewer_id)
    return {row["id"]: user_of(row) for row in rows}


async def summaries(
    db: Queryable, user_ids: Collection[int], *, viewer_id: int | None = None
) -> dict[int, UserSummary]:
    """Return the accounts that a list may show to the viewer, in their short form, by id.

    Without a viewer these are all that are neither deleted nor suspended.
    """
    rows = await _read(db, f"SELECT {USER_SUMMARY} FROM users a WHERE {_NAMED} AND {_KNOWN}", user_ids, viewer_id)
    return {row["id"]: user_summary_of(row) for row in rows}


async def actors(db: Queryable, user_ids: Collection[int]) -> tuple[dict[int, UserSummary], set[int]]:
    """Return the accounts that are neither deleted nor suspended in their short form, and which of them are limited."""
    sql = f"SELECT {USER_SUMMARY}, a.limited_at IS NOT NULL AS limited FROM users a WHERE {_NAMED} AND {_KNOWN}"
    rows = await _read(db, sql, user_ids, None)
    return {row["id"]: user_summary_of(row) for row in rows}, {row["id"] for row in rows if row["limited"]}


async def hidden(db: Queryable, user_ids: Collection[int], *, viewer_id: int | None) -> set[int]:
    """Return which of the accounts a list may not show to the viewer: deleted, suspended and blocked ones."""
    rows = await _read(db, f"SELECT a.id FROM users a WHERE {_NAMED} AND NOT ({_KNOWN})", user_ids, viewer_id)
    return {row["id"] for row in rows}


async def _read(db: Queryable, sql: str, user_ids: Collection[int], viewer_id: int | None) -> Any:
    if not user_ids:
        return []
    return await db.fetch(sql, viewer_id, shards(user_ids), list(user_ids))
