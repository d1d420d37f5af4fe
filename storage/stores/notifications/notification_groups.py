"""Recording of activities: each is one actor row of an entry of the recipient's inbox.

The likes of a photo are one open entry of the inbox, and so are those of a comment, and new followers; comments,
replies, mentions and requests to follow are not grouped. An entry is closed when it is read, and a day after it was
created: the next activity creates another one.

Recording an activity again changes nothing, and retracting one marks exactly its row. An activity that is retracted and
repeated within a day returns silently: it neither moves its entry to the top nor makes it unseen.

An entry keeps the number of its actors and the newest three. Both follow each change of a row, so the cost of a change
does not depend on the number of actors. The caller of every function that changes an inbox holds the inbox's lock
(`storage.stores.inbox_lock`) and has looked the activity up (`storage.stores.notifications.notification_lookup`).

Rows and entries are in the recipient's shard, and the accounts of the actors in others. Times are those of the
database, as parameters: a cluster refuses functions of time in most of these places.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import NamedTuple

from storage import ids
from storage.errors import NotFoundError
from storage.events import NotificationChanged
from storage.models import UserSummary
from storage.notifications import Activity, NotificationKind
from storage.postgres.database import Transaction
from storage.postgres.sharding import shard
from storage.stores import account_lists
from storage.stores.notifications import (
    decision_notices,
    notification_actors,
    notification_removal,
    notification_sources,
    security_notices,
    webhook_notices,
)
from storage.stores.notifications.notification_lookup import SHOWN_ACTORS, Situation

# Kinds whose entries name what they are about.
_WITH_SUBJECT = (*decision_notices.KINDS, *webhook_notices.KINDS, NotificationKind.SECURITY)
_NEVER_GROUPED = (
    NotificationKind.COMMENT,
    NotificationKind.REPLY,
    NotificationKind.MENTION,
    NotificationKind.FOLLOW_REQUEST,
    NotificationKind.POST_BY,
    *_WITH_SUBJECT,
)
_SHARD = shard("$1")
_NEXT = timedelta(microseconds=1)


class Recorded(NamedTuple):
    """The entry of an activity.

    `repeated` if the activity had been recorded already, so that nothing changed; `news` if the recipient is to notice
    it, with the event about that, which is emitted if the news `leaves` the application. Without `published`, no open
    page is to show the change. `accounts` are those of actors that were read on the way.
    """

    entry_id: int
    repeated: bool = False
    news: NotificationChanged | None = None
    published: bool = True
    leaves: bool = False
    accounts: Mapping[int, UserSummary] = MappingProxyType({})


async def record(tx: Transaction, activity: Activity, found: Situation | None) -> Recorded | None:
    """Record an activity in the situation `found`; return None if it is not to be recorded.

    A new activity moves the entry to the top, unseen; one that is recorded already, read or not, changes nothing, also
    where the recipient has deleted its entry. The
    recipient's own activities are not recorded, nor those about deleted photos, of or for deleted accounts, of
    suspended ones, of limited ones that the recipient does not follow, or of users that the recipient mutes or that are
    blocked in either direction, nor what the recipient has muted or chosen not to get.
    """
    if found is None or not found.allowed or activity.actor_id == activity.recipient_id:
        return None
    if found.recorded is not None and not found.retracted:
        return Recorded(found.recorded, repeated=True, published=found.published)
    open_id = found.open
    if found.expired:
        await tx.execute(
            f"UPDATE notifications n SET closed_at = now() WHERE n.shard = {_SHARD} AND n.id = $1", open_id
        )
        open_id = None
    if activity.actor_id is None:
        created = await _create_entry(tx, activity, found)
        return Recorded(created, news=_news(activity, created), published=found.published, leaves=found.leaves)
    # An account that is deleted after this statement withdraws its activities at the end of its grace period.
    accounts, limited = await account_lists.actors(tx, {activity.actor_id, *found.newest_actors})
    unmet = activity.actor_id in limited and not await _follows(tx, activity.recipient_id, activity.actor_id)
    if unmet or activity.actor_id not in accounts:
        return None
    if found.recorded is not None and found.recent:
        # If the activity's entry is gone and others have opened another one, it moves there: a group has one open
        # entry.
        moved_to = open_id if found.deleted else None
        entry_id, counted = (
            (found.recorded, found.recorded_counts) if moved_to is None else (moved_to, found.open_counts)
        )
        await _restore(tx, activity, found, entry_id)
        await notification_actors.count(tx, activity.recipient_id, [entry_id], added=0 if counted else 1, now=found.now)
        return Recorded(entry_id, published=found.published, accounts=accounts)
    if open_id is None:
        entry_id = await _create_entry(tx, activity, found)
    else:
        entry_id = await _add_actor(tx, activity, found, open_id)
    return Recorded(
        entry_id, news=_news(activity, entry_id), published=found.published, leaves=found.leaves, accounts=accounts
    )


async def retract(tx: Transaction, activity: Activity, found: Situation | None) -> int | None:
    """Retract an activity and return the id of its entry, if there was one; an entry without actors is deleted."""
    if found is None or found.recorded is None or found.retracted or (found.deleted and not found.dismissed):
        return None
    if activity.actor_id is None:
        await notification_removal.entries(tx, activity.recipient_id, [found.recorded])
        return found.recorded
    await tx.execute(
        "UPDATE notification_actors t SET retracted_at = now() "
        f"WHERE t.shard = {_SHARD} AND t.notification_id = $1 AND t.actor_id = $2 AND t.source_id = $3",
        found.recorded,
        activity.actor_id,
        activity.source_id,
    )
    added = 0 if found.recorded_counts else -1
    await notification_actors.count(tx, activity.recipient_id, [found.recorded], added=added, now=found.now)
    return None if found.dismissed else found.recorded


def _news(activity: Activity, entry_id: int) -> NotificationChanged:
    """Return the event about a new activity of an entry."""
    kind = activity.kind.shown
    if activity.kind in _NEVER_GROUPED:
        group = f"{kind}:{ids.encode(entry_id)}"
    else:
        subject = activity.source_id if activity.kind is NotificationKind.COMMENT_LIKE else activity.photo_id
        group = kind.value if subject is None else f"{kind}:{ids.encode(subject)}"
    return NotificationChanged(user_id=activity.recipient_id, notification_id=entry_id, kind=kind.value, group=group)


async def _follows(tx: Transaction, recipient_id: int, actor_id: int) -> bool:
    found: bool = await tx.fetchval(
        f"SELECT EXISTS (SELECT 1 FROM following WHERE shard = {_SHARD} AND follower_id = $1 AND followee_id = $2)",
        recipient_id,
        actor_id,
    )
    return found


async def _create_entry(tx: Transaction, activity: Activity, found: Situation) -> int:
    """Insert an entry with its first actor, if there is one, and return the entry's id.

    Kinds that are not grouped are closed from the start.
    """
    actors = [] if activity.actor_id is None else [activity.actor_id]
    row = await tx.insert(
        ids.shard_of(activity.recipient_id),
        f"""
        WITH entry AS (
            INSERT INTO notifications
                (shard, id, user_id, kind, photo_id, position, people, newest_actors, closed_at, comment_id,
                 subject_id, details)
            VALUES ({_SHARD}, $1, $2, $3, $4, $1, $5, $6, $7, $11, $12, $13)
            ON CONFLICT (id, shard) DO NOTHING RETURNING shard, id),
        actor AS (
            INSERT INTO notification_actors (shard, notification_id, actor_id, source_id, created_at)
            SELECT entry.shard, entry.id, $8, $9, $10 FROM entry WHERE $8::bigint IS NOT NULL)
        SELECT id FROM entry""",
        activity.recipient_id,
        activity.kind.value,
        activity.photo_id,
        len(actors),
        actors,
        found.now if activity.kind in _NEVER_GROUPED else None,
        activity.actor_id,
        activity.source_id,
        found.now,
        notification_sources.comment_of(activity),
        activity.source_id if activity.kind in _WITH_SUBJECT else None,
        security_notices.to_document(activity.security),
    )
    if row is None:
        raise NotFoundError("user")
    entry_id: int = row["id"]
    return entry_id


async def _add_actor(tx: Transaction, activity: Activity, found: Situation, entry_id: int) -> int:
    """Move an open entry to the top, unseen, with another actor; return the entry's id."""
    # The row's time is later than that of every other one, also where the clock has stepped back: the actor becomes the
    # newest.
    created_at = found.now if found.newest_at is None else max(found.now, found.newest_at + _NEXT)
    await tx.execute(
        f"""
        WITH actor AS (
            INSERT INTO notification_actors (shard, notification_id, actor_id, source_id, created_at)
            VALUES ({_SHARD}, $1, $3, $4, $5)
            ON CONFLICT (notification_id, actor_id, source_id, shard)
            DO UPDATE SET created_at = excluded.created_at, retracted_at = NULL, hidden = false
            RETURNING notification_id)
        UPDATE notifications n SET position = greatest($2, n.position + 1), updated_at = $5,
            seen_at = NULL, silent = false, people = n.people + $6,
            newest_actors = ($3 || array_remove(n.newest_actors, $3))[1:{SHOWN_ACTORS}]
        FROM actor WHERE n.shard = {_SHARD} AND n.id = actor.notification_id""",
        entry_id,
        tx.new_id(ids.shard_of(activity.recipient_id)),
        activity.actor_id,
        activity.source_id,
        created_at,
        0 if found.open_counts else 1,
    )
    return entry_id


async def _restore(tx: Transaction, activity: Activity, found: Situation, entry_id: int) -> None:
    """Record a retracted activity again, in the entry `entry_id`."""
    await tx.execute(
        "UPDATE notification_actors t SET retracted_at = NULL, hidden = false, notification_id = $4 "
        f"WHERE t.shard = {_SHARD} AND t.notification_id = $1 AND t.actor_id = $2 AND t.source_id = $3",
        found.recorded,
        activity.actor_id,
        activity.source_id,
        entry_id,
    )
