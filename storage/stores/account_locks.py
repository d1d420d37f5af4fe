"""Locks on accounts: for changes of two of them, and against deletion while a row by or about a user is inserted.

Two accounts are locked one after the other, the one with the smaller id first, since they may be in different shards;
all transactions lock in this order, so none waits in a circle. Accounts are locked before photos
(`storage.stores.photos.photos`).

`users.remove` locks the account's row FOR UPDATE before it deletes anything. What belongs to the user is inserted under
a lock FOR KEY SHARE, on the condition that the account is not deleted. So the deletion waits for the insert and then
deletes its row too, or the insert waits for the deletion and inserts nothing. A foreign key takes the same lock, but
after the insert and without the condition. A like takes no lock: one that is committed after the deletion is found when
the grace period of the deletion ends (`storage.stores.accounts.erasure`).
"""

from __future__ import annotations

from collections.abc import Iterable

from storage.errors import NotFoundError
from storage.postgres.database import Transaction
from storage.postgres.sharding import shard

_LOCK_ANY = f"SELECT 1 FROM users WHERE shard = {shard('$1')} AND id = $1 {{condition}} FOR NO KEY UPDATE"
_LOCK = _LOCK_ANY.format(condition="AND deleted_at IS NULL")


async def lock(tx: Transaction, user_ids: Iterable[int]) -> set[int]:
    """Lock accounts against other changes of them, and return those that are not deleted."""
    return {user_id for user_id in sorted(set(user_ids)) if await tx.fetchval(_LOCK, user_id)}


async def require(tx: Transaction, user_id: int) -> None:
    """Lock an account against other changes of it; raise `NotFoundError("user")` if it is deleted."""
    if not await lock(tx, [user_id]):
        raise NotFoundError("user")


async def lock_all(tx: Transaction, user_ids: Iterable[int]) -> list[int]:
    """Lock accounts, deleted ones as well, and return them in the order in which they are locked."""
    ordered = sorted(set(user_ids))
    for user_id in ordered:
        await tx.execute(_LOCK_ANY.format(condition=""), user_id)
    return ordered


async def lock_against_inserts(tx: Transaction, user_id: int) -> None:
    """Lock an account so that rows by or about its user, such as sessions, wait until the end of the transaction."""
    await tx.execute(f"SELECT 1 FROM users WHERE shard = {shard('$1')} AND id = $1 FOR UPDATE", user_id)


async def lock_two(tx: Transaction, one_id: int, other_id: int) -> None:
    """Lock two accounts; raise `NotFoundError("user")` unless both exist."""
    if len(await lock(tx, [one_id, other_id])) != 2:
        raise NotFoundError("user")
