"""Push messages about entries of the inbox: the text of each, the page that it opens, and how urgent it is."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import timedelta

from locales.catalogues import ENGLISH, translate
from locales.sentences import counted_sentence, marked, sentence
from storage.ids import encode
from storage.notifications import Notification, NotificationKind, SecurityEvent
from workers.web_push.port import PushAction, PushMessage, PushUrgency

ICON = "/static/icons/picshare-192.png"
MOST_MISSED = 100  # entries of a summary; more are not counted
_TOPIC_CHARACTERS = 32  # at most (RFC 8030, section 5.4)

# What a locked screen may show to everyone: neither names nor comments.
_HIDDEN = {
    NotificationKind.LIKE: marked("Your photo was liked"),
    NotificationKind.COMMENT: marked("You have a new comment"),
    NotificationKind.FOLLOW: marked("You have a new follower"),
    NotificationKind.FOLLOW_REQUEST: marked("You have a new follow request"),
    NotificationKind.FOLLOW_ACCEPTED: marked("Your follow request was accepted"),
    NotificationKind.MENTION: marked("You were mentioned"),
    NotificationKind.REPLY: marked("You have a new reply"),
    NotificationKind.COMMENT_LIKE: marked("Your comment was liked"),
    NotificationKind.POST_BY: marked("There is a new photo"),
    NotificationKind.SECURITY: marked("Your account has changed, or was signed in to"),
}
_HIDDEN_OTHERWISE = marked("You have a new notification")
# What is about the same photo, comment or user is one notification on a device, which the newest one replaces.
_GROUPED = frozenset({NotificationKind.LIKE, NotificationKind.COMMENT_LIKE, NotificationKind.FOLLOW})

# Kinds with a button (static/js/worker/push_messages.js has the requests of these names).
_ABOUT_COMMENTS = frozenset({NotificationKind.COMMENT, NotificationKind.REPLY, NotificationKind.MENTION})
_ABOUT_ACTORS = {
    NotificationKind.FOLLOW: ("follow", marked("Follow back")),
    NotificationKind.FOLLOW_REQUEST: ("accept", marked("Accept")),
}

# The pages of kinds that are about neither a photo nor another user.
_PAGES = {
    NotificationKind.EXPORT_READY: "/settings/data",
    NotificationKind.WEBHOOK_FAILING: "/settings/webhooks",
    NotificationKind.WEBHOOK_DISABLED: "/settings/webhooks",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class PushTerms:
    """How long a push service keeps a message for a browser that is offline, and how soon it wakes the device."""

    ttl: timedelta = timedelta(hours=24)
    urgency: PushUrgency = PushUrgency.NORMAL


# Of events of the account's security, where it is not the one about security.
_SECURITY_PAGES = {
    SecurityEvent.NEW_SIGN_IN: "/settings/sessions",
    SecurityEvent.TOKEN_CREATED: "/settings/tokens",
    SecurityEvent.APPLICATION_CONNECTED: "/settings/applications",
}
_USUAL = PushTerms()
_LIKES = PushTerms(ttl=timedelta(hours=4), urgency=PushUrgency.LOW)
_SECURITY = PushTerms(urgency=PushUrgency.HIGH)
_TERMS = {
    NotificationKind.LIKE: _LIKES,
    NotificationKind.COMMENT_LIKE: _LIKES,
    NotificationKind.SECURITY: _SECURITY,
    NotificationKind.DECISION: _SECURITY,
}


def terms_of(kind: NotificationKind) -> PushTerms:
    """Return the terms of a kind: likes wait for a device that is awake, what concerns the account does not."""
    return _TERMS.get(kind, _USUAL)


def topic_of(entry: Notification) -> str:
    """Return the topic of an entry, at most 32 characters of base64url: the same for all that are about the same.

    It is a hash, since the push service reads it.
    """
    about = entry.id
    if entry.kind in _GROUPED:
        about = entry.photo_id or (0 if entry.comment is None else entry.comment.id)
    return _hashed(f"{entry.user_id}:{entry.kind}:{about}")


def _hashed(key: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(key.encode()).digest()).decode()[:_TOPIC_CHARACTERS]


@dataclass(frozen=True, kw_only=True, slots=True)
class PushNotice:
    """What the browsers of a user are to show; `key` is the same each time that it is sent.

    `hidden_title` is the text for a browser that hides content, and `path` the page that a message opens.
    `entry` is what it is about, None for a summary.
    """

    key: tuple[int, int]
    title: str
    body: str = ""
    hidden_title: str
    path: str
    topic: str
    terms: PushTerms = _USUAL
    entry: Notification | None = None


def notice_of(entry: Notification) -> PushNotice:
    """Return the notice about an entry of the inbox."""
    return PushNotice(
        key=(entry.id, entry.position),
        title=entry.text,
        body="" if entry.comment is None else entry.comment.excerpt,
        hidden_title=_HIDDEN.get(entry.kind, _HIDDEN_OTHERWISE),
        path=path_of(entry),
        topic=topic_of(entry),
        terms=terms_of(entry.kind),
        entry=entry,
    )


def summary_of(user_id: int, summary_id: int, number: int) -> PushNotice:
    """Return the notice that there are so many more notifications, up to `MOST_MISSED`."""
    if number >= MOST_MISSED:
        text = sentence("{count}+ more notifications", count=number - 1)
    else:
        text = counted_sentence("You have another notification", "{count} more notifications", number)
    topic = _hashed(f"{user_id}:summary")
    return PushNotice(key=(summary_id, 0), title=text, hidden_title=text, path="/notifications", topic=topic)


def message_of(
    notice: PushNotice, *, public_url: str, unseen: int, hide_content: bool, language: str = ENGLISH
) -> PushMessage:
    """Return the message of a notice; its URLs begin with `public_url`, `unseen` is the number on the icon.

    A message that hides content has no buttons, which would say what it is about.
    """
    button = None if hide_content or notice.entry is None else button_of(notice.entry)
    navigate = public_url + notice.path
    return PushMessage(
        title=translate(notice.hidden_title if hide_content else notice.title, language),
        body="" if hide_content else notice.body,
        navigate=navigate,
        tag=notice.topic,
        icon=public_url + ICON,
        app_badge=unseen,
        language=language,
        actions=()
        if button is None
        else (PushAction(action=button[0], title=translate(button[1], language), navigate=navigate),),
    )


def button_of(entry: Notification) -> tuple[str, str] | None:
    """Return the action and the text of the button of an entry, None if it has none.

    It has one where a single step answers what has happened, and where that can be taken back on the page.
    """
    if entry.comment is not None and entry.kind in _ABOUT_COMMENTS:
        return f"like_comment:{encode(entry.comment.id)}", marked("Like")
    if entry.kind is NotificationKind.POST_BY and entry.count == 1 and entry.photo_id is not None:
        return f"like:{encode(entry.photo_id)}", marked("Like")
    if len(entry.actors) == 1 and entry.kind in _ABOUT_ACTORS:
        name, text = _ABOUT_ACTORS[entry.kind]
        return f"{name}:{encode(entry.actors[0].id)}", text
    return None


def path_of(entry: Notification) -> str:
    """Return the page that an entry leads to, as in the list of notifications."""
    if entry.photo_id is not None:
        comment = "" if entry.comment is None else f"?comment={encode(entry.comment.id)}"
        return f"/p/{encode(entry.photo_id)}{comment}"
    if entry.decision_id is not None:
        return "/settings/decisions"
    if entry.security is not None:
        return _SECURITY_PAGES.get(entry.security.event, "/settings/security")
    if entry.webhook_id is not None:
        return f"/settings/webhooks/{encode(entry.webhook_id)}"
    return _PAGES.get(entry.kind) or (f"/u/{entry.actors[0].username}" if entry.actors else "/notifications")
