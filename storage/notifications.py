"""Notifications as values: what an inbox keeps of others' activities, and the events of an account's security."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from storage.models import UserSummary


class NotificationKind(StrEnum):
    """Kind of a notification; `storage.stores.notifications.notification_text` has the text of each.

    Decisions and answered appeals are stored under kinds of their own; users read them as `moderation` (`shown`).
    """

    LIKE = "like"
    COMMENT = "comment"
    FOLLOW = "follow"
    FOLLOW_REQUEST = "follow_request"
    FOLLOW_ACCEPTED = "follow_accepted"
    MENTION = "mention"
    REPLY = "reply"
    COMMENT_LIKE = "comment_like"
    POST_BY = "post_by"
    PHOTO_REJECTED = "photo_rejected"
    WEBHOOK_FAILING = "webhook_failing"
    WEBHOOK_DISABLED = "webhook_disabled"
    EXPORT_READY = "export_ready"
    MODERATION = "moderation"
    DECISION = "decision"
    APPEAL_ANSWERED = "appeal_answered"
    REPORT_ANSWERED = "report_answered"
    SECURITY = "security"

    @property
    def shown(self) -> NotificationKind:
        """Return the kind under which users read a notification of this one, filter it and count it."""
        decided = {NotificationKind.DECISION, NotificationKind.APPEAL_ANSWERED}
        return NotificationKind.MODERATION if self in decided else self

    @property
    def stored(self) -> frozenset[NotificationKind]:
        """Return the kinds of which users read notifications under this one."""
        return frozenset(kind for kind in NotificationKind if kind.shown is self)


class SecurityEvent(StrEnum):
    """What happened to an account that its owner is to know.

    `storage.stores.notifications.security_notices` has the sentences.
    """

    NEW_SIGN_IN = "new_sign_in"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105
    PASSWORD_RESET = "password_reset"  # noqa: S105
    EMAIL_CHANGED = "email_changed"
    FACTOR_ADDED = "factor_added"
    FACTOR_REMOVED = "factor_removed"
    PASSKEY_ADDED = "passkey_added"
    PROVIDER_LINKED = "provider_linked"
    TOKEN_CREATED = "token_created"  # noqa: S105
    APPLICATION_CONNECTED = "application_connected"


class NotificationMark(StrEnum):
    """Mark of a notification: it was shown on a screen, or opened, which implies seen."""

    SEEN = "seen"
    READ = "read"


@dataclass(frozen=True, kw_only=True, slots=True)
class SecurityNotice:
    """An event of an account's security, and the device from which it was caused, "" if that is unknown."""

    event: SecurityEvent
    device: str = ""


@dataclass(frozen=True, kw_only=True)
class Activity:
    """Something that concerns the recipient, as `storage.stores.notifications.notification_groups` records it.

    `actor_id` None is PicShare itself; `source_id` is the photo, comment or user that the activity is about, or the
    occasion of a `security` notice.
    """

    recipient_id: int
    kind: NotificationKind
    actor_id: int | None
    photo_id: int | None = None
    source_id: int
    security: SecurityNotice | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class CommentExcerpt:
    """The beginning of the comment that a notification is about, in one line."""

    id: int
    excerpt: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Notification:
    """A grouped entry of an inbox: `actors` newest first (at most three), `count` distinct actors in total.

    `position` grows with each new activity of the group. An inbox is sorted by it, and it is the cursor of a page.
    `silent` is set if the latest change is not to be announced. `decision_id` is the decision about the user that the
    entry is about, `webhook_id` the user's webhook, `security` what happened to the account.
    """

    id: int
    position: int = 0
    user_id: int
    kind: NotificationKind
    actors: tuple[UserSummary, ...]
    count: int
    photo_id: int | None
    comment: CommentExcerpt | None = None
    text: str
    created_at: datetime
    updated_at: datetime
    seen: bool
    read: bool
    silent: bool = False
    decision_id: int | None = None
    webhook_id: int | None = None
    security: SecurityNotice | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class NotificationCounters:
    """Number of a user's notifications that are not seen (the badge) and not opened.

    `kinds` has both numbers of each kind that has any, as users read kinds (`NotificationKind.shown`).
    """

    unseen: int
    unread: int
    kinds: Mapping[NotificationKind, tuple[int, int]] = field(default_factory=dict)
