"""Notifications: the activities of others, as their recipient reads them.

An entry of the inbox has one or more actors; `storage.stores.notification_groups` records them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from storage import ids
from storage.models import CommentExcerpt, Notification, NotificationCounters, NotificationKind, UserSummary
from storage.postgres.database import Queryable
from storage.postgres.rows import USER_SUMMARY, Row, user_summary_of
from storage.postgres.visibility import WRITTEN
from storage.stores import waiting_activities
from storage.stores.notification_text import excerpt_of, sentence

_COMMENT_ID = (
    "(SELECT max(t.source_id) FROM notification_actors t WHERE t.notification_id = n.id AND t.retracted_at IS NULL)"
)
_ENTRY = (
    "n.id, n.position, n.kind, n.photo_id, n.people, n.created_at, n.updated_at, n.seen_at, n.read_at, n.silent, "
    "(SELECT p.reason FROM photos p WHERE p.id = n.photo_id) AS reason, "
    f"CASE WHEN n.kind = 'comment' THEN {_COMMENT_ID} END AS comment_id, "
    "CASE WHEN n.kind = 'comment' THEN "
    f"(SELECT c.text FROM comments c WHERE c.id = {_COMMENT_ID} AND {WRITTEN}) END AS comment_text"
)
# The newest actors of entries `n`. Deleted accounts are left out until their activities are withdrawn. The array itself
# is not selected: the driver would ask for its type once for each connection.
_ACTORS = (
    f"SELECT n.id AS entry_id, array_position(n.newest_actors, a.id) AS place, {USER_SUMMARY} "
    "FROM notifications n JOIN users a ON a.id = ANY(n.newest_actors) AND a.deleted_at IS NULL"
)

# The counters of the inbox $1, over its rows that are `_UNREAD`.
_COUNTERS = "count(*) FILTER (WHERE seen_at IS NULL) AS unseen, count(*) AS unread"
_UNREAD = "user_id = $1 AND read_at IS NULL AND deleted_at IS NULL"


class InboxState(NamedTuple):
    """An entry, None once it is deleted, the counters of its inbox, and whether activities are stored for it."""

    entry: Notification | None
    counters: NotificationCounters
    waiting: bool


async def inbox(db: Queryable, user_id: int, *, before: int | None, limit: int) -> list[Notification]:
    """Return entries with a `position` below `before`, the one with the newest activity first."""
    rows = await db.fetch(
        f"SELECT {_ENTRY} FROM notifications n "
        "WHERE n.user_id = $1 AND n.deleted_at IS NULL AND n.position < $2 ORDER BY n.position DESC LIMIT $3",
        user_id,
        ids.MAX_ID if before is None else before,
        limit,
    )
    return await _with_actors(db, user_id, rows)


async def by_ids(db: Queryable, user_id: int, entry_ids: Sequence[int]) -> dict[int, Notification]:
    """Return a user's entries by id; deleted ones are left out."""
    rows = await db.fetch(
        f"SELECT {_ENTRY} FROM notifications n WHERE n.id = ANY($2::bigint[]) AND n.user_id = $1 "
        "AND n.deleted_at IS NULL",
        user_id,
        list(entry_ids),
    )
    return {entry.id: entry for entry in await _with_actors(db, user_id, rows)}


async def inbox_state(db: Queryable, user_id: int, entry_id: int) -> InboxState:
    """Return what a change of an entry is published with, and whether there is more to do, with one query."""
    rows = await db.fetch(
        f"""
        SELECT c.unseen, c.unread, e.*, actor.id AS actor_id, actor.username, actor.display_name, actor.avatar_sha256,
            {waiting_activities.WAITING} AS waiting
        FROM (
            SELECT {_COUNTERS} FROM notifications WHERE {_UNREAD}) AS c
        LEFT JOIN LATERAL (
            SELECT {_ENTRY} FROM notifications n
            WHERE n.id = $2 AND n.user_id = $1 AND n.deleted_at IS NULL) AS e ON true
        LEFT JOIN ({_ACTORS} WHERE n.id = $2) AS actor ON actor.entry_id = e.id
        ORDER BY actor.place""",
        user_id,
        entry_id,
    )
    first = rows[0]  # the counters are there even without an entry
    actors = [user_summary_of(row, "actor_id") for row in rows if row["actor_id"] is not None]
    return InboxState(
        entry=None if first["id"] is None else _entry(user_id, first, actors),
        counters=NotificationCounters(unseen=first["unseen"], unread=first["unread"]),
        waiting=first["waiting"],
    )


async def counters(db: Queryable, user_id: int) -> NotificationCounters:
    """Return the numbers of entries that are not seen and not read."""
    row = await db.fetchrow(f"SELECT {_COUNTERS} FROM notifications WHERE {_UNREAD}", user_id)
    return NotificationCounters(**dict(row or {"unseen": 0, "unread": 0}))


async def counters_and_newest(db: Queryable, user_id: int) -> tuple[NotificationCounters, int | None]:
    """Return the counters of an inbox and the greatest `position` in it, None if it is empty."""
    row = await db.fetchrow(
        f"SELECT {_COUNTERS}, (SELECT max(position) FROM notifications WHERE user_id = $1 AND deleted_at IS NULL) "
        f"AS newest FROM notifications WHERE {_UNREAD}",
        user_id,
    )
    counted = dict(row or {"unseen": 0, "unread": 0, "newest": None})
    newest: int | None = counted.pop("newest")
    return NotificationCounters(**counted), newest


async def _with_actors(db: Queryable, user_id: int, rows: Sequence[Row]) -> list[Notification]:
    """Return the entries of rows with their newest actors, read with one query."""
    actors: dict[int, list[UserSummary]] = {row["id"]: [] for row in rows}
    found = await db.fetch(f"{_ACTORS} WHERE n.id = ANY($1::bigint[]) ORDER BY n.id, place", list(actors))
    for row in found:
        actors[row["entry_id"]].append(user_summary_of(row))
    return [_entry(user_id, row, actors[row["id"]]) for row in rows]


def _entry(user_id: int, row: Row, actors: Sequence[UserSummary]) -> Notification:
    kind = NotificationKind(row["kind"])
    return Notification(
        id=row["id"],
        position=row["position"],
        user_id=user_id,
        kind=kind,
        actors=tuple(actors),
        count=row["people"],
        photo_id=row["photo_id"],
        comment=None
        if row["comment_text"] is None
        else CommentExcerpt(id=row["comment_id"], excerpt=excerpt_of(row["comment_text"])),
        text=sentence(kind, [actor.username for actor in actors], row["people"], reason=row["reason"]),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        seen=row["seen_at"] is not None,
        read=row["read_at"] is not None,
        silent=row["silent"],
    )
