"""Photos that stand in state `processing` for too long: their event went to the dead letters or was lost."""

from __future__ import annotations

from datetime import timedelta

from storage.events import PhotoUploaded
from storage.postgres.database import Transaction


async def announce_again(tx: Transaction, *, older_than: timedelta, younger_than: timedelta, limit: int = 100) -> int:
    """Emit `PhotoUploaded` again for the oldest photos of an age between the two; return for how many."""
    rows = await tx.fetch(
        """
        SELECT id, author_id FROM photos
        WHERE state = 'processing' AND deleted_at IS NULL
          AND created_at < now() - $1::interval AND created_at > now() - $2::interval
        ORDER BY created_at LIMIT $3""",
        older_than,
        younger_than,
        limit,
    )
    for row in rows:
        tx.emit(PhotoUploaded(photo_id=row["id"], author_id=row["author_id"]))
    return len(rows)
