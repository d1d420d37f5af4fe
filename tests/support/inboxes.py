"""Likes as their notifications, and the inbox of a user."""

from __future__ import annotations

from storage.models import Notification, NotificationKind, Photo, User
from storage.postgres.database import Database
from storage.stores import notifications
from tests.support.community import record_notification, retract_notification


async def note_like(database: Database, photo: Photo, actor: User) -> Notification | None:
    """Record the like of a photo, and return its notification."""
    async with database.transaction() as tx:
        return await record_notification(
            tx,
            recipient_id=photo.author.id,
            kind=NotificationKind.LIKE,
            actor_id=actor.id,
            photo_id=photo.id,
            source_id=photo.id,
        )


async def note_unlike(database: Database, photo: Photo, actor: User) -> int | None:
    """Retract the like of a photo, and return the id of its notification."""
    async with database.transaction() as tx:
        return await retract_notification(
            tx,
            recipient_id=photo.author.id,
            kind=NotificationKind.LIKE,
            actor_id=actor.id,
            photo_id=photo.id,
            source_id=photo.id,
        )


async def inbox_of(database: Database, user: User) -> list[Notification]:
    """Return the notifications of a user, newest first."""
    return await notifications.inbox(database, user.id, before=None, limit=99)
