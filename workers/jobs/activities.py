"""Activities that concern a user: what an inbox records, and whether the database still has what they report."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

from storage.errors import NotFoundError
from storage.models import NotificationKind
from storage.postgres.database import Queryable
from storage.postgres.rows import Row
from storage.stores import comments, likes, relations


@dataclass(frozen=True, kw_only=True)
class Activity:
    """Something that concerns the recipient; the fields are those of `storage.stores.notification_groups.record`.

    `actor_id` None is PicShare itself; `source_id` is the photo, comment or user that the activity is about.
    """

    recipient_id: int
    kind: NotificationKind
    actor_id: int | None
    photo_id: int | None = None
    source_id: int


class Operation(StrEnum):
    """What to do with an activity; every operation can be repeated, and waits in PostgreSQL under its value."""

    RECORD = "record"
    RECONCILE = "reconcile"  # record it if it holds, else retract it
    WITHDRAW = "withdraw"  # retract it unless it holds


# Whether an activity holds: the like, comment or follow that it reports is there.
Look = Callable[[Queryable, Activity], Awaitable[bool]]


async def holds(db: Queryable, activity: Activity) -> bool:
    """Return whether the like, comment, follow or request that an activity reports is in the database now."""
    actor_id, recipient_id = activity.actor_id, activity.recipient_id
    if actor_id is None:
        raise ValueError("an activity of PicShare itself is only recorded")
    match activity.kind:
        case NotificationKind.LIKE:
            return await likes.exists(db, photo_id=activity.source_id, user_id=actor_id)
        case NotificationKind.COMMENT:
            return await _comment_exists(db, activity.source_id)
        case NotificationKind.FOLLOW:
            return (await relations.relation(db, actor_id, recipient_id)).following
        case NotificationKind.FOLLOW_REQUEST:
            return (await relations.relation(db, actor_id, recipient_id)).requested
        case NotificationKind.FOLLOW_ACCEPTED:
            return (await relations.relation(db, recipient_id, actor_id)).following
        case NotificationKind.PHOTO_REJECTED:
            raise ValueError("a rejection is only recorded")


def waiting_activity(row: Row) -> tuple[Operation, Activity]:
    """Return the operation and the activity in a row of `storage.stores.waiting_activities`."""
    fields = {name: row[name] for name in ("recipient_id", "actor_id", "photo_id", "source_id")}
    return Operation(row["operation"]), Activity(kind=NotificationKind(row["kind"]), **fields)


async def _comment_exists(db: Queryable, comment_id: int) -> bool:
    try:
        await comments.get(db, comment_id)
    except NotFoundError:
        return False
    return True
