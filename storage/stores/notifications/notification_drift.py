"""The check of what entries keep about their actors, and its repair.

The number of actors and the newest of them follow each change of an actor's row
(`storage.stores.notifications.notification_actors`). They are counted again only here, to find out whether they are
still right. So is whether entries that their recipients have deleted are not shown, and whether activities that are
shown are not marked as hidden.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from storage.postgres.database import Queryable, Transaction
from storage.postgres.sharding import shard, shards
from storage.stores import inbox_lock
from storage.stores.notifications.notification_lookup import SHOWN_ACTORS

_SHARD = shard("$1")


def _counted(rows: str) -> str:
    """Return the query that counts and sorts the actors of entries again; `rows` is a condition on their rows `t`."""
    return f"""
        SELECT shard, notification_id, count(*)::integer AS people,
            (array_agg(actor_id ORDER BY newest DESC, actor_id DESC))[1:{SHOWN_ACTORS}] AS newest_actors,
            bool_or(hidden) AS hidden
        FROM (
            SELECT t.shard, t.notification_id, t.actor_id, max(t.created_at) AS newest, bool_or(t.hidden) AS hidden
            FROM notification_actors t
            WHERE {rows} AND t.retracted_at IS NULL GROUP BY t.shard, t.notification_id, t.actor_id) AS actors
        GROUP BY shard, notification_id"""


# The entries `n` with their actors `c` as counted again, where these differ.
_WRONG = (
    "(n.people <> coalesce(c.people, 0) OR n.newest_actors <> coalesce(c.newest_actors, '{}') "
    "OR coalesce(c.hidden, false) OR n.dismissed_at IS NOT NULL) AND n.deleted_at IS NULL"
)


class Checked(NamedTuple):
    """The entries that are wrong, as (recipient, entry), and the id to continue after, None at the end."""

    wrong: Sequence[tuple[int, int]]
    after: int | None


async def check(db: Queryable, *, after: int, limit: int) -> Checked:
    """Check the `limit` entries with the lowest ids above `after`."""
    page = await db.fetch(
        """
        /* all shards: the daily check of all entries */
        SELECT id FROM notifications WHERE id > $1 AND deleted_at IS NULL ORDER BY id LIMIT $2""",
        after,
        limit,
    )
    entry_ids = [row["id"] for row in page]
    # One statement has one snapshot on each server, and rows and entry change in the same transaction: so no lock is
    # needed.
    rows = await db.fetch(
        f"""
        SELECT n.id, n.user_id FROM notifications n
        LEFT JOIN ({_counted("t.shard = ANY($1::integer[]) AND t.notification_id = ANY($2::bigint[])")}) AS c
            ON c.shard = n.shard AND c.notification_id = n.id
        WHERE n.shard = ANY($1::integer[]) AND n.id = ANY($2::bigint[]) AND {_WRONG} ORDER BY n.id""",
        shards(entry_ids),
        entry_ids,
    )
    return Checked(
        wrong=[(row["user_id"], row["id"]) for row in rows],
        after=entry_ids[-1] if len(entry_ids) == limit else None,
    )


async def repair(tx: Transaction, *, recipient_id: int, entry_id: int) -> bool:
    """Correct an entry, without news; return whether it was still wrong.

    It is deleted if it has no actor, or if its recipient has deleted it. An activity that is shown is not hidden.
    """
    now = await inbox_lock.acquire(tx, recipient_id)
    # A process of the version before returns an activity without a change of this column.
    hidden = await tx.execute(
        "UPDATE notification_actors t SET hidden = false "
        f"WHERE t.shard = {_SHARD} AND t.notification_id = $1 AND t.hidden AND t.retracted_at IS NULL",
        entry_id,
    )
    counted = await tx.fetchrow(
        f"""
        SELECT coalesce(c.people, 0) AS people, coalesce(c.newest_actors, '{{}}') AS newest_actors,
            n.dismissed_at
        FROM notifications n
        LEFT JOIN ({_counted(f"t.shard = {_SHARD} AND t.notification_id = $1")}) AS c ON c.notification_id = n.id
        WHERE n.shard = {_SHARD} AND n.id = $1 AND {_WRONG}""",
        entry_id,
    )
    if counted is None:
        return bool(hidden)
    await tx.execute(
        "UPDATE notifications SET people = $2, newest_actors = $3, silent = true, deleted_at = $4 "
        f"WHERE shard = {_SHARD} AND id = $1",
        entry_id,
        counted["people"],
        counted["newest_actors"],
        counted["dismissed_at"] or (None if counted["people"] else now),
    )
    return True
