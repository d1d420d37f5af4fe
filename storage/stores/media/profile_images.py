"""Avatars and banners: the image of each kind that is shown, and the newest upload until it is ready.

An image is shown only once its variants are stored. Until then, and if it is rejected, the image before it stays.
Rows are locked after their user's, which also keeps a deleted account from getting one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from storage.errors import NotFoundError
from storage.events import MediaPurge, ProfileImageRemoved, ProfileImageUploaded
from storage.models import ProfileImageKind, ProfileImageState
from storage.postgres.database import Queryable, Transaction
from storage.postgres.sharding import shard
from storage.postgres.visibility import visible
from storage.stores.accounts import account_fields

_OF_KIND = f"shard = {shard('$1')} AND user_id = $1 AND kind = $2"
_ONE = f"{_OF_KIND} AND sha256 = $3"
_OWNED = f"EXISTS (SELECT 1 FROM users a WHERE a.shard = i.shard AND a.id = i.user_id AND {visible()})"


@dataclass(frozen=True, kw_only=True, slots=True)
class ProfileImage:
    """An uploaded avatar or banner; `sha256` is of the original, `bytes` its size, `reason` that of a rejection."""

    user_id: int
    kind: ProfileImageKind
    sha256: str
    content_type: str
    bytes: int
    state: ProfileImageState
    reason: str | None = None


async def create(
    tx: Transaction, *, user_id: int, kind: ProfileImageKind, sha256: str, content_type: str, size: int
) -> ProfileImageState:
    """Record an upload whose original is stored, in place of an earlier one that is not shown; return its state.

    Emits `ProfileImageUploaded`, unless this image is the one that is shown. Raises `NotFoundError("user")`.
    """
    await _lock(tx, user_id)
    await _remove(tx, user_id, kind, "sha256 <> $3 AND state <> 'ready'", sha256)
    state: str = await tx.fetchval(
        f"""
        INSERT INTO profile_images AS i (shard, user_id, kind, sha256, content_type, bytes)
        VALUES ({shard("$1")}, $1, $2, $3, $4, $5)
        ON CONFLICT (user_id, kind, sha256, shard) DO UPDATE SET reason = NULL,
            state = CASE i.state WHEN 'ready' THEN 'ready' ELSE 'processing' END
        RETURNING state""",
        user_id,
        kind,
        sha256,
        content_type,
        size,
    )
    if state == ProfileImageState.PROCESSING:
        tx.emit(ProfileImageUploaded(user_id=user_id, kind=kind, sha256=sha256))
    return ProfileImageState(state)


async def in_processing(db: Queryable, user_id: int, kind: ProfileImageKind, sha256: str) -> ProfileImage | None:
    """Return an upload that is still to be processed, or None."""
    found = await _fetch(db, f"{_ONE} AND state = 'processing'", user_id, kind, sha256)
    return found[0] if found else None


async def newest(db: Queryable, user_id: int, kind: ProfileImageKind) -> ProfileImage | None:
    """Return the newest upload of a kind: one that is not shown yet, else the image that is shown, else None."""
    found = await _fetch(db, _OF_KIND, user_id, kind)
    return min(found, key=lambda image: image.state is ProfileImageState.READY, default=None)


async def mark_ready(tx: Transaction, user_id: int, kind: ProfileImageKind, sha256: str) -> bool:
    """Show an upload from now on, and remove the image before it; return False unless it was processing."""
    try:
        await _lock(tx, user_id)
    except NotFoundError:
        return False
    sql = f"UPDATE profile_images SET state = 'ready' WHERE {_ONE} AND state = 'processing'"
    if not await tx.execute(sql, user_id, kind, sha256):
        return False
    await _remove(tx, user_id, kind, "sha256 <> $3 AND state = 'ready'", sha256)
    await _show(tx, user_id, kind, sha256)
    return True


async def mark_rejected(tx: Transaction, user_id: int, kind: ProfileImageKind, sha256: str, *, reason: str) -> bool:
    """Reject an upload; return False unless it was processing."""
    sql = f"UPDATE profile_images SET state = 'rejected', reason = $4 WHERE {_ONE} AND state = 'processing'"
    return await tx.execute(sql, user_id, kind, sha256, reason) == 1


async def remove(tx: Transaction, user_id: int, kind: ProfileImageKind) -> None:
    """Remove a user's image of a kind, and an upload of it; raise `NotFoundError("user")`."""
    await _lock(tx, user_id)
    if await _remove(tx, user_id, kind, "$3 = ''", ""):
        await _show(tx, user_id, kind, "")


async def is_shown(db: Queryable, sha256: str) -> bool:
    """Return whether a visible account shows an image with this original; that of a private one is public, too."""
    return await _exists(db, f"state = 'ready' AND {_OWNED}", sha256)


async def is_visible(db: Queryable, sha256: str) -> bool:
    """Return whether a visible account has an image with this original in any state."""
    return await _exists(db, _OWNED, sha256)


async def is_referenced(db: Queryable, sha256: str) -> bool:
    """Return whether there is an image with this original in any state."""
    return await _exists(db, "true", sha256)


async def requeue_stuck(tx: Transaction, *, older_than: timedelta, younger_than: timedelta, limit: int = 100) -> int:
    """Emit `ProfileImageUploaded` again for the oldest uploads that are still in processing; return their number."""
    rows = await tx.fetch(
        """
        /* all shards: the janitor's */
        SELECT user_id, kind, sha256 FROM profile_images
        WHERE state = 'processing' AND created_at < now() - $1::interval AND created_at > now() - $2::interval
        ORDER BY created_at LIMIT $3""",
        older_than,
        younger_than,
        limit,
    )
    for row in rows:
        tx.emit(ProfileImageUploaded(user_id=row["user_id"], kind=row["kind"], sha256=row["sha256"]))
    return len(rows)


async def _lock(tx: Transaction, user_id: int) -> None:
    sql = f"SELECT id FROM users WHERE shard = {shard('$1')} AND id = $1 AND deleted_at IS NULL FOR NO KEY UPDATE"
    if await tx.fetchval(sql, user_id) is None:
        raise NotFoundError("user")


async def _show(tx: Transaction, user_id: int, kind: ProfileImageKind, sha256: str) -> None:
    if kind is ProfileImageKind.AVATAR:
        await account_fields.update(tx, user_id, avatar_sha256=sha256)
    else:
        await account_fields.update(tx, user_id, banner_sha256=sha256)


async def _remove(tx: Transaction, user_id: int, kind: ProfileImageKind, condition: str, sha256: str) -> int:
    rows = await tx.fetch(
        f"DELETE FROM profile_images WHERE {_OF_KIND} AND {condition} RETURNING sha256, state", user_id, kind, sha256
    )
    for row in rows:
        tx.emit(ProfileImageRemoved(user_id=user_id, sha256=row["sha256"]))
    shown = [row["sha256"] for row in rows if row["state"] == ProfileImageState.READY]
    if shown:
        tx.emit(MediaPurge(user_id=user_id, sha256s=shown))
    return len(rows)


async def _fetch(db: Queryable, condition: str, *args: object) -> Sequence[ProfileImage]:
    rows = await db.fetch(
        f"SELECT user_id, kind, sha256, content_type, bytes, state, reason FROM profile_images WHERE {condition}",
        *args,
    )
    return [
        ProfileImage(**{**dict(row), "kind": ProfileImageKind(row["kind"]), "state": ProfileImageState(row["state"])})
        for row in rows
    ]


async def _exists(db: Queryable, condition: str, sha256: str) -> bool:
    found: bool = await db.fetchval(
        "/* all shards: by content */ "
        f"SELECT EXISTS (SELECT 1 FROM profile_images i WHERE sha256 = $1 AND {condition} LIMIT 1)",
        sha256,
    )
    return found
