"""The check of what entries keep about their actors, and its repair.

The number of actors and the newest of them follow each change of an actor's row (`storage.stores.notification_groups`).
They are counted again only here, to find out whether they are still right.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from storage.postgres.database import Queryable, Transaction
from storage.stores import inbox_lock
from storage.stores.notification_groups import newest_actors

# The actors of the entry `n`, counted and sorted again.
_COUNTED = f"""
    CROSS JOIN LATERAL (
        SELECT count(DISTINCT actor_id)::integer AS people, {newest_actors("n.id")} AS newest_actors
        FROM notification_actors WHERE notification_id = n.id AND retracted_at IS NULL) AS counted"""
_WRONG = "(n.people, n.newest_actors) IS DISTINCT FROM (counted.people, counted.newest_actors)"


class Checked(NamedTuple):
    """The entries that are wrong, as (recipient, entry), and the id to continue after, None at the end."""

    wrong: Sequence[tuple[int, int]]
    after: int | None


async def check(db: Queryable, *, after: int, limit: int) -> Checked:
    """Check the `limit` entries with the lowest ids above `after`."""
    # One statement has one snapshot, and rows and entry change in the same transaction: so no lock is needed.
    rows = await db.fetch(
        f"""
        SELECT n.id, n.user_id, {_WRONG} AS wrong
        FROM (SELECT * FROM notifications WHERE id > $1 AND deleted_at IS NULL ORDER BY id LIMIT $2) AS n {_COUNTED}
        ORDER BY n.id""",
        after,
        limit,
    )
    return Checked(
        wrong=[(row["user_id"], row["id"]) for row in rows if row["wrong"]],
        after=rows[-1]["id"] if len(rows) == limit else None,
    )


async def repair(tx: Transaction, *, recipient_id: int, entry_id: int) -> bool:
    """Correct an entry, without news, and delete it if it has no actor; return whether it was still wrong."""
    await inbox_lock.acquire(tx, recipient_id)
    repaired = await tx.execute(
        f"""
        UPDATE notifications SET people = right_now.people, newest_actors = right_now.newest_actors,
            version = version + 1, silent = true, deleted_at = CASE WHEN right_now.people = 0 THEN now() END
        FROM (SELECT n.id, counted.* FROM notifications n {_COUNTED}
              WHERE n.id = $1 AND n.deleted_at IS NULL AND {_WRONG}) AS right_now
        WHERE notifications.id = right_now.id""",
        entry_id,
    )
    return repaired > 0
