"""Recording of activities: each is one actor row of an entry of the recipient's inbox.

The likes of a photo are one open entry of the inbox, and so are new followers; comments and requests to follow are not
grouped. An entry is closed when it is read, and a day after it was created: the next activity creates another one.

Recording an activity again changes nothing, and retracting one marks exactly its row. An activity that is retracted and
repeated within a day returns silently: it neither moves its entry to the top nor makes it unseen.

An entry keeps the number of its actors and the newest three. Both follow each change of a row, so the cost of a change
does not depend on the number of actors. The caller of every function that changes an inbox holds the inbox's lock
(`storage.stores.inbox_lock`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from storage import ids
from storage.errors import NotFoundError
from storage.models import NotificationKind
from storage.postgres.database import Queryable, Transaction
from storage.postgres.rows import Row
from storage.postgres.visibility import unblocked

SHOWN_ACTORS = 3
_GROUPED_FOR = "interval '24 hours'"  # after which a group is closed, and a repeated activity is news again
_NEVER_GROUPED = (NotificationKind.COMMENT, NotificationKind.FOLLOW_REQUEST)
# The entries of an inbox ($1) for a kind ($3) and a photo ($4, or NULL), deleted ones included.
_SAME_GROUP = "n.user_id = $1 AND n.kind = $3 AND n.photo_id IS NOT DISTINCT FROM $4"
# Of the row `t` of an activity: whether it is the only one of its actor in the entry, so that its actor counts with it.
# Groups of an earlier version have several comments of one actor.
_COUNTS = (
    "NOT EXISTS (SELECT FROM notification_actors o WHERE o.notification_id = t.notification_id "
    "AND o.actor_id = t.actor_id AND o.source_id <> t.source_id AND o.retracted_at IS NULL)"
)


def newest_actors(entry_id: str) -> str:
    """Return the SQL expression for the array of an entry's newest actors; `entry_id` is an SQL expression.

    The index `notification_actors_newest` is read once for each of them.
    """
    newest = (
        f"SELECT actor_id FROM notification_actors WHERE notification_id = {entry_id} AND retracted_at IS NULL "
        "{others} ORDER BY created_at DESC, actor_id DESC LIMIT 1"
    )
    return f"""coalesce((
        WITH RECURSIVE newest (actors) AS (
            (SELECT ARRAY[first.actor_id] FROM ({newest.format(others="")}) AS first)
            UNION ALL
            SELECT actors || next.actor_id FROM newest
            CROSS JOIN LATERAL ({newest.format(others="AND actor_id <> ALL(actors)")}) AS next
            WHERE cardinality(actors) < {SHOWN_ACTORS})
        SELECT actors FROM newest ORDER BY cardinality(actors) DESC LIMIT 1), '{{}}'::bigint[])"""


class Recorded(NamedTuple):
    """The entry of an activity.

    `repeated` if the activity had been recorded already, so that nothing changed; `news` if the recipient is to notice.
    """

    entry_id: int
    repeated: bool = False
    news: bool = False


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
    the recipient mutes or that are blocked in either direction.
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
        return Recorded(entry_id)
    if open_id is not None:
        entry_id = await _add_actor(tx, recipient_id, open_id, actor_id=actor_id, source_id=source_id)
    else:
        entry_id = await _create_entry(
            tx, recipient_id, kind=kind, photo_id=photo_id, actor_id=actor_id, source_id=source_id
        )
    return Recorded(entry_id, news=True)


async def retract(
    tx: Transaction,
    *,
    recipient_id: int,
    kind: NotificationKind,
    actor_id: int,
    photo_id: int | None,
    source_id: int,
) -> int | None:
    """Retract an activity and return the id of its entry, if there was one; an entry without actors is deleted."""
    row = await tx.fetchrow(
        f"""
        UPDATE notification_actors t SET retracted_at = now() FROM notifications n
        WHERE t.actor_id = $2 AND t.source_id = $5 AND t.retracted_at IS NULL
          AND n.id = t.notification_id AND n.deleted_at IS NULL AND {_SAME_GROUP}
        RETURNING t.notification_id, {_COUNTS} AS counts""",
        recipient_id,
        actor_id,
        kind.value,
        photo_id,
        source_id,
    )
    if row is None:
        return None
    entry_id: int = row["notification_id"]
    await _change(tx, {entry_id: -1 if row["counts"] else 0})
    return entry_id


async def retract_actor(tx: Transaction, *, recipient_id: int, actor_id: int, entry_ids: Sequence[int]) -> list[int]:
    """Remove a user's activities from entries of an inbox, also retracted ones; return the entries that have changed.

    Entries without actors are deleted. Entries that were deleted before are not returned.
    """
    rows = await tx.fetch(
        """
        DELETE FROM notification_actors t USING notifications n
        WHERE t.notification_id = ANY($3::bigint[]) AND t.actor_id = $2 AND n.id = t.notification_id AND n.user_id = $1
        RETURNING n.id, t.retracted_at IS NULL AS counted, n.deleted_at IS NULL AS shown""",
        recipient_id,
        actor_id,
        entry_ids,
    )
    await _change(tx, {row["id"]: -1 for row in rows if row["counted"]})
    return sorted({row["id"] for row in rows if row["counted"] and row["shown"]})


async def entries_of(
    db: Queryable, actor_id: int, *, recipient_id: int | None = None, limit: int
) -> dict[int, list[int]]:
    """Return the entries of up to `limit` activities of a user, also retracted ones, by recipient."""
    rows = await db.fetch(
        """
        SELECT n.user_id, n.id FROM notification_actors t JOIN notifications n ON n.id = t.notification_id
        WHERE t.actor_id = $1 AND ($2::bigint IS NULL OR n.user_id = $2) LIMIT $3""",
        actor_id,
        recipient_id,
        limit,
    )
    found: dict[int, list[int]] = {}
    for row in rows:
        found.setdefault(row["user_id"], []).append(row["id"])
    return {user_id: sorted(set(entry_ids)) for user_id, entry_ids in sorted(found.items())}


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
            INSERT INTO notifications (id, user_id, kind, photo_id, position, people, newest_actors, closed_at)
            VALUES ($1, $2, $3, $4, $1, CASE WHEN $5::bigint IS NULL THEN 0 ELSE 1 END,
                array_remove(ARRAY[$5], NULL), CASE WHEN $7 THEN now() END)
            ON CONFLICT (id) DO NOTHING RETURNING id),
        actor AS (
            INSERT INTO notification_actors (notification_id, actor_id, source_id, created_at)
            SELECT id, $5, $6, clock_timestamp() FROM entry WHERE $5 IS NOT NULL)
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
    # The row's time is later than that of every other one, also where the clock has stepped back: the actor becomes the
    # newest.
    await tx.execute(
        """
        WITH newest AS (
            SELECT max(created_at) AS created_at FROM notification_actors
            WHERE notification_id = $1 AND retracted_at IS NULL),
        actor AS (
            INSERT INTO notification_actors (notification_id, actor_id, source_id, created_at)
            SELECT $1, $3, $4, greatest(clock_timestamp(), newest.created_at + interval '1 microsecond')
            FROM newest WHERE $3::bigint IS NOT NULL
            ON CONFLICT (notification_id, actor_id, source_id)
            DO UPDATE SET created_at = excluded.created_at, retracted_at = NULL)
        UPDATE notifications SET position = greatest($2, position + 1), version = version + 1,
            updated_at = clock_timestamp(), seen_at = NULL, silent = false,
            newest_actors = CASE WHEN $3 IS NULL THEN newest_actors
                ELSE ($3 || array_remove(newest_actors, $3))[1:$5] END,
            -- The row that this statement inserts is not in its snapshot.
            people = people + CASE WHEN $3 IS NULL OR EXISTS (
                SELECT FROM notification_actors
                WHERE notification_id = $1 AND actor_id = $3 AND retracted_at IS NULL) THEN 0 ELSE 1 END
        WHERE id = $1""",
        entry_id,
        tx.new_id(ids.shard_of(recipient_id)),
        actor_id,
        source_id,
        SHOWN_ACTORS,
    )
    return entry_id


async def _restore(
    tx: Transaction, recorded_id: int, open_id: int | None, *, actor_id: int | None, source_id: int
) -> int:
    """Record a retracted activity again, without news; return the id of its entry."""
    # If the activity's entry is gone and others have opened another one, it moves there: a group has one open entry.
    row = await tx.fetchrow(
        f"""
        UPDATE notification_actors t SET retracted_at = NULL,
            notification_id = CASE WHEN n.deleted_at IS NULL THEN n.id ELSE coalesce($4::bigint, n.id) END
        FROM notifications n
        WHERE t.notification_id = $1 AND t.actor_id = $2 AND t.source_id = $3 AND n.id = $1
        RETURNING t.notification_id, {_COUNTS} AS counts""",
        recorded_id,
        actor_id,
        source_id,
        open_id,
    )
    if row is None:
        raise NotFoundError("notification")
    entry_id: int = row["notification_id"]
    await _change(tx, {entry_id: 1 if row["counts"] else 0})
    return entry_id


async def _change(tx: Transaction, changes: Mapping[int, int]) -> None:
    """Add to the numbers of actors of entries and find the newest again, without news.

    `changes` maps the ids of entries to what is added. An entry is deleted when it loses its last actor, and restored
    when it has one again.
    """
    await tx.execute(
        f"""
        UPDATE notifications n SET people = people + c.added, newest_actors = {newest_actors("n.id")},
            version = version + 1, silent = true,
            deleted_at = CASE WHEN people + c.added = 0 THEN coalesce(deleted_at, now())
                WHEN c.added <= 0 THEN deleted_at END
        FROM unnest($1::bigint[], $2::integer[]) AS c (id, added) WHERE n.id = c.id""",
        list(changes),
        list(changes.values()),
    )
