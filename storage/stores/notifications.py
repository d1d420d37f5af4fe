"""Notifications: the activities of others, as their recipient reads them.

An entry of the inbox has one or more actors; `storage.stores.notification_groups` records them. Entries are in the
recipient's shard, and the accounts of their actors in others. So these are read by a statement of their own, without
deleted ones, whose activities are withdrawn at the end of a grace period.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

from storage import ids
from storage.models import CommentExcerpt, Notification, NotificationCounters, NotificationKind, UserSummary
from storage.moderation import from_document
from storage.postgres.database import Queryable
from storage.postgres.rows import Row
from storage.postgres.sharding import shard
from storage.stores import (
    account_lists,
    decision_notices,
    notification_sources,
    security_notices,
    waiting_activities,
    webhook_notices,
)
from storage.stores.decision_notices import Notice
from storage.stores.notification_lookup import NEWEST, newest_actors_of
from storage.stores.notification_sources import SourceComment
from storage.stores.notification_text import excerpt_of, sentence
from storage.stores.webhook_notices import WebhookNotice

_SHARD = shard("$1")
_OF_PHOTO = f"(SELECT {{column}} FROM photos p WHERE p.shard = {_SHARD} AND p.id = n.photo_id)"
_ENTRY = (
    "n.id, n.position, n.kind, n.photo_id, n.people, n.created_at, n.updated_at, n.seen_at, n.read_at, n.silent, "
    f"{NEWEST}, {_OF_PHOTO.format(column='p.reason')} AS reason, CASE WHEN n.kind = 'moderation' THEN "
    f"{_OF_PHOTO.format(column='p.moderation')} END AS moderation, "
    "comment.id AS comment_id, comment.text AS comment_text, comment.author_id AS comment_author, "
    "CASE WHEN n.kind <> 'comment' THEN n.comment_id END AS comment_elsewhere, n.subject_id, n.details"
)
# Entries, each with the comment below the recipient's photo that it is about. The shard of `n` is still to be named.
_ENTRIES = f"""
    notifications n LEFT JOIN LATERAL (
        SELECT c.id, c.text, c.author_id FROM comments c
        WHERE c.shard = {_SHARD} AND c.deleted_at IS NULL
          -- Other kinds may have very many actors.
          AND c.id = CASE WHEN n.kind = 'comment' THEN (
              SELECT max(t.source_id) FROM notification_actors t
              WHERE t.shard = {_SHARD} AND t.notification_id = n.id AND t.retracted_at IS NULL) END
        ) AS comment ON true"""

# The counters of the inbox $1, over its rows that are `_UNREAD`.
_COUNTERS = "count(*) FILTER (WHERE seen_at IS NULL) AS unseen, count(*) AS unread"
_UNREAD = f"shard = {_SHARD} AND user_id = $1 AND read_at IS NULL AND deleted_at IS NULL"

Accounts = Mapping[int, UserSummary]


class InboxState(NamedTuple):
    """An entry, None once it is deleted, the counters of its inbox, and whether activities are stored for it."""

    entry: Notification | None
    counters: NotificationCounters
    waiting: bool


async def inbox(db: Queryable, user_id: int, *, before: int | None, limit: int) -> list[Notification]:
    """Return entries with a `position` below `before`, the one with the newest activity first."""
    rows = await db.fetch(
        f"SELECT {_ENTRY} FROM {_ENTRIES} WHERE n.shard = {_SHARD} AND n.user_id = $1 AND n.deleted_at IS NULL "
        "AND n.position < $2 ORDER BY n.position DESC LIMIT $3",
        user_id,
        ids.MAX_ID if before is None else before,
        limit,
    )
    return await _with_accounts(db, user_id, rows)


async def by_ids(db: Queryable, user_id: int, entry_ids: Sequence[int]) -> dict[int, Notification]:
    """Return a user's entries by id; deleted ones are left out."""
    rows = await db.fetch(
        f"SELECT {_ENTRY} FROM {_ENTRIES} WHERE n.shard = {_SHARD} AND n.id = ANY($2::bigint[]) "
        "AND n.user_id = $1 AND n.deleted_at IS NULL",
        user_id,
        list(entry_ids),
    )
    return {entry.id: entry for entry in await _with_accounts(db, user_id, rows)}


async def inbox_state(
    db: Queryable, user_id: int, entry_id: int, *, accounts: Accounts = MappingProxyType({})
) -> InboxState:
    """Return what a change of an entry is published with, and whether there is more to do, with one query.

    Accounts of actors that are not in `accounts` take another one.
    """
    rows = await db.fetch(
        f"""
        SELECT c.unseen, c.unread, e.*, {waiting_activities.WAITING} AS waiting
        FROM (SELECT {_COUNTERS} FROM notifications WHERE {_UNREAD}) AS c
        LEFT JOIN LATERAL (
            SELECT {_ENTRY} FROM {_ENTRIES}
            WHERE n.shard = {_SHARD} AND n.id = $2 AND n.user_id = $1 AND n.deleted_at IS NULL) AS e ON true""",
        user_id,
        entry_id,
    )
    row = rows[0]  # the counters are there even without an entry
    entries = [] if row["id"] is None else await _with_accounts(db, user_id, [row], accounts)
    return InboxState(
        entry=entries[0] if entries else None,
        counters=NotificationCounters(unseen=row["unseen"], unread=row["unread"]),
        waiting=row["waiting"],
    )


async def counters(db: Queryable, user_id: int) -> NotificationCounters:
    """Return the numbers of entries that are not seen and not read."""
    (row,) = await db.fetch(f"SELECT {_COUNTERS} FROM notifications WHERE {_UNREAD}", user_id)
    return NotificationCounters(**dict(row))


async def counters_and_newest(db: Queryable, user_id: int) -> tuple[NotificationCounters, int | None]:
    """Return the counters of an inbox and the greatest `position` in it, None if it is empty."""
    (row,) = await db.fetch(
        f"SELECT {_COUNTERS}, (SELECT max(position) FROM notifications "
        f"WHERE shard = {_SHARD} AND user_id = $1 AND deleted_at IS NULL) AS newest "
        f"FROM notifications WHERE {_UNREAD}",
        user_id,
    )
    return NotificationCounters(unseen=row["unseen"], unread=row["unread"]), row["newest"]


async def _with_accounts(
    db: Queryable, user_id: int, rows: Sequence[Row], accounts: Accounts = MappingProxyType({})
) -> list[Notification]:
    """Return the entries of rows.

    Comments below photos of others are read with one query, and so are accounts that are not in `accounts`, and the
    decisions, reports and webhooks that entries are about.
    """
    elsewhere = {row["comment_elsewhere"] for row in rows if row["comment_elsewhere"] is not None}
    comments = await notification_sources.comments(db, user_id, elsewhere) if elsewhere else {}
    about = [_comment_of(row, comments) for row in rows]
    named = {actor_id for row in rows for actor_id in newest_actors_of(row)}
    named |= {comment.author_id for comment in about if comment is not None}
    unknown = named - accounts.keys()
    if unknown:
        accounts = {**accounts, **await account_lists.summaries(db, unknown)}
    return await _with_notices(db, user_id, rows, _entries(user_id, rows, about, accounts))


def _entries(
    user_id: int, rows: Sequence[Row], about: Sequence[SourceComment | None], accounts: Accounts
) -> list[Notification]:
    return [_entry(user_id, row, accounts, comment) for row, comment in zip(rows, about, strict=True)]


async def _with_notices(
    db: Queryable, user_id: int, rows: Sequence[Row], entries: list[Notification]
) -> list[Notification]:
    subjects = {row["id"]: row["subject_id"] for row in rows if row["subject_id"] is not None}
    kinds = {row["id"]: NotificationKind(row["kind"]) for row in rows}
    about = {(kinds[entry_id], subject_id) for entry_id, subject_id in subjects.items()}
    of_webhooks = {each for each in about if each[0] in webhook_notices.KINDS}
    of_decisions = {each for each in about if each[0] in decision_notices.KINDS}
    notices: dict[tuple[NotificationKind, int], Notice | WebhookNotice] = {}
    if of_decisions:
        notices |= await decision_notices.read(db, of_decisions)
    if of_webhooks:
        notices |= await webhook_notices.read(db, user_id, of_webhooks)
    return [_with_notice(entry, notices.get((kinds[entry.id], subjects.get(entry.id, 0)))) for entry in entries]


def _with_notice(entry: Notification, notice: Notice | WebhookNotice | None) -> Notification:
    match notice:
        case Notice(text, decision_id):
            return replace(entry, text=text, decision_id=decision_id)
        case WebhookNotice(text, webhook_id):
            return replace(entry, text=text, webhook_id=webhook_id)
        case _:
            return entry


def _comment_of(row: Row, elsewhere: Mapping[int, SourceComment]) -> SourceComment | None:
    """Return the comment that an entry is about, if it has one that the recipient may read."""
    if row["comment_elsewhere"] is not None:
        return elsewhere.get(row["comment_elsewhere"])
    if row["comment_id"] is None:
        return None
    return SourceComment(row["comment_id"], row["comment_text"], row["comment_author"])


def _entry(user_id: int, row: Row, accounts: Accounts, comment: SourceComment | None) -> Notification:
    kind = NotificationKind(row["kind"])
    security = security_notices.from_document(row["details"])
    moderation = None if row["moderation"] is None else from_document(row["moderation"])
    actors = tuple(accounts[actor_id] for actor_id in newest_actors_of(row) if actor_id in accounts)
    return Notification(
        id=row["id"],
        position=row["position"],
        user_id=user_id,
        kind=kind.shown,
        actors=actors,
        count=row["people"],
        photo_id=row["photo_id"],
        comment=CommentExcerpt(id=comment.id, excerpt=excerpt_of(comment.text))
        if comment is not None and comment.author_id in accounts
        else None,
        text=security_notices.text_of(security)
        if security is not None
        else sentence(
            kind,
            [actor.username for actor in actors],
            row["people"],
            reason=row["reason"] if moderation is None else moderation.reason,
            in_caption=row["comment_elsewhere"] is None,
            action=None if moderation is None else moderation.action,
        ),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        seen=row["seen_at"] is not None or row["read_at"] is not None,
        read=row["read_at"] is not None,
        silent=row["silent"],
        security=security,
    )
