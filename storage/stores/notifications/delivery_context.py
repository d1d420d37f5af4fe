"""What a worker reads of notifications whose deliveries are due, to decide whether they are still wanted."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from storage.deliveries import Entry
from storage.notification_channels import OF_USERS, Preferences
from storage.notifications import Notification
from storage.postgres.database import Queryable
from storage.postgres.sharding import shard
from storage.stores import account_lists
from storage.stores.notifications import notification_preferences, notifications
from storage.stores.notifications.notification_preferences import Schedule
from storage.stores.social import muted_subjects

_ACTORS = 100  # the newest of an entry, among which users that the recipient follows are looked for

_FOLLOWED = f"""
    SELECT n.id FROM notifications n WHERE n.shard = {shard("$1")} AND n.id = ANY($2::bigint[]) AND EXISTS (
        SELECT 1 FROM (
            SELECT t.actor_id FROM notification_actors t
            WHERE t.shard = {shard("$1")} AND t.notification_id = n.id AND t.retracted_at IS NULL
            ORDER BY t.created_at DESC LIMIT {_ACTORS}) AS newest
        JOIN following f ON f.shard = {shard("$1")} AND f.follower_id = $1 AND f.followee_id = newest.actor_id)"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """The choices of a user, and of some notifications those that still are, with what a decision needs of each."""

    preferences: Preferences
    schedule: Schedule
    notifications: Mapping[int, Notification]
    entries: Mapping[int, Entry]


async def read(db: Queryable, user_id: int, notification_ids: Sequence[int]) -> Context | None:
    """Return the context of some notifications of a user, None once the account is deleted."""
    if not await _exists(db, user_id):
        return None
    preferences = await notification_preferences.preferences(db, user_id)
    schedule = await notification_preferences.schedule(db, user_id)
    found = await notifications.by_ids(db, user_id, notification_ids) if notification_ids else {}
    followed = await _with_followed(db, user_id, found) if found else set()
    ignored = await _ignored(db, user_id, {actor.id for entry in found.values() for actor in entry.actors})
    muted = await _muted(db, user_id, found.values())
    entries = {
        entry.id: Entry(
            kind=entry.kind,
            read=entry.read,
            updated_at=entry.updated_at,
            followed=entry.id in followed,
            blocked=entry.id in muted
            or (entry.kind in OF_USERS and all(actor.id in ignored for actor in entry.actors)),
        )
        for entry in found.values()
    }
    return Context(preferences=preferences, schedule=schedule, notifications=found, entries=entries)


async def _exists(db: Queryable, user_id: int) -> bool:
    found: bool | None = await db.fetchval(
        f"SELECT true FROM users WHERE shard = {shard('$1')} AND id = $1 AND deleted_at IS NULL", user_id
    )
    return bool(found)


async def _with_followed(db: Queryable, user_id: int, notification_ids: Collection[int]) -> set[int]:
    return {row["id"] for row in await db.fetch(_FOLLOWED, user_id, list(notification_ids))}


async def _ignored(db: Queryable, user_id: int, actor_ids: Collection[int]) -> set[int]:
    """Return which actors are deleted, suspended, muted, or separated from the user by a block."""
    if not actor_ids:
        return set()
    rows = await db.fetch(
        f"SELECT other_id FROM mutes WHERE shard = {shard('$1')} AND owner_id = $1 AND outgoing "
        "AND other_id = ANY($2::bigint[])",
        user_id,
        list(actor_ids),
    )
    return {row["other_id"] for row in rows} | await account_lists.hidden(db, actor_ids, viewer_id=user_id)


async def _muted(db: Queryable, user_id: int, found: Collection[Notification]) -> set[int]:
    """Return which notifications are about photos or threads that the user has muted."""
    of_users = [entry for entry in found if entry.kind in OF_USERS and entry.photo_id is not None]
    muted = await muted_subjects.below(db, user_id, {entry.photo_id for entry in of_users if entry.photo_id})
    return {entry.id for entry in of_users if await _is_muted(db, entry, muted)}


async def _is_muted(db: Queryable, entry: Notification, muted: Mapping[int, Collection[int]]) -> bool:
    subjects = muted.get(entry.photo_id or 0, ())
    if not subjects or entry.photo_id in subjects:
        return bool(subjects)
    return entry.comment is not None and await muted_subjects.top_of(db, entry.comment.id) in subjects
