"""Likes as their notifications, and the inbox of a user."""

from __future__ import annotations

from typing import Any

from storage.models import Photo, User
from storage.notifications import Notification, NotificationCounters, NotificationKind
from storage.postgres.database import Database
from storage.render.notification import counters_fields
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


def counters(**kinds: tuple[int, int]) -> NotificationCounters:
    """Return the counters of an inbox that has so many unseen and unread entries of each kind."""
    return NotificationCounters(
        unseen=sum(unseen for unseen, _ in kinds.values()),
        unread=sum(unread for _, unread in kinds.values()),
        kinds={NotificationKind(kind): numbers for kind, numbers in kinds.items()},
    )


def counters_json(**kinds: tuple[int, int]) -> dict[str, Any]:
    """Return the JSON of these counters."""
    return counters_fields(counters(**kinds))
