"""The accounts in lists: rows in the shard of the list's owner.

Any account that the owner may know of can be a member, followed or not. A block in either direction ends the
membership, and so does the erasure of the account (`storage.stores.social.edge_erasure`). A mute does not: the account
stays in the list, and its photos are left out until the mute ends.
"""

from __future__ import annotations

from locales.sentences import sentence
from storage.errors import ConflictError, NotFoundError
from storage.models import User
from storage.postgres.database import Queryable, Transaction
from storage.postgres.sharding import shard
from storage.stores import account_lists, account_locks
from storage.stores.social import lists

MAX = 500  # accounts in one list, because a page reads the newest photos of each

_SHARD = shard("$1")


async def add(tx: Transaction, list_id: int, account_id: int, *, owner_id: int) -> bool:
    """Add an account to the owner's own list; return False if it is in there.

    Raises `NotFoundError`: "list" for one of another user, "user" for an unknown account and if either blocks the
    other; and `ConflictError`: not_in_your_own_list, list_full.
    """
    # The locks exclude another addition by the owner, which would be counted by neither, a block, and a deletion.
    locked = await account_locks.lock(tx, [owner_id, account_id])
    row = await tx.fetchrow(
        f"""
        SELECT (SELECT count(*) FROM list_members m WHERE m.shard = {_SHARD} AND m.list_id = $1) AS number,
            EXISTS (SELECT 1 FROM list_members m
                    WHERE m.shard = {_SHARD} AND m.list_id = $1 AND m.account_id = $2) AS there,
            EXISTS (SELECT 1 FROM blocks b
                    WHERE b.shard = {_SHARD} AND b.owner_id = $3 AND b.other_id = $2) AS blocked
        FROM lists l WHERE l.shard = {_SHARD} AND l.id = $1 AND l.owner_id = $3 FOR KEY SHARE""",
        list_id,
        account_id,
        owner_id,
    )
    if row is None:
        raise NotFoundError("list")
    if owner_id == account_id:
        raise ConflictError("not_in_your_own_list", "You cannot add your own account to a list.")
    if len(locked) != 2 or row["blocked"]:
        raise NotFoundError("user")
    if row["there"]:
        return False
    if row["number"] >= MAX:
        raise ConflictError(
            "list_full", sentence("A list can have up to {most} accounts. Remove one of them first.", most=MAX)
        )
    await tx.execute(
        f"INSERT INTO list_members (shard, list_id, account_id, owner_id) VALUES ({_SHARD}, $1, $2, $3)",
        list_id,
        account_id,
        owner_id,
    )
    return True


async def remove(tx: Transaction, list_id: int, account_id: int, *, owner_id: int) -> bool:
    """Remove an account from the owner's own list; return False if it is not in there.

    Raises `NotFoundError("list")`.
    """
    await lists.get(tx, list_id, owner_id=owner_id)
    return bool(
        await tx.execute(
            f"DELETE FROM list_members WHERE shard = {_SHARD} AND list_id = $1 AND account_id = $2", list_id, account_id
        )
    )


async def end(tx: Transaction, owner_id: int, account_id: int) -> None:
    """Remove an account from all lists of a user; both accounts are locked."""
    await tx.execute(
        f"DELETE FROM list_members WHERE shard = {_SHARD} AND owner_id = $1 AND account_id = $2", owner_id, account_id
    )


async def ids(db: Queryable, list_id: int, *, owner_id: int) -> list[int]:
    """Return the accounts in the owner's own list; raise `NotFoundError("list")`."""
    rows = await db.fetch(
        f"SELECT m.account_id FROM lists l LEFT JOIN list_members m ON m.shard = {_SHARD} AND m.list_id = l.id "
        f"WHERE l.shard = {_SHARD} AND l.id = $1 AND l.owner_id = $2",
        list_id,
        owner_id,
    )
    if not rows:
        raise NotFoundError("list")
    # A list without members has one row, without an account.
    return [row["account_id"] for row in rows if row["account_id"] is not None]


async def page(db: Queryable, list_id: int, *, owner_id: int, before: int | None, limit: int) -> list[User]:
    """Return the accounts in the owner's own list, newest account first, with ids below `before`.

    Deleted accounts are left out. Raises `NotFoundError("list")`.
    """
    await lists.get(db, list_id, owner_id=owner_id)
    found: list[User] = []
    while len(found) < limit:
        rows = await db.fetch(
            f"SELECT account_id FROM list_members WHERE shard = {_SHARD} AND list_id = $1 "
            "AND ($2::bigint IS NULL OR account_id < $2) ORDER BY account_id DESC LIMIT $3",
            list_id,
            before,
            limit,
        )
        shown = await account_lists.shown(db, [row["account_id"] for row in rows], viewer_id=owner_id)
        found += [shown[row["account_id"]] for row in rows if row["account_id"] in shown]
        if len(rows) < limit:
            break
        before = rows[-1]["account_id"]
    return found[:limit]
