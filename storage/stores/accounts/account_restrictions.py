"""Limited and suspended accounts; `storage.postgres.visibility` has what others see of them.

A limited account is shown to its followers alone; a suspended one to nobody, and its user cannot sign in. Both are
changed under the account's lock, and can be undone.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from storage import ids
from storage.errors import NotFoundError
from storage.events import ActorVisibilityChanged, MediaPurge, UserChanged
from storage.models import Role
from storage.postgres.database import Queryable, Transaction
from storage.postgres.sharding import shard
from storage.stores.credentials import sessions
from storage.stores.discovery import search_index

_ACCOUNT = f"shard = {shard('$1')} AND id = $1 AND deleted_at IS NULL"


class Restrictions(NamedTuple):
    """Since when an account is limited and suspended, and its role."""

    limited_at: datetime | None
    suspended_at: datetime | None
    role: Role


async def get(db: Queryable, user_id: int) -> Restrictions | None:
    """Return the restrictions of an account, None for a deleted one."""
    row = await db.fetchrow(f"SELECT limited_at, suspended_at, role FROM users WHERE {_ACCOUNT}", user_id)
    return None if row is None else Restrictions(row["limited_at"], row["suspended_at"], Role(row["role"]))


async def is_suspended(db: Queryable, user_id: int) -> bool:
    """Return whether an account is suspended."""
    found = await get(db, user_id)
    return found is not None and found.suspended_at is not None


async def set_limited(tx: Transaction, user_id: int, *, limited: bool) -> None:
    """Limit an account, or end that; raise `NotFoundError("user")`."""
    # The time is that of this process, as a parameter: a cluster refuses functions of time in an expression.
    changed = await tx.execute(
        f"UPDATE users SET limited_at = $2 WHERE {_ACCOUNT}", user_id, datetime.now(UTC) if limited else None
    )
    if not changed:
        raise NotFoundError("user")
    await search_index.mark_tags_of_account(tx, user_id)


async def suspend(tx: Transaction, user_id: int) -> list[str]:
    """Suspend an account and return the sessions that ended; raise `NotFoundError("user")`.

    Emits `UserChanged` with `suspended`, `ActorVisibilityChanged`, `MediaPurge`, and `SessionEnded` for each session.
    """
    # The lock excludes a session that is opened at this moment, as at the deletion of an account.
    if await tx.fetchval(f"SELECT id FROM users WHERE {_ACCOUNT} FOR UPDATE", user_id) is None:
        raise NotFoundError("user")
    await tx.execute(f"UPDATE users SET suspended_at = now() WHERE {_ACCOUNT} AND suspended_at IS NULL", user_id)
    ended = await sessions.revoke_all(tx, user_id)
    await search_index.mark_tags_of_account(tx, user_id)
    images = await tx.fetch(
        f"SELECT sha256 FROM profile_images WHERE shard = {shard('$1')} AND user_id = $1 AND state = 'ready'", user_id
    )
    tx.emit(MediaPurge(user_id=user_id, sha256s=[row["sha256"] for row in images], photos_below=ids.MAX_ID))
    tx.emit(UserChanged(user_id=user_id, suspended=True))
    tx.emit(ActorVisibilityChanged(user_id=user_id))
    return ended


async def reinstate(tx: Transaction, user_id: int) -> None:
    """End the suspension of an account; raise `NotFoundError("user")` once it is deleted.

    Emits `UserChanged` and `ActorVisibilityChanged`.
    """
    if not await tx.execute(f"UPDATE users SET suspended_at = NULL WHERE {_ACCOUNT}", user_id):
        raise NotFoundError("user")
    await search_index.mark_tags_of_account(tx, user_id)
    tx.emit(UserChanged(user_id=user_id))
    tx.emit(ActorVisibilityChanged(user_id=user_id))
