"""Mails about notifications: one that was not read for a while, and digests of what is new.

A delivery that is due requests its mail in the transaction that finishes it; the content is read when it is sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from locales.sentences import counted_sentence, marked, sentence
from storage.mail_events import MailRequested
from storage.mails import MailKind
from storage.notifications import Notification
from storage.postgres.database import Database
from storage.stores.accounts import email_addresses
from storage.stores.notifications import notifications
from workers.deliveries.port import SendOutcome, Sent
from workers.jobs.mails.mail_requests import MailRequest
from workers.mails.letter import Button, Item, Letter
from workers.web_push.notices import path_of


class NotificationMail:
    """The channel of single notifications, to verified addresses alone."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def reaches(self, user_id: int) -> bool:
        """Return whether the user has verified an address."""
        return await _is_verified(self._db, user_id)

    async def send(self, user_id: int, entry: Notification) -> Sent:
        """Request the mail about an entry with the end of its delivery."""
        # Decisions about accounts have mails of their own, which do not wait.
        if entry.decision_id is not None and entry.photo_id is None:
            return Sent(outcome=SendOutcome.GONE, error="mailed with the decision")
        params = {"kind": entry.kind.shown.value, "notification_id": entry.id}
        return _requested(user_id, MailKind.NOTIFICATION, params)


class NotificationDigest:
    """The channel of digests, to verified addresses alone."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def reaches(self, user_id: int) -> bool:
        """Return whether the user has verified an address."""
        return await _is_verified(self._db, user_id)

    async def send(self, user_id: int, notification_ids: Sequence[int], *, total: int) -> Sent:
        """Request the mail of a digest with the end of its delivery."""
        return _requested(user_id, MailKind.DIGEST, {"notification_ids": list(notification_ids), "total": total})


def list_of_notification(params: Mapping[str, Any]) -> str:
    """Return the list of mails that a mail about a notification belongs to: its kind."""
    return str(params["kind"])


async def notification(request: MailRequest) -> Letter | None:
    """Write the mail about a notification, unless it was read or removed by now."""
    entry_id = int(request.params["notification_id"])
    entry = (await notifications.by_ids(request.db, request.recipient.user_id, [entry_id])).get(entry_id)
    if entry is None or entry.read:
        return None
    excerpt = [] if entry.comment is None else [entry.comment.excerpt]
    return Letter(
        subject=entry.text,
        heading=entry.text,
        paragraphs=excerpt,
        button=Button(label=marked("Look at it on PicShare"), url=request.url(path_of(entry))),
        notes=[_settings(request)],
    )


async def digest(request: MailRequest) -> Letter | None:
    """Write the mail of a digest, unless all of it was seen by now."""
    ids = [int(each) for each in request.params["notification_ids"]]
    found = await notifications.by_ids(request.db, request.recipient.user_id, ids)
    unseen = [found[each] for each in ids if each in found and not (found[each].seen or found[each].read)]
    if not unseen:
        return None
    total = max(int(request.params["total"]), len(unseen))
    heading = counted_sentence("{count} new notification", "{count} new notifications", total)
    return Letter(
        subject=sentence("{heading} on PicShare", heading=heading),
        heading=heading,
        paragraphs=[marked("This has happened since you were last here.")],
        items=[_item(request, entry) for entry in unseen],
        button=Button(label=marked("See all notifications"), url=request.url("/notifications")),
        notes=[_settings(request)],
    )


def _item(request: MailRequest, entry: Notification) -> Item:
    excerpt = "" if entry.comment is None else entry.comment.excerpt
    return Item(title=entry.text, text=excerpt, url=request.url(path_of(entry)))


def _settings(request: MailRequest) -> str:
    return sentence("Choose what you are notified of: {url}", url=request.url("/settings/notifications"))


def _requested(user_id: int, kind: MailKind, params: Mapping[str, Any]) -> Sent:
    return Sent(
        outcome=SendOutcome.SENT, events=(MailRequested(user_id=user_id, kind=kind.value, params=dict(params)),)
    )


async def _is_verified(db: Database, user_id: int) -> bool:
    recipient = await email_addresses.recipient(db, user_id)
    return recipient is not None and recipient.verified
