"""Deletion of accounts that their owners can undo for some time.

Such an account has `deleted_at`, which hides it everywhere as if it were deleted for good
(`storage.postgres.visibility`), and `deletion_due_at`. Its names stay taken, and its rows, counters and follows stay as
they are: others' numbers of likes, comments and followers still include it. No client can sign in to it or follow it,
and nothing of it changes. When the time is over, the janitor deletes it for good
(`storage.stores.accounts.users.remove`).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from storage import ids
from storage.errors import NotFoundError
from storage.events import ActorVisibilityChanged, MediaPurge, UserChanged
from storage.models import User
from storage.postgres.database import Queryable, Transaction
from storage.postgres.rows import USER, user_of
from storage.postgres.sharding import shard
from storage.stores.accounts import users
from storage.stores.archives import imports
from storage.stores.credentials import sessions
from storage.stores.discovery import search_index
from storage.stores.photos import photo_processing

_ACCOUNT = f"a.shard = {shard('$1')} AND a.id = $1"


class Scheduled(NamedTuple):
    """When an account will be deleted for good, and the sessions that ended."""

    due_at: datetime
    ended: list[str]


async def schedule(tx: Transaction, user_id: int, *, grace: timedelta) -> Scheduled:
    """Hide an account, and have it deleted when `grace` is over; raise `NotFoundError("user")`.

    Emits `UserChanged`, `ActorVisibilityChanged` and `MediaPurge`.
    """
    # As in `users.remove`: what is being inserted by and about the user is waited for, and nothing is inserted later.
    if (
        await tx.fetchval(f"SELECT 1 FROM users a WHERE {_ACCOUNT} AND a.deleted_at IS NULL FOR UPDATE", user_id)
        is None
    ):
        raise NotFoundError("user")
    due_at: datetime = await tx.fetchval(
        "UPDATE users a SET deleted_at = now(), deletion_due_at = now() + $2::interval, "
        f"erasure_queued_at = now() + $2::interval WHERE {_ACCOUNT} RETURNING a.deletion_due_at",
        user_id,
        grace,
    )
    ended = await sessions.revoke_all(tx, user_id)
    await search_index.mark_tags_of_account(tx, user_id)
    shown = await tx.fetch(
        f"SELECT sha256 FROM profile_images WHERE shard = {shard('$1')} AND user_id = $1 AND state = 'ready'", user_id
    )
    tx.emit(MediaPurge(user_id=user_id, sha256s=[row["sha256"] for row in shown], photos_below=ids.MAX_ID))
    tx.emit(UserChanged(user_id=user_id, deleted=True))
    tx.emit(ActorVisibilityChanged(user_id=user_id))
    return Scheduled(due_at, ended)


async def restore(tx: Transaction, user_id: int) -> User:
    """Undo the deletion of an account and return it; raise `NotFoundError("user")` if there is none to undo.

    Emits `UserChanged`, `ActorVisibilityChanged`, and again the events of uploads that were being processed.
    """
    row = await tx.fetchrow(
        "UPDATE users AS a SET deleted_at = NULL, deletion_due_at = NULL, erasure_queued_at = NULL "
        f"WHERE {_ACCOUNT} AND a.deletion_due_at > now() RETURNING {USER}",
        user_id,
    )
    if row is None:
        raise NotFoundError("user")
    user = user_of(row)
    # The search index may have been filled again meanwhile, without this account.
    await search_index.write_user(tx, user)
    await search_index.mark_tags_of_account(tx, user_id)
    await photo_processing.requeue_all(tx, user_id)
    await imports.requeue(tx, user_id)
    # Messages that wait for the endpoints of a hidden account are set aside.
    await tx.execute(
        "UPDATE webhook_endpoints SET due_at = statement_timestamp() "
        f"WHERE shard = {shard('$1')} AND owner_id = $1 AND state <> 'deleted'",
        user_id,
    )
    tx.emit(UserChanged(user_id=user_id, restored=True))
    tx.emit(ActorVisibilityChanged(user_id=user_id))
    return user


async def due_at(db: Queryable, user_id: int) -> datetime | None:
    """Return until when the deletion of an account can be undone, None if there is none."""
    found: datetime | None = await db.fetchval(f"SELECT a.deletion_due_at FROM users a WHERE {_ACCOUNT}", user_id)
    return found


async def due(db: Queryable, *, limit: int) -> list[int]:
    """Return accounts whose deletion cannot be undone any more, the longest first."""
    # The conditions on the other columns are those of the index `users_to_erase`.
    rows = await db.fetch(
        "/* all shards: the janitor's */ SELECT id FROM users WHERE deleted_at IS NOT NULL AND erased_at IS NULL "
        "AND deletion_due_at <= now() ORDER BY deletion_due_at LIMIT $1",
        limit,
    )
    return [row["id"] for row in rows]


async def complete(tx: Transaction, user_id: int) -> bool:
    """Delete an account for good whose time is over; return False if another janitor was faster, or it is restored."""
    locked = await tx.fetchval(
        f"SELECT 1 FROM users a WHERE {_ACCOUNT} AND a.deletion_due_at <= now() FOR UPDATE", user_id
    )
    if locked is None:
        return False
    await users.remove(tx, user_id)
    return True
