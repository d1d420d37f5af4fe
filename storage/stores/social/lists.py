"""Lists: accounts whose photos a user reads apart from the home feed. Only the owner knows of a list.

A list and its members (`storage.stores.social.list_members`) are in the shard of the owner. Members that are hidden,
since their accounts are deleted, are not counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from locales.sentences import sentence
from storage import ids
from storage.errors import ConflictError, NotFoundError
from storage.models import AccountList
from storage.postgres.database import Queryable, Transaction
from storage.postgres.rows import Row
from storage.postgres.sharding import shard
from storage.stores import account_lists, account_locks

MAX = 50  # lists of one user

_LIST = f"l.shard = {shard('$1')} AND l.id = $1 AND l.owner_id = $2"
_OWNED = f"l.shard = {shard('$1')} AND l.owner_id = $1"
_COLUMNS = (
    "l.id, l.title, l.created_at, "
    f"(SELECT count(*) FROM list_members m WHERE m.shard = {shard('$1')} AND m.list_id = l.id) AS accounts"
)


async def create(tx: Transaction, *, owner_id: int, title: str) -> AccountList:
    """Create an empty list; raise `NotFoundError("user")`, and `ConflictError` too_many_lists."""
    # The lock excludes another new list of the user, which would be counted by neither, and the account's deletion.
    if not await account_locks.lock(tx, [owner_id]):
        raise NotFoundError("user")
    number = await tx.fetchval(f"SELECT count(*) FROM lists l WHERE {_OWNED}", owner_id)
    if number >= MAX:
        raise ConflictError(
            "too_many_lists", sentence("You can have up to {most} lists. Delete one of them first.", most=MAX)
        )
    row = await tx.insert(
        ids.shard_of(owner_id),
        f"INSERT INTO lists (shard, id, owner_id, title) VALUES ({shard('$1')}, $1, $2, $3) "
        "ON CONFLICT (id, shard) DO NOTHING RETURNING id, title, created_at, 0 AS accounts",
        owner_id,
        title,
    )
    return _list_of(row)


async def get(db: Queryable, list_id: int, *, owner_id: int) -> AccountList:
    """Return the owner's own list; raise `NotFoundError("list")` for any other."""
    found = _list_of(await db.fetchrow(f"SELECT {_COLUMNS} FROM lists l WHERE {_LIST}", list_id, owner_id))
    (counted,) = await _without_hidden(db, [found], owner_id)
    return counted


async def by_ids(db: Queryable, list_ids: Sequence[int], *, owner_id: int) -> list[AccountList]:
    """Return those of these lists that are the owner's own."""
    rows = await db.fetch(
        f"SELECT {_COLUMNS} FROM lists l WHERE {_OWNED} AND l.id = ANY($2::bigint[])", owner_id, list(list_ids)
    )
    return await _without_hidden(db, [_list_of(row) for row in rows], owner_id)


async def page(db: Queryable, owner_id: int, *, before: int | None, limit: int) -> list[AccountList]:
    """Return a user's lists, newest first, with ids below `before`."""
    rows = await db.fetch(
        f"SELECT {_COLUMNS} FROM lists l WHERE {_OWNED} AND l.id < $2 ORDER BY l.id DESC LIMIT $3",
        owner_id,
        ids.MAX_ID if before is None else before,
        limit,
    )
    return await _without_hidden(db, [_list_of(row) for row in rows], owner_id)


async def with_account(db: Queryable, owner_id: int, account_id: int) -> list[AccountList]:
    """Return a user's lists that contain an account, newest first."""
    rows = await db.fetch(
        f"SELECT {_COLUMNS} FROM lists l WHERE {_OWNED} AND EXISTS (SELECT 1 FROM list_members c "
        f"WHERE c.shard = {shard('$1')} AND c.list_id = l.id AND c.account_id = $2) ORDER BY l.id DESC",
        owner_id,
        account_id,
    )
    return await _without_hidden(db, [_list_of(row) for row in rows], owner_id)


async def rename(tx: Transaction, list_id: int, *, owner_id: int, title: str) -> AccountList:
    """Change the title of the owner's own list; raise `NotFoundError("list")`."""
    row = await tx.fetchrow(f"UPDATE lists l SET title = $3 WHERE {_LIST} RETURNING l.id", list_id, owner_id, title)
    if row is None:
        raise NotFoundError("list")
    return await get(tx, list_id, owner_id=owner_id)


async def delete(tx: Transaction, list_id: int, *, owner_id: int) -> None:
    """Delete the owner's own list with its members; raise `NotFoundError("list")`."""
    if not await tx.execute(f"DELETE FROM lists l WHERE {_LIST}", list_id, owner_id):
        raise NotFoundError("list")


async def _without_hidden(db: Queryable, lists: Sequence[AccountList], owner_id: int) -> list[AccountList]:
    """Return lists whose members that are hidden are not counted; a block has ended the memberships of both sides."""
    if not any(each.accounts for each in lists):
        return list(lists)
    rows = await db.fetch(
        "SELECT m.list_id, m.account_id FROM list_members m "
        f"WHERE m.shard = {shard('$1')} AND m.owner_id = $1 AND m.list_id = ANY($2::bigint[])",
        owner_id,
        [each.id for each in lists if each.accounts],
    )
    hidden = await account_lists.hidden(db, {row["account_id"] for row in rows}, viewer_id=owner_id)
    gone = Counter(row["list_id"] for row in rows if row["account_id"] in hidden)
    return [replace(each, accounts=each.accounts - gone[each.id]) for each in lists]


def _list_of(row: Row | None) -> AccountList:
    if row is None:
        raise NotFoundError("list")
    return AccountList(id=row["id"], title=row["title"], accounts=row["accounts"], created_at=row["created_at"])
