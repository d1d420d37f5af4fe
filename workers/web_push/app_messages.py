"""Push messages to apps with Mastodon's interface: which of them an app gets, and what each contains."""

from __future__ import annotations

from collections.abc import Mapping

from storage.models import Relation
from storage.notifications import Notification, NotificationKind
from storage.push import AppPush, PushPolicy
from storage.render.user_summary import avatar_url
from workers.web_push.notices import ICON
from workers.web_push.port import AppMessage

KINDS: Mapping[NotificationKind, str] = {
    NotificationKind.LIKE: "favourite",
    NotificationKind.COMMENT_LIKE: "favourite",
    NotificationKind.COMMENT: "mention",
    NotificationKind.REPLY: "mention",
    NotificationKind.MENTION: "mention",
    NotificationKind.FOLLOW: "follow",
    NotificationKind.FOLLOW_REQUEST: "follow_request",
    NotificationKind.POST_BY: "status",
}
_OF_RELATION = {PushPolicy.FOLLOWED, PushPolicy.FOLLOWER}


def asks_for(app: AppPush, entry: Notification | None) -> bool:
    """Return whether an app wants an entry by its kind; it wants no summaries, for which Mastodon has no kind."""
    return entry is not None and bool(entry.actors) and KINDS.get(entry.kind) in app.alerts


def needs_relation(app: AppPush) -> bool:
    """Return whether the policy of an app is about the relation to the actor."""
    return app.policy in _OF_RELATION


def permits(app: AppPush, relation: Relation) -> bool:
    """Return whether the policy of an app permits messages about an actor that the user has a relation with."""
    match app.policy:
        case PushPolicy.ALL:
            return True
        case PushPolicy.FOLLOWED:
            return relation.following
        case PushPolicy.FOLLOWER:
            return relation.followed_by
        case PushPolicy.NONE:
            return False


def app_message_of(entry: Notification, *, token: str, public_url: str) -> AppMessage:
    """Return the message about an entry to the app with a token; the entry is of a kind in `KINDS`, with an actor."""
    return AppMessage(
        token=token,
        notification_id=entry.position,
        kind=KINDS[entry.kind],
        icon=public_url + (avatar_url(entry.actors[0]) or ICON),
        title=entry.text,
        body="" if entry.comment is None else entry.comment.excerpt,
    )
