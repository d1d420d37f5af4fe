"""The JSON of a notification and of the inbox's counters."""

from __future__ import annotations

from typing import Any

import orjson

from locales.sentences import Sentence
from storage.ids import encode
from storage.notifications import Notification, NotificationCounters
from storage.render.timestamps import timestamp
from storage.render.user_summary import user_summary_fields


def notification_json(notification: Notification) -> bytes:
    """Return a notification as the API and live messages represent it."""
    return orjson.dumps(notification_fields(notification))


def notification_fields(notification: Notification) -> dict[str, Any]:
    """Return the fields of a notification, ready for JSON."""
    comment, security = notification.comment, notification.security
    return {
        "id": encode(notification.id),
        "position": encode(notification.position),
        "kind": notification.kind,
        "actors": [user_summary_fields(actor) for actor in notification.actors],
        "count": notification.count,
        "photo_id": None if notification.photo_id is None else encode(notification.photo_id),
        "comment": None if comment is None else {"id": encode(comment.id), "excerpt": comment.excerpt},
        "decision_id": None if notification.decision_id is None else encode(notification.decision_id),
        "webhook_id": None if notification.webhook_id is None else encode(notification.webhook_id),
        "security": None if security is None else {"event": security.event, "device": security.device or None},
        "text": notification.text,
        "localized": notification.text.localized() if isinstance(notification.text, Sentence) else None,
        "created_at": timestamp(notification.created_at),
        "updated_at": timestamp(notification.updated_at),
        "seen": notification.seen,
        "read": notification.read,
    }


def counters_fields(counters: NotificationCounters) -> dict[str, Any]:
    """Return the fields of an inbox's counters; `kinds` has those of each kind that has any."""
    kinds = {kind.value: {"unseen": unseen, "unread": unread} for kind, (unseen, unread) in counters.kinds.items()}
    return {"unseen": counters.unseen, "unread": counters.unread, "kinds": kinds}
