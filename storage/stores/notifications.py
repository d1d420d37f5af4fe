"""Notifications: the activities of others, grouped into one open entry of the inbox for each kind and photo.

An entry has an actor row for each activity, so recording one again changes nothing, and retracting one marks exactly
that row. An entry is closed when it is read, and a day after it was created: the next activity creates another one.
Comments and requests to follow are not grouped. An activity that is retracted and repeated within a day returns
silently: it neither moves its entry to the top nor makes it unseen. Writers of one inbox take its lock first, so they
run one after the other; different inboxes never wait for each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from storage import ids
from storage.errors import NotFoundError
from storage.models import (
    CommentExcerpt,
    Notification,
    NotificationCounters,
    NotificationKind,
    NotificationMark,
    UserSummary,
)
from storage.postgres.database import Queryable, Transaction
from storage.postgres.rows import USER_SUMMARY, Row, user_summary_of
from storage.postgres.visibility import unblocked

_SHOWN_ACTORS = 3
_EXCERPT = 140  # characters of a comment that a notification shows
_GROUPED_FOR = "interval '24 hours'"  # after which a group is closed, and a repeated activity is news again
_NEVER_GROUPED = (NotificationKind.COMMENT, NotificationKind.FOLLOW_REQUEST)
_COMMENT_ID = (
    "(SELECT max(t.source_id) FROM notification_actors t WHERE t.notification_id = n.id AND t.retracted_at IS NULL)"
)
_ENTRY = (
    "n.id, n.position, n.kind, n.photo_id, n.people, n.created_at, n.updated_at, n.seen_at, n.read_at, n.silent, "
    "(SELECT p.reason FROM photos p WHERE p.id = n.photo_id) AS reason, "
    f"CASE WHEN n.kind = 'comment' THEN {_COMMENT_ID} END AS comment_id, "
    "CASE WHEN n.kind = 'comment' THEN "
    f"(SELECT c.text FROM comments c WHERE c.id = {_COMMENT_ID} AND c.deleted_at IS NULL) END AS comment_text"
)
# The entries of an inbox ($1) for a kind ($3) and a photo ($4, or NULL), deleted ones included.
_SAME_GROUP = "n.user_id = $1 AND n.kind = $3 AND n.photo_id IS NOT DISTINCT FROM $4"
_SENTENCES = {
    NotificationKind.LIKE: "{actors} liked your photo",
    NotificationKind.COMMENT: "{actors} commented on your photo",
    NotificationKind.FOLLOW: "{actors} started following you",
    NotificationKind.FOLLOW_REQUEST: "{actors} asked to follow you",
    NotificationKind.FOLLOW_ACCEPTED: "{actors} accepted your request to follow",
    NotificationKind.PHOTO_REJECTED: "Your photo could not be shown",
}


class Recorded(NamedTuple):
    """The entry of an activity; `repeated` if it had been recorded already, so that nothing changed."""

    entry_id: int
    repeated: bool


async def record(
    tx: Transaction,
    *,
    recipient_id: int,
    kind: NotificationKind,
    actor_id: int | None,
    photo_id: int | None,
    source_id: int,
) -> Recorded | None:
    """Record an activity; return None if it is not to be recorded.

    `source_id` is the photo, comment or user that the activity is about; `actor_id` None is PicShare itself. A new
    activity moves the entry to the top, unseen; one that is recorded already, read or not, changes nothing. The
    recipient's own activities are not recorded, nor those about deleted photos, of deleted accounts, or of users that
    the recipient mutes or that are blocked in either direction. The caller holds the inbox's lock.
    """
    if actor_id == recipient_id:
        return None
    found = await _look_up(
        tx, recipient_id=recipient_id, kind=kind, actor_id=actor_id, photo_id=photo_id, source_id=source_id
    )
    if not found["allowed"]:
        return None
    if found["recorded"] is not None and not found["retracted"]:
        return Recorded(found["recorded"], repeated=True)
    open_id: int | None = found["open"]
    if found["expired"]:
        await tx.execute("UPDATE notifications SET closed_at = now() WHERE id = $1", open_id)
        open_id = None
    if found["recorded"] is not None and found["recent"]:
        entry_id = await _restore(tx, found["recorded"], open_id, actor_id=actor_id, source_id=source_id)
    elif open_id is not None:
        entry_id = await _add_actor(tx, recipient_id, open_id, actor_id=actor_id, source_id=source_id)
    else:
        entry_id = await _create_entry(
            tx, recipient_id, kind=kind, photo_id=photo_id, actor_id=actor_id, source_id=source_id
        )
    return Recorded(entry_id, repeated=False)


async def retract(
    tx: Transaction,
    *,
    recipient_id: int,
    kind: NotificationKind,
    actor_id: int,
    photo_id: int | None,
    source_id: int,
) -> int | None:
    """Retract an activity and return the id of its entry, if there was one; an entry without actors is deleted.

    The caller holds the inbox's lock.
    """
    entry_id: int | None = await tx.fetchval(
        f"""
        UPDATE notification_actors t SET retracted_at = now() FROM notifications n
        WHERE t.actor_id = $2 AND t.source_id = $5 AND t.retracted_at IS NULL
          AND n.id = t.notification_id AND n.deleted_at IS NULL AND {_SAME_GROUP}
        RETURNING t.notification_id""",
        recipient_id,
        actor_id,
        kind.value,
        photo_id,
        source_id,
    )
    if entry_id is not None:
        await _count_actors(tx, entry_id)
    return entry_id


async def retract_actor(tx: Transaction, *, recipient_id: int, actor_id: int, limit: int) -> list[int]:
    """Remove a user's activities from up to `limit` entries of an inbox; return the ids of these entries.

    Entries without actors are deleted. The caller holds the inbox's lock.
    """
    entry_ids = [
        row["id"]
        for row in await tx.fetch(
            """
            SELECT DISTINCT n.id FROM notification_actors t JOIN notifications n ON n.id = t.notification_id
            WHERE t.actor_id = $2 AND t.retracted_at IS NULL AND n.user_id = $1 AND n.deleted_at IS NULL
            ORDER BY n.id LIMIT $3""",
            recipient_id,
            actor_id,
            limit,
        )
    ]
    # Retracted activities and those of deleted entries go at once: nothing of them is published.
    await tx.execute(
        """
        DELETE FROM notification_actors t USING notifications n
        WHERE t.actor_id = $2 AND n.id = t.notification_id AND n.user_id = $1
          AND (n.id = ANY($3::bigint[]) OR n.deleted_at IS NOT NULL OR t.retracted_at IS NOT NULL)""",
        recipient_id,
        actor_id,
        entry_ids,
    )
    for entry_id in entry_ids:
        await _count_actors(tx, entry_id)
    return entry_ids


async def recipients(db: Queryable, actor_id: int, *, limit: int) -> list[int]:
    """Return users whose inboxes have activities of `actor_id`, found from up to `limit` activities."""
    rows = await db.fetch(
        """
        SELECT DISTINCT n.user_id
        FROM (SELECT notification_id FROM notification_actors WHERE actor_id = $1 LIMIT $2) AS t
        JOIN notifications n ON n.id = t.notification_id ORDER BY n.user_id""",
        actor_id,
        limit,
    )
    return [row["user_id"] for row in rows]


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


async def entry_and_counters(
    db: Queryable, user_id: int, entry_id: int
) -> tuple[Notification | None, NotificationCounters]:
    """Return one of a user's entries, None once it is deleted, and the counters of the inbox, with one query."""
    rows = await db.fetch(
        f"""
        SELECT c.unseen, c.unread, e.*, t.id AS actor_id, t.username, t.display_name, t.avatar_sha256
        FROM (
            SELECT count(*) FILTER (WHERE seen_at IS NULL) AS unseen, count(*) AS unread FROM notifications
            WHERE user_id = $1 AND read_at IS NULL AND deleted_at IS NULL) AS c
        LEFT JOIN LATERAL (
            SELECT {_ENTRY} FROM notifications n
            WHERE n.id = $2 AND n.user_id = $1 AND n.deleted_at IS NULL) AS e ON true
        LEFT JOIN LATERAL (
            SELECT {USER_SUMMARY}, max(t.created_at) AS acted_at
            FROM notification_actors t JOIN users a ON a.id = t.actor_id
            WHERE t.notification_id = e.id AND t.retracted_at IS NULL AND a.deleted_at IS NULL
            GROUP BY a.id ORDER BY acted_at DESC, a.id DESC LIMIT $3) AS t ON true
        ORDER BY t.acted_at DESC, t.id DESC""",
        user_id,
        entry_id,
        _SHOWN_ACTORS,
    )
    first = rows[0]  # the counters are there even without an entry
    found = NotificationCounters(unseen=first["unseen"], unread=first["unread"])
    if first["id"] is None:
        return None, found
    return _entry(
        user_id, first, [user_summary_of(row, "actor_id") for row in rows if row["actor_id"] is not None]
    ), found


async def counters(db: Queryable, user_id: int) -> NotificationCounters:
    """Return the numbers of entries that are not seen and not read."""
    row = await db.fetchrow(
        "SELECT count(*) FILTER (WHERE seen_at IS NULL) AS unseen, count(*) AS unread FROM notifications "
        "WHERE user_id = $1 AND read_at IS NULL AND deleted_at IS NULL",
        user_id,
    )
    return NotificationCounters(**dict(row or {"unseen": 0, "unread": 0}))


async def mark_seen(tx: Transaction, user_id: int, entry_ids: Sequence[int] | None, *, up_to: int | None = None) -> int:
    """Mark entries, or all with None, as seen on the screen; return how many changed.

    With `up_to`, entries with a greater `position` are left alone: they have activities that were not shown.
    """
    await lock(tx, user_id)
    return await tx.execute(
        "UPDATE notifications SET seen_at = now() WHERE user_id = $1 AND ($2::bigint[] IS NULL OR id = ANY($2)) "
        "AND ($3::bigint IS NULL OR position <= $3) AND seen_at IS NULL AND read_at IS NULL AND deleted_at IS NULL",
        user_id,
        None if entry_ids is None else list(entry_ids),
        up_to,
    )


async def mark_read(tx: Transaction, user_id: int, entry_ids: Sequence[int] | None, *, up_to: int | None = None) -> int:
    """Mark entries, or all with None, as read and thereby as seen; return how many changed.

    `up_to` is that of `mark_seen`.
    """
    await lock(tx, user_id)
    return await tx.execute(
        "UPDATE notifications SET read_at = now(), seen_at = coalesce(seen_at, now()) "
        "WHERE user_id = $1 AND ($2::bigint[] IS NULL OR id = ANY($2)) "
        "AND ($3::bigint IS NULL OR position <= $3) AND read_at IS NULL AND deleted_at IS NULL",
        user_id,
        None if entry_ids is None else list(entry_ids),
        up_to,
    )


async def newest_position(db: Queryable, user_id: int) -> int | None:
    """Return the greatest `position` in an inbox, or None if it is empty."""
    position: int | None = await db.fetchval(
        "SELECT max(position) FROM notifications WHERE user_id = $1 AND deleted_at IS NULL", user_id
    )
    return position


async def marked(db: Queryable, user_id: int, mark: NotificationMark, *, limit: int) -> list[int]:
    """Return the ids of the entries at the top of an inbox that have a mark, among the `limit` newest."""
    rows = await db.fetch(
        "SELECT id FROM (SELECT id, seen_at, read_at FROM notifications WHERE user_id = $1 AND deleted_at IS NULL "
        "ORDER BY position DESC LIMIT $2) AS newest "
        "WHERE CASE WHEN $3 THEN read_at ELSE coalesce(seen_at, read_at) END IS NOT NULL",
        user_id,
        limit,
        mark is NotificationMark.READ,
    )
    return [row["id"] for row in rows]


async def lock(tx: Transaction, recipient_id: int) -> None:
    """Lock an inbox until the transaction ends; every writer of the inbox does so first."""
    await tx.execute("SELECT pg_advisory_xact_lock($1)", recipient_id)


def sentence(kind: NotificationKind, names: Sequence[str], count: int, *, reason: str | None = None) -> str:
    """Return the text of a notification: `names` newest first, `count` actors in total, `reason` of a rejection.

    With three actors or more it has one name and a number: "ann and 3 others liked your photo".
    """
    others = count - 1
    if not names:
        actors = "Someone" if count < 2 else f"{count} people"
    elif others < 1:
        actors = names[0]
    elif others == 1:
        actors = f"{names[0]} and {names[1] if len(names) > 1 else '1 other'}"
    else:
        actors = f"{names[0]} and {others} others"
    text = _SENTENCES[kind].format(actors=actors)
    return f"{text}: {reason}" if reason and kind is NotificationKind.PHOTO_REJECTED else text


def excerpt_of(text: str) -> str:
    """Return the beginning of a comment in one line, at most 140 characters; an ellipsis if it is cut."""
    line = " ".join(text.split())
    return line if len(line) <= _EXCERPT else line[: _EXCERPT - 1].rstrip() + "…"


async def _look_up(
    tx: Transaction,
    *,
    recipient_id: int,
    kind: NotificationKind,
    actor_id: int | None,
    photo_id: int | None,
    source_id: int,
) -> Row:
    """Return whether an activity may be recorded, the newest entry that has it, and the open entry of its group.

    `recent` is whether the activity was first recorded less than a day ago; `expired` whether the open entry is to be
    closed. The recipient's and the actor's accounts are locked (`storage.stores.account_locks`).
    """
    row = await tx.fetchrow(
        f"""
        WITH active AS MATERIALIZED (
            SELECT id FROM users WHERE id IN ($1, $2) AND deleted_at IS NULL ORDER BY id FOR KEY SHARE)
        SELECT known.*, open.*,
            EXISTS (SELECT FROM active WHERE id = $1)
                AND ($2::bigint IS NULL OR EXISTS (SELECT FROM active WHERE id = $2))
                AND NOT EXISTS (SELECT FROM photos p WHERE p.id = $4 AND p.deleted_at IS NOT NULL)
                AND NOT EXISTS (SELECT FROM mutes WHERE muter_id = $1 AND muted_id = $2)
                AND {unblocked("$2")} AS allowed
        FROM (VALUES (true)) AS always
        LEFT JOIN LATERAL (
            (SELECT n.id AS recorded, t.retracted_at IS NOT NULL AS retracted,
                t.created_at > now() - {_GROUPED_FOR} AS recent
             FROM notification_actors t JOIN notifications n ON n.id = t.notification_id
             WHERE t.actor_id = $2 AND t.source_id = $5 AND {_SAME_GROUP} ORDER BY n.id DESC LIMIT 1)
            UNION ALL
            (SELECT n.id, false, true FROM notifications n
             WHERE $2::bigint IS NULL AND n.photo_id = $4 AND {_SAME_GROUP} AND n.deleted_at IS NULL
             ORDER BY n.id DESC LIMIT 1)) AS known ON true
        LEFT JOIN LATERAL (
            SELECT n.id AS open, n.created_at <= now() - {_GROUPED_FOR} AS expired FROM notifications n
            WHERE coalesce(n.photo_id, 0) = coalesce($4::bigint, 0) AND n.read_at IS NULL AND n.deleted_at IS NULL
              AND n.closed_at IS NULL AND {_SAME_GROUP}) AS open ON true""",
        recipient_id,
        actor_id,
        kind.value,
        photo_id,
        source_id,
    )
    if row is None:
        raise NotFoundError("notification")
    return row


async def _create_entry(
    tx: Transaction,
    recipient_id: int,
    *,
    kind: NotificationKind,
    photo_id: int | None,
    actor_id: int | None,
    source_id: int,
) -> int:
    """Insert an entry with its first actor, if there is one, and return the entry's id.

    Kinds that are not grouped are closed from the start.
    """
    row = await tx.insert(
        ids.shard_of(recipient_id),
        """
        WITH entry AS (
            INSERT INTO notifications (id, user_id, kind, photo_id, position, people, closed_at)
            VALUES ($1, $2, $3, $4, $1, CASE WHEN $5::bigint IS NULL THEN 0 ELSE 1 END, CASE WHEN $7 THEN now() END)
            ON CONFLICT (id) DO NOTHING RETURNING id),
        actor AS (
            INSERT INTO notification_actors (notification_id, actor_id, source_id)
            SELECT id, $5, $6 FROM entry WHERE $5 IS NOT NULL)
        SELECT id FROM entry""",
        recipient_id,
        kind.value,
        photo_id,
        actor_id,
        source_id,
        kind in _NEVER_GROUPED,
    )
    if row is None:
        raise NotFoundError("user")
    entry_id: int = row["id"]
    return entry_id


async def _add_actor(tx: Transaction, recipient_id: int, entry_id: int, *, actor_id: int | None, source_id: int) -> int:
    """Move an open entry to the top, unseen, with another actor, if there is one; return the entry's id."""
    await tx.execute(
        """
        WITH actor AS (
            INSERT INTO notification_actors (notification_id, actor_id, source_id)
            SELECT $1, $3, $4 WHERE $3::bigint IS NOT NULL
            ON CONFLICT (notification_id, actor_id, source_id)
            DO UPDATE SET created_at = excluded.created_at, retracted_at = NULL)
        UPDATE notifications SET position = greatest($2, position + 1), version = version + 1,
            updated_at = clock_timestamp(), seen_at = NULL, silent = false,
            -- The row that this statement inserts is not in its snapshot.
            people = CASE WHEN $3 IS NULL THEN people ELSE 1 + (
                SELECT count(DISTINCT actor_id) FROM notification_actors
                WHERE notification_id = $1 AND actor_id <> $3 AND retracted_at IS NULL) END
        WHERE id = $1""",
        entry_id,
        tx.new_id(ids.shard_of(recipient_id)),
        actor_id,
        source_id,
    )
    return entry_id


async def _restore(
    tx: Transaction, recorded_id: int, open_id: int | None, *, actor_id: int | None, source_id: int
) -> int:
    """Record a retracted activity again, without news; return the id of its entry."""
    # If the activity's entry is gone and others have opened another one, it moves there: a group has one open entry.
    entry_id: int = await tx.fetchval(
        """
        UPDATE notification_actors t SET retracted_at = NULL,
            notification_id = CASE WHEN n.deleted_at IS NULL THEN n.id ELSE coalesce($4::bigint, n.id) END
        FROM notifications n
        WHERE t.notification_id = $1 AND t.actor_id = $2 AND t.source_id = $3 AND n.id = $1
        RETURNING t.notification_id""",
        recorded_id,
        actor_id,
        source_id,
        open_id,
    )
    await _count_actors(tx, entry_id)
    return entry_id


async def _count_actors(tx: Transaction, entry_id: int) -> None:
    """Recalculate an entry's number of actors, without news; delete the entry if there are none."""
    await tx.execute(
        """
        UPDATE notifications n SET people = c.people, version = n.version + 1, silent = true,
            deleted_at = CASE WHEN c.people = 0 THEN now() END
        FROM (SELECT count(DISTINCT actor_id) AS people FROM notification_actors
              WHERE notification_id = $1 AND retracted_at IS NULL) AS c
        WHERE n.id = $1""",
        entry_id,
    )


async def _with_actors(db: Queryable, user_id: int, rows: Sequence[Row]) -> list[Notification]:
    """Return the entries of rows with their newest actors, read with one query."""
    actors: dict[int, list[UserSummary]] = {row["id"]: [] for row in rows}
    found = await db.fetch(
        f"""
        SELECT n.id AS entry_id, actor.* FROM unnest($1::bigint[]) AS n (id) CROSS JOIN LATERAL (
            SELECT {USER_SUMMARY} FROM notification_actors t JOIN users a ON a.id = t.actor_id
            WHERE t.notification_id = n.id AND t.retracted_at IS NULL AND a.deleted_at IS NULL
            GROUP BY a.id ORDER BY max(t.created_at) DESC, a.id DESC LIMIT $2) AS actor""",
        list(actors),
        _SHOWN_ACTORS,
    )
    for row in found:
        actors[row["entry_id"]].append(user_summary_of(row))
    return [_entry(user_id, row, actors[row["id"]]) for row in rows]


def _entry(user_id: int, row: Row, actors: Sequence[UserSummary]) -> Notification:
    kind = NotificationKind(row["kind"])
    names = [actor.username for actor in actors]
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
        text=sentence(kind, names, row["people"], reason=row["reason"]),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        seen=row["seen_at"] is not None,
        read=row["read_at"] is not None,
        silent=row["silent"],
    )
