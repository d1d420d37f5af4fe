"""Notifications: the activities of others, as their recipient reads them.

An entry of the inbox has one or more actors; `storage.stores.notifications.notification_groups` records them. Entries
are in the recipient's shard, and the accounts of their actors in others. So these are read by a statement of their own,
without deleted ones, whose activities are withdrawn at the end of a grace period.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

from storage import ids
from storage.models import UserSummary
from storage.moderation import from_document
from storage.notifications import CommentExcerpt, Notification, NotificationCounters, NotificationKind
from storage.postgres.database import Queryable
from storage.postgres.rows import Row
from storage.postgres.sharding import shard
from storage.stores import account_lists
from storage.stores.notifications import (
    decision_notices,
    notification_sources,
    security_notices,
    waiting_activities,
    webhook_notices,
)
from storage.stores.notifications.decision_notices import Notice
from storage.stores.notifications.notification_counters import COUNTERS, counters_of
from storage.stores.notifications.notification_lookup import NEWEST, newest_actors_of
from storage.stores.notifications.notification_sources import SourceComment
from storage.stores.notifications.notification_text import excerpt_of, sentence
from storage.stores.notifications.webhook_notices import WebhookNotice

_SHARD = shard("$1")
_OF_PHOTO = f"(SELECT {{column}} FROM photos p WHERE p.shard = {_SHARD} AND p.id = n.photo_id)"
_ENTRY = (
    "n.id, n.position, n.kind, n.photo_id, n.people, n.created_at, n.updated_at, n.seen_at, n.read_at, n.silent, "
    f"{NEWEST}, {_OF_PHOTO.format(column='p.reason')} AS reason, CASE WHEN n.kind = 'moderation' THEN "
    f"{_OF_PHOTO.format(column='p.moderation')} END AS moderation, "
    "comment.id AS comment_id, comment.text AS comment_text, comment.author_id AS comment_author, "
    "CASE WHEN n.kind <> 'comment' THEN n.comment_id END AS comment_elsewhere, n.subject_id, n.details"
)
# The comment below the recipient's photo that the entry `n` is about.
_COMMENT = f"""
    LEFT JOIN LATERAL (
        SELECT c.id, c.text, c.author_id FROM comments c
        WHERE c.shard = {_SHARD} AND c.deleted_at IS NULL
          -- Other kinds may have very many actors.
          AND c.id = CASE WHEN n.kind = 'comment' THEN (
              SELECT max(t.source_id) FROM notification_actors t
              WHERE t.shard = {_SHARD} AND t.notification_id = n.id AND t.retracted_at IS NULL) END
        ) AS comment ON true"""
_SHOWN = f"n.shard = {_SHARD} AND n.user_id = $1 AND n.deleted_at IS NULL"
_PAGE = f"{_SHOWN} AND n.position < $2"
# A page of the inbox $1: entries with positions below $2, at most $3 of them, of all kinds or of the kinds $4 alone.
_ALL_KINDS = f"SELECT {_ENTRY} FROM notifications n {_COMMENT} WHERE {_PAGE} ORDER BY n.position DESC LIMIT $3"
# The newest of each kind, from the index `notifications_kinds`, and of these the newest.
_SOME_KINDS = f"""
    SELECT {_ENTRY} FROM unnest($4::text[]) AS wanted (kind)
    CROSS JOIN LATERAL (
        SELECT n.* FROM notifications n WHERE {_PAGE} AND n.kind = wanted.kind ORDER BY n.position DESC LIMIT $3) AS n
    {_COMMENT} ORDER BY n.position DESC LIMIT $3"""

# The first page, and the counters, which are there also without an entry.
_WITH_COUNTERS = f"SELECT {COUNTERS} AS counters, page.* FROM (SELECT 1) AS one LEFT JOIN LATERAL"
_FIRST_OF_ALL_KINDS = f"{_WITH_COUNTERS} ({_ALL_KINDS}) AS page ON true ORDER BY page.position DESC"
_FIRST_OF_SOME_KINDS = f"{_WITH_COUNTERS} ({_SOME_KINDS}) AS page ON true ORDER BY page.position DESC"

Accounts = Mapping[int, UserSummary]


class InboxState(NamedTuple):
    """An entry, None once it is deleted, the counters of its inbox, and whether activities are stored for it."""

    entry: Notification | None
    counters: NotificationCounters
    waiting: bool


async def inbox(
    db: Queryable, user_id: int, *, before: int | None, limit: int, kinds: Collection[NotificationKind] | None = None
) -> list[Notification]:
    """Return entries with a `position` below `before`, the one with the newest activity first.

    With `kinds`, as users read them, only entries of these.
    """
    entries: list[Notification] = []
    while True:
        wanted = limit - len(entries)
        position = ids.MAX_ID if before is None else before
        if kinds is None:
            rows = await db.fetch(_ALL_KINDS, user_id, position, wanted)
        else:
            rows = await db.fetch(_SOME_KINDS, user_id, position, wanted, _stored(kinds))
        entries += await _with_accounts(db, user_id, rows)
        # Entries of which nothing can be shown are left out, and a page is short only at the end.
        if len(rows) < wanted or len(entries) >= limit:
            return entries
        before = rows[-1]["position"]


async def first_page(
    db: Queryable, user_id: int, *, limit: int, kinds: Collection[NotificationKind] | None = None
) -> tuple[list[Notification], NotificationCounters]:
    """Return the newest entries, as `inbox` does, and the counters of the inbox, with one query."""
    if kinds is None:
        rows = await db.fetch(_FIRST_OF_ALL_KINDS, user_id, ids.MAX_ID, limit)
    else:
        rows = await db.fetch(_FIRST_OF_SOME_KINDS, user_id, ids.MAX_ID, limit, _stored(kinds))
    found = [row for row in rows if row["id"] is not None]
    entries = await _with_accounts(db, user_id, found)
    if len(found) == limit and len(entries) < limit:
        last = found[-1]["position"]
        entries += await inbox(db, user_id, before=last, limit=limit - len(entries), kinds=kinds)
    return entries, counters_of(rows[0]["counters"])


def _stored(kinds: Collection[NotificationKind]) -> list[str]:
    """Return the kinds of rows that users read as `kinds`."""
    return sorted({stored.value for kind in kinds for stored in kind.stored})


async def by_ids(db: Queryable, user_id: int, entry_ids: Sequence[int]) -> dict[int, Notification]:
    """Return a user's entries by id; deleted ones are left out."""
    rows = await db.fetch(
        f"SELECT {_ENTRY} FROM notifications n {_COMMENT} WHERE {_SHOWN} AND n.id = ANY($2::bigint[])",
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
        SELECT {COUNTERS} AS counters, e.*, {waiting_activities.WAITING} AS waiting
        FROM (SELECT 1) AS one
        LEFT JOIN LATERAL (
            SELECT {_ENTRY} FROM notifications n {_COMMENT} WHERE {_SHOWN} AND n.id = $2) AS e ON true""",
        user_id,
        entry_id,
    )
    row = rows[0]  # the counters are there even without an entry
    entries = [] if row["id"] is None else await _with_accounts(db, user_id, [row], accounts)
    return InboxState(
        entry=entries[0] if entries else None, counters=counters_of(row["counters"]), waiting=row["waiting"]
    )


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
    entries = [
        _entry(user_id, row, accounts, comment)
        for row, comment in zip(rows, about, strict=True)
        if not _is_empty(row, accounts)
    ]
    return await _with_notices(db, user_id, rows, entries)


def _is_empty(row: Row, accounts: Accounts) -> bool:
    """Return whether all actors of an entry are hidden, so that nothing of it can be shown."""
    return row["people"] > 0 and _shown(row, accounts) == 0


def _shown(row: Row, accounts: Accounts) -> int:
    """Return the number of actors of an entry without those of its newest that are hidden.

    The worker "bulk" takes hidden actors out of entries (`storage.stores.notifications.hidden_actors`); this is for the
    time before.
    """
    people: int = row["people"]
    return people - sum(1 for actor_id in newest_actors_of(row) if actor_id not in accounts)


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
    count = _shown(row, accounts)
    security = security_notices.from_document(row["details"])
    moderation = None if row["moderation"] is None else from_document(row["moderation"])
    actors = tuple(accounts[actor_id] for actor_id in newest_actors_of(row) if actor_id in accounts)
    return Notification(
        id=row["id"],
        position=row["position"],
        user_id=user_id,
        kind=kind.shown,
        actors=actors,
        count=count,
        photo_id=row["photo_id"],
        comment=CommentExcerpt(id=comment.id, excerpt=excerpt_of(comment.text))
        if comment is not None and comment.author_id in accounts
        else None,
        text=security_notices.text_of(security)
        if security is not None
        else sentence(
            kind,
            [actor.username for actor in actors],
            count,
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
