"""Erasure of a deleted account's follows, requests, blocks, mutes and close friends, in the shards of both sides.

Its memberships in lists of others, in the shards of these, are erased in the same way. Its own lists are in its shard
alone (`storage.stores.accounts.erasure`).
"""

from __future__ import annotations

from typing import NamedTuple

from storage.postgres.database import Transaction
from storage.postgres.sharding import shard, shards


class Side(NamedTuple):
    """A table with one side of edges: the columns of the account in whose shard a row is, and of the other account.

    `counter` is the column of `users` that counts the owner's rows, if there is one.
    """

    table: str
    owner: str
    other: str
    counter: str | None = None


class Edges(NamedTuple):
    """Edges of one kind between an account and others; `own` is its side of them, None where it has no row."""

    own: Side | None
    theirs: Side
    others: list[int]


_FOLLOWING = Side("following", "follower_id", "followee_id", "following")
_FOLLOWERS = Side("followers", "followee_id", "follower_id", "followers")
_REQUESTS = Side("follow_requests", "followee_id", "follower_id")
_BLOCKS = Side("blocks", "owner_id", "other_id")
_MUTES = Side("mutes", "owner_id", "other_id")
_CLOSE_FRIENDS = Side("close_friends", "owner_id", "other_id")
_LIST_MEMBERS = Side("list_members", "owner_id", "account_id")
# The account's side and that of the other one.
_KINDS = (
    (_FOLLOWING, _FOLLOWERS),
    (_FOLLOWERS, _FOLLOWING),
    (_BLOCKS, _BLOCKS),
    (_MUTES, _MUTES),
    (_CLOSE_FRIENDS, _CLOSE_FRIENDS),
)


async def find(tx: Transaction, user_id: int, *, limit: int) -> Edges | None:
    """Return edges of the first kind that the account has, with up to `limit` others, or None if it has none.

    The caller locks the accounts before it deletes the edges. Neither the requests to the account nor its own lists are
    among them: they are in its shard alone.
    """
    for own, theirs in _KINDS:
        rows = await tx.fetch(
            f"SELECT DISTINCT {own.other} AS id FROM {own.table} WHERE shard = {shard('$1')} AND {own.owner} = $1 "
            "LIMIT $2",
            user_id,
            limit,
        )
        if rows:
            return Edges(own, theirs, [row["id"] for row in rows])
    rows = await tx.fetch(
        "/* all shards: the requests of a deleted account */ "
        "SELECT followee_id AS id FROM follow_requests WHERE follower_id = $1 LIMIT $2",
        user_id,
        limit,
    )
    if rows:
        return Edges(None, _REQUESTS, [row["id"] for row in rows])
    rows = await tx.fetch(
        "/* all shards: the lists that have a deleted account */ "
        "SELECT DISTINCT owner_id AS id FROM list_members WHERE account_id = $1 LIMIT $2",
        user_id,
        limit,
    )
    return Edges(None, _LIST_MEMBERS, [row["id"] for row in rows]) if rows else None


async def delete(tx: Transaction, user_id: int, edges: Edges) -> None:
    """Delete edges on both sides and count them; all accounts are locked (`storage.stores.account_locks`)."""
    own, theirs, others = edges
    named = f"{theirs.table} WHERE shard = ANY($1::integer[]) AND {theirs.owner} = ANY($2::bigint[]) "
    condition = f"AND {theirs.other} = $3"
    arguments = (shards(others), others, user_id)
    if theirs.counter is None:
        await tx.execute(f"DELETE FROM {named} {condition}", *arguments)
    else:
        await tx.execute(
            f"""
            WITH gone AS (DELETE FROM {named} {condition} RETURNING shard, {theirs.owner} AS id)
            UPDATE users u SET {theirs.counter} = u.{theirs.counter} - 1
            FROM gone WHERE u.shard = ANY($1::integer[]) AND u.shard = gone.shard AND u.id = gone.id""",
            *arguments,
        )
    if own is not None:
        await _delete_own(tx, user_id, own, others)


async def _delete_own(tx: Transaction, user_id: int, own: Side, others: list[int]) -> None:
    deleted = await tx.execute(
        f"DELETE FROM {own.table} WHERE shard = {shard('$1')} AND {own.owner} = $1 AND {own.other} = ANY($2::bigint[])",
        user_id,
        others,
    )
    if own.counter is not None:
        await tx.execute(
            f"UPDATE users SET {own.counter} = {own.counter} - $2 WHERE shard = {shard('$1')} AND id = $1",
            user_id,
            deleted,
        )
