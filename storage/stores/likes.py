"""Likes: one row for each person and photo, counted on the photo in the same transaction.

Every change makes the photo's `version` grow while its row is locked, so that whoever hears of changes in
another order can tell which is newer.
"""

from __future__ import annotations

from storage.errors import NotFoundError
from storage.events import LikeAdded, LikeRemoved
from storage.models import Person, PhotoCounters
from storage.postgres.database import Queryable, Transaction
from storage.postgres.rows import PERSON, person_of
from storage.postgres.visibility import KNOWN
from storage.stores import photos


async def add(tx: Transaction, *, photo_id: int, user_id: int) -> PhotoCounters:
    """Like a photo; a second time changes nothing. Emits `LikeAdded`, raises `NotFoundError("photo")`."""
    owner_id = await photos.lock(tx, photo_id, viewer_id=user_id)
    changed = await tx.execute(
        """
        WITH added AS (
            INSERT INTO likes (photo_id, user_id, version) SELECT p.id, $2, p.version + 1 FROM photos p WHERE p.id = $1
            ON CONFLICT DO NOTHING RETURNING photo_id)
        UPDATE photos p SET likes = p.likes + 1, version = p.version + 1 FROM added WHERE p.id = added.photo_id""",
        photo_id,
        user_id,
    )
    if changed:
        tx.emit(LikeAdded(photo_id=photo_id, owner_id=owner_id, user_id=user_id))
    return await state(tx, photo_id=photo_id, user_id=user_id, changed=bool(changed))


async def remove(tx: Transaction, *, photo_id: int, user_id: int) -> PhotoCounters:
    """Take a like back; a second time changes nothing. Emits `LikeRemoved`, raises `NotFoundError("photo")`."""
    owner_id = await photos.lock(tx, photo_id, viewer_id=user_id)
    changed = await tx.execute(
        """
        WITH removed AS (DELETE FROM likes WHERE photo_id = $1 AND user_id = $2 RETURNING photo_id)
        UPDATE photos p SET likes = p.likes - 1, version = p.version + 1 FROM removed WHERE p.id = removed.photo_id""",
        photo_id,
        user_id,
    )
    if changed:
        tx.emit(LikeRemoved(photo_id=photo_id, owner_id=owner_id, user_id=user_id))
    return await state(tx, photo_id=photo_id, user_id=user_id, changed=bool(changed))


async def state(db: Queryable, *, photo_id: int, user_id: int, changed: bool = False) -> PhotoCounters:
    """Return a photo's counters and whether a person likes it; raise `NotFoundError("photo")` once deleted."""
    row = await db.fetchrow(
        """
        SELECT p.likes, p.comments, p.version,
            EXISTS (SELECT FROM likes l WHERE l.photo_id = p.id AND l.user_id = $2) AS liked
        FROM photos p WHERE p.id = $1 AND p.deleted_at IS NULL""",
        photo_id,
        user_id,
    )
    if row is None:
        raise NotFoundError("photo")
    return PhotoCounters(photo_id=photo_id, changed=changed, **dict(row))


async def page(
    db: Queryable, photo_id: int, *, before: int | None, limit: int, viewer_id: int | None = None
) -> list[tuple[int, Person]]:
    """Return who likes a photo, newest first, each with the like's version; versions below `before`.

    Whether the viewer may see the photo is the caller's question; people whom the viewer may not know
    are left out here.
    """
    rows = await db.fetch(
        f"SELECT l.version, {PERSON} FROM likes l JOIN users a ON a.id = l.user_id "
        f"WHERE l.photo_id = $2 AND ($3::bigint IS NULL OR l.version < $3) AND {KNOWN} "
        "ORDER BY l.version DESC LIMIT $4",
        viewer_id,
        photo_id,
        before,
        limit,
    )
    return [(row["version"], person_of(row)) for row in rows]


async def of_user(db: Queryable, user_id: int, *, limit: int = 10_000) -> list[tuple[int, int]]:
    """Return (photo id, version) of a person's likes of the last 90 days, newest first."""
    rows = await db.fetch(
        "SELECT photo_id, version FROM likes WHERE user_id = $1 AND created_at > now() - interval '90 days' "
        "ORDER BY created_at DESC LIMIT $2",
        user_id,
        limit,
    )
    return [(row["photo_id"], row["version"]) for row in rows]
