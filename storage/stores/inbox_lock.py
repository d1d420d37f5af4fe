"""The lock of an inbox: the row of its recipient in `inboxes`.

Every writer of an inbox takes it first, so they run one after the other; different inboxes never wait for each other.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from datetime import datetime

from storage.errors import NotFoundError
from storage.ids import shard_of
from storage.postgres.database import Database, Transaction
from storage.postgres.row_locks import LockableRow, RowLock
from storage.postgres.sharding import shard

_LOCK = f"SELECT clock_timestamp() AS now FROM inboxes WHERE shard = {shard('$1')} AND user_id = $1 FOR UPDATE"
_INSERT = f"INSERT INTO inboxes (shard, user_id) VALUES ({shard('$1')}, $1) ON CONFLICT (user_id, shard) DO NOTHING"


async def acquire(tx: Transaction, recipient_id: int) -> datetime:
    """Lock an inbox until the transaction ends; `hold` holds the same lock for longer.

    Return the time at which the lock was asked for: PostgreSQL evaluates it before it waits for the row.
    """
    locked: datetime | None = await tx.fetchval(_LOCK, recipient_id)
    if locked is None:
        await tx.execute(_INSERT, recipient_id)
        locked = await tx.fetchval(_LOCK, recipient_id)
    if locked is None:
        raise NotFoundError("user")
    return locked


def hold(db: Database, recipient_id: int) -> AbstractAsyncContextManager[RowLock]:
    """Hold the lock of an inbox for transactions that are opened with it, and for what follows their commit."""
    shard_id, user_id = shard_of(recipient_id), int(recipient_id)
    return db.locked(
        LockableRow(
            name=f"the inbox {user_id}",
            select=f"SELECT 1 FROM inboxes WHERE shard = {shard_id} AND user_id = {user_id} FOR UPDATE SKIP LOCKED",
            insert=f"INSERT INTO inboxes (shard, user_id) VALUES ({shard_id}, {user_id}) "
            "ON CONFLICT (user_id, shard) DO NOTHING",
        )
    )
