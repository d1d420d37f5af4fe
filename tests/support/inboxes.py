"""Likes as their notifications, and the inbox of a user."""

from __future__ import annotations

from typing import Any

from storage.models import Photo, User
from storage.notifications import Notification, NotificationCounters, NotificationKind
from storage.postgres.database import Database
from storage.render.notification import counters_fields
from storage.stores.notifications import notification_marks, notifications
from storage.stores.notifications.notification_marks import Selection
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


async def note_comment(database: Database, photo: Photo, actor: User, comment_id: int) -> Notification | None:
    """Record a comment below a photo in its owner's inbox."""
    async with database.transaction() as tx:
        return await record_notification(
            tx,
            recipient_id=photo.author.id,
            kind=NotificationKind.COMMENT,
            actor_id=actor.id,
            photo_id=photo.id,
            source_id=comment_id,
        )


async def mark_entries(
    database: Database, user: User, what: str, entry_ids: list[int] | None = None, *, up_to: int | None = None
) -> int:
    """Mark entries as "seen" or "read"; return how many have changed."""
    change = notification_marks.mark_read if what == "read" else notification_marks.mark_seen
    async with database.transaction() as tx:
        return await change(tx, user.id, Selection(entry_ids, up_to))


async def age_notifications(database: Database, *, hours: int) -> None:
    """Make all notifications older."""
    await database.fetch("UPDATE notifications SET created_at = created_at - make_interval(hours => $1)", hours)
    await database.fetch("UPDATE notification_actors SET created_at = created_at - make_interval(hours => $1)", hours)
