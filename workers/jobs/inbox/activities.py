"""Operations on activities: what an inbox does with each, and how one waits in PostgreSQL."""

from __future__ import annotations

from enum import StrEnum

from storage.notifications import Activity, NotificationKind
from storage.postgres.rows import Row
from storage.stores.notifications import security_notices


class Operation(StrEnum):
    """What to do with an activity; every operation can be repeated, and waits in PostgreSQL under its value."""

    RECORD = "record"
    RECONCILE = "reconcile"  # record it if it holds, else retract it
    WITHDRAW = "withdraw"  # retract it unless it holds


def waiting_activity(row: Row) -> tuple[Operation, Activity]:
    """Return the operation and the activity in a row of `storage.stores.notifications.waiting_activities`."""
    fields = {name: row[name] for name in ("recipient_id", "actor_id", "photo_id", "source_id")}
    activity = Activity(
        kind=NotificationKind(row["kind"]), security=security_notices.from_document(row["details"]), **fields
    )
    return Operation(row["operation"]), activity
