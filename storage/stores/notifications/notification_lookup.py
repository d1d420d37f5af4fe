"""The state of an activity in its recipient's inbox, and whether the database still has what it reports.

Most of it is in the recipient's shard: likes and comments with the recipient's photo, follows and requests with their
side of the recipient. So one statement finds it. Mentions, replies and likes of comments are below photos of others, in
whose shards another statement looks them up before (`storage.stores.notifications.notification_sources`).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from storage.notification_channels import Channel
from storage.notifications import Activity, NotificationKind
from storage.postgres.database import Transaction
from storage.postgres.rows import Row
from storage.postgres.sharding import shard
from storage.stores.notifications import decision_notices, notification_sources, webhook_notices
from storage.stores.notifications.notification_rules import leaves, unmuted, wanted

SHOWN_ACTORS = 3
GROUPED_FOR = "interval '24 hours'"  # after which a group is closed, and a repeated activity is news again
# The newest actors of the entry `n`, one column for each. The array itself is not selected: the driver would ask for
# its type once for each connection.
NEWEST = ", ".join(f"n.newest_actors[{place}] AS actor{place}" for place in range(1, SHOWN_ACTORS + 1))

_SHARD = shard("$1")
# The entries of a kind ($2) in an inbox ($1), deleted ones included.
_OF_KIND = f"n.shard = {_SHARD} AND n.user_id = $1 AND n.kind = $2"

# Whether the activity of the actor $4 with the source $5 holds.
_HOLDS = {
    NotificationKind.LIKE: (
        f"EXISTS (SELECT 1 FROM likes l WHERE l.shard = {_SHARD} AND l.photo_id = $5 AND l.user_id = $4)"
    ),
    NotificationKind.COMMENT: (
        f"EXISTS (SELECT 1 FROM comments c WHERE c.shard = {_SHARD} AND c.id = $5 AND c.deleted_at IS NULL)"
    ),
    NotificationKind.FOLLOW: (
        f"EXISTS (SELECT 1 FROM followers f WHERE f.shard = {_SHARD} AND f.followee_id = $1 AND f.follower_id = $4)"
    ),
    NotificationKind.FOLLOW_REQUEST: (
        f"EXISTS (SELECT 1 FROM follow_requests r WHERE r.shard = {_SHARD} "
        "AND r.followee_id = $1 AND r.follower_id = $4)"
    ),
    NotificationKind.FOLLOW_ACCEPTED: (
        f"EXISTS (SELECT 1 FROM following f WHERE f.shard = {_SHARD} AND f.follower_id = $1 AND f.followee_id = $4)"
    ),
    NotificationKind.PHOTO_REJECTED: "true",
    NotificationKind.EXPORT_READY: "true",
    NotificationKind.MODERATION: (
        f"EXISTS (SELECT 1 FROM photos p WHERE p.shard = {_SHARD} AND p.id = $5 "
        "AND p.moderation ->> 'action' IN ('hide', 'sensitive'))"
    ),
    **dict.fromkeys(notification_sources.KINDS, "$6::boolean"),
    **dict.fromkeys((*decision_notices.KINDS, *webhook_notices.KINDS, NotificationKind.SECURITY), "true"),
}
# The comment at the top of the thread that the activity is in. A comment below the recipient's own photo is in the
# recipient's shard.
_THREADS = {
    **dict.fromkeys(notification_sources.KINDS, "$7::bigint"),
    NotificationKind.COMMENT: (
        f"(SELECT coalesce(c.reply_to, c.id) FROM comments c WHERE c.shard = {_SHARD} AND c.id = $5)"
    ),
}
# The actor's rows in another entry `n` count one actor once: groups of an earlier version have several comments of one.
_COUNTED = (
    f"EXISTS (SELECT 1 FROM notification_actors o WHERE o.shard = {_SHARD} AND o.notification_id = n.id "
    "AND o.actor_id = $4 AND o.retracted_at IS NULL"
)
# The newest entry that has the activity, one that does not have it retracted first. Its source is of one photo at most.
_RECORDED = f"""
    SELECT n.id AS recorded, n.deleted_at IS NOT NULL AS deleted, n.dismissed_at IS NOT NULL AS dismissed,
        t.retracted_at IS NOT NULL AS retracted,
        t.created_at > now() - {GROUPED_FOR} AS recent, {_COUNTED} AND o.source_id <> $5) AS recorded_counts
    FROM notification_actors t JOIN notifications n ON n.id = t.notification_id
    WHERE t.shard = {_SHARD} AND t.actor_id = $4 AND t.source_id = $5 AND {_OF_KIND}
    ORDER BY t.retracted_at IS NULL DESC, n.id DESC LIMIT 1"""
_WITHOUT_ACTOR = "false AS retracted, true AS recent, false AS recorded_counts"
# The same for PicShare itself, which has no row as an actor. $4 is NULL and $5 the photo, as $3 is; a photo has at most
# one entry.
_RECORDED_FOR_PICSHARE = f"""
    SELECT n.id AS recorded, false AS deleted, false AS dismissed, {_WITHOUT_ACTOR} FROM notifications n
    WHERE {_OF_KIND} AND n.photo_id = $5 AND n.deleted_at IS NULL LIMIT 1"""
# An entry does not say which export it is about, so one that was not read within a day counts for all.
_RECORDED_WITHOUT_SUBJECT = f"""
    SELECT n.id AS recorded, false AS deleted, false AS dismissed, {_WITHOUT_ACTOR} FROM notifications n
    WHERE {_OF_KIND} AND n.photo_id IS NULL AND $4::bigint IS NULL AND $5::bigint IS NOT NULL AND n.deleted_at IS NULL
      AND n.read_at IS NULL AND n.created_at > now() - {GROUPED_FOR}
    ORDER BY n.id DESC LIMIT 1"""
# An entry about a decision, a report or an event of security names it. One that its recipient has deleted is not
# recorded again.
_RECORDED_ABOUT_SUBJECT = f"""
    SELECT n.id AS recorded, n.deleted_at IS NOT NULL AS deleted, n.dismissed_at IS NOT NULL AS dismissed,
        {_WITHOUT_ACTOR}
    FROM notifications n
    WHERE {_OF_KIND} AND n.subject_id = $5 AND $4::bigint IS NULL
      AND (n.deleted_at IS NULL OR n.dismissed_at IS NOT NULL) LIMIT 1"""
# A webhook may fail again, which is news a day later, or once the entry was read.
_RECORDED_ABOUT_WEBHOOK = f"""
    SELECT n.id AS recorded, false AS deleted, false AS dismissed, {_WITHOUT_ACTOR} FROM notifications n
    WHERE {_OF_KIND} AND n.subject_id = $5 AND $4::bigint IS NULL AND n.deleted_at IS NULL
      AND n.read_at IS NULL AND n.created_at > now() - {GROUPED_FOR}
    ORDER BY n.id DESC LIMIT 1"""
_RECORDED_BY_KIND = {
    **dict.fromkeys((*decision_notices.KINDS, NotificationKind.SECURITY), _RECORDED_ABOUT_SUBJECT),
    **dict.fromkeys(webhook_notices.KINDS, _RECORDED_ABOUT_WEBHOOK),
    NotificationKind.PHOTO_REJECTED: _RECORDED_FOR_PICSHARE,
    NotificationKind.MODERATION: _RECORDED_FOR_PICSHARE,
    NotificationKind.EXPORT_READY: _RECORDED_WITHOUT_SUBJECT,
}


def _look_up(kind: NotificationKind) -> str:
    recorded = _RECORDED_BY_KIND.get(kind, _RECORDED)
    # The likes of each comment are a group of their own.
    subject = "$5::bigint" if kind is NotificationKind.COMMENT_LIKE else "0"
    # An account that muted another does not draw its attention by a mention either.
    muted = "" if kind is NotificationKind.MENTION else "AND m.outgoing"
    return f"""
    SELECT known.*, open.*, clock_timestamp() AS now, {_HOLDS[kind]} AS holds,
        NOT EXISTS (SELECT 1 FROM photos p WHERE p.shard = {_SHARD} AND p.id = $3 AND p.deleted_at IS NOT NULL)
        AND NOT EXISTS (SELECT 1 FROM mutes m WHERE m.shard = {_SHARD} AND m.owner_id = $1 AND m.other_id = $4
            {muted})
        AND NOT EXISTS (SELECT 1 FROM blocks b WHERE b.shard = {_SHARD} AND b.owner_id = $1 AND b.other_id = $4)
        AND {wanted(kind, Channel.INBOX)} AND {unmuted(kind, _THREADS.get(kind, "NULL"))} AS allowed,
        {wanted(kind, Channel.LIVE)} AS published, {leaves(kind)} AS leaves
    FROM users a
    LEFT JOIN LATERAL ({recorded}) AS known ON true
    LEFT JOIN LATERAL (
        SELECT n.id AS open, n.created_at <= now() - {GROUPED_FOR} AS expired, {_COUNTED}) AS open_counts, {NEWEST},
            (SELECT max(o.created_at) FROM notification_actors o
             WHERE o.shard = {_SHARD} AND o.notification_id = n.id AND o.retracted_at IS NULL) AS newest_at
        FROM notifications n
        WHERE {_OF_KIND} AND coalesce(n.photo_id, 0) = coalesce($3::bigint, 0)
          AND coalesce(n.comment_id, 0) = {subject}
          AND n.read_at IS NULL AND n.deleted_at IS NULL AND n.closed_at IS NULL) AS open ON true
    WHERE a.shard = {_SHARD} AND a.id = $1 AND a.deleted_at IS NULL"""


_FLAGS = (
    "holds",
    "allowed",
    "published",
    "leaves",
    "deleted",
    "dismissed",
    "retracted",
    "recent",
    "recorded_counts",
    "expired",
    "open_counts",
)
_LOOK_UP = {kind: _look_up(kind) for kind in NotificationKind}


class Situation(NamedTuple):
    """What an inbox has of an activity at the time `now` of the database.

    `holds` is whether the database has what the activity reports, `allowed` whether it may be recorded as far as the
    recipient's shard knows, `published` whether open pages are to show it, `leaves` whether it may go to a device or an
    address. `recorded` is the entry that has it, `dismissed` if the recipient has deleted that, `recent` if it was
    first recorded less than a day ago. `open` is the open entry of its group, `expired` if that is to be closed, with
    its newest actors and the time of the newest. `…_counts` is whether the actor is counted in the entry without this
    activity.
    """

    now: datetime
    holds: bool
    allowed: bool
    published: bool
    leaves: bool
    recorded: int | None
    deleted: bool
    dismissed: bool
    retracted: bool
    recent: bool
    recorded_counts: bool
    open: int | None
    expired: bool
    open_counts: bool
    newest_actors: list[int]
    newest_at: datetime | None


async def look_up(tx: Transaction, activity: Activity) -> Situation | None:
    """Return the situation of an activity, or None if the recipient's account is deleted."""
    elsewhere = activity.kind in notification_sources.KINDS
    row = await tx.fetchrow(
        _LOOK_UP[activity.kind],
        activity.recipient_id,
        activity.kind.value,
        activity.photo_id,
        activity.actor_id,
        activity.source_id,
        *(await notification_sources.find(tx, activity) if elsewhere else ()),
    )
    if row is None:
        return None
    fields: dict[str, Any] = {name: row[name] for name in ("now", "recorded", "open", "newest_at")}
    flags: dict[str, Any] = {name: bool(row[name]) for name in _FLAGS}
    return Situation(newest_actors=newest_actors_of(row), **fields, **flags)


def newest_actors_of(row: Row) -> list[int]:
    """Return the ids in the columns `NEWEST` of a row, newest first."""
    columns = (row[f"actor{place}"] for place in range(1, SHOWN_ACTORS + 1))
    return [actor_id for actor_id in columns if actor_id is not None]
