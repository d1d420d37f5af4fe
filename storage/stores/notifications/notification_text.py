"""The text of a notification, and the beginning of a comment that it shows."""

from __future__ import annotations

from collections.abc import Sequence

from storage.moderation import ModerationAction
from storage.notifications import NotificationKind

_EXCERPT = 140  # characters of a comment that a notification shows
_IN_CAPTION = "{actors} mentioned you in a caption"
# By the decision that applies to the photo.
_MODERATED = {
    ModerationAction.HIDE: "Your photo was hidden from others",
    ModerationAction.SENSITIVE: "Your photo was marked as sensitive",
}
_WITH_REASON = {NotificationKind.PHOTO_REJECTED, NotificationKind.MODERATION}
_SENTENCES = {
    NotificationKind.LIKE: "{actors} liked your photo",
    NotificationKind.COMMENT: "{actors} commented on your photo",
    NotificationKind.FOLLOW: "{actors} started following you",
    NotificationKind.FOLLOW_REQUEST: "{actors} asked to follow you",
    NotificationKind.FOLLOW_ACCEPTED: "{actors} accepted your request to follow",
    NotificationKind.MENTION: "{actors} mentioned you in a comment",
    NotificationKind.REPLY: "{actors} replied to your comment",
    NotificationKind.COMMENT_LIKE: "{actors} liked your comment",
    NotificationKind.PHOTO_REJECTED: "Your photo could not be shown",
    NotificationKind.WEBHOOK_FAILING: "A webhook of yours is failing",
    NotificationKind.WEBHOOK_DISABLED: "A webhook of yours was disabled",
    NotificationKind.MODERATION: "Your photo was looked at by the moderators",
    # `storage.stores.notifications.decision_notices` says what was decided.
    NotificationKind.DECISION: "The moderators have decided about your account or what you have posted",
    NotificationKind.APPEAL_ANSWERED: "Your appeal was answered",
    NotificationKind.REPORT_ANSWERED: "Your report was answered",
    NotificationKind.POST_BY: "{actors} posted a photo",
    NotificationKind.SECURITY: "Something happened to your account",
    NotificationKind.EXPORT_READY: "Your export is ready to be downloaded",
}


def sentence(
    kind: NotificationKind,
    names: Sequence[str],
    count: int,
    *,
    reason: str | None = None,
    in_caption: bool = False,
    action: ModerationAction | None = None,
) -> str:
    """Return the text of a notification: `names` newest first, `count` actors in total.

    `reason` is that of a rejection or of the decision of moderation `action`. `in_caption` distinguishes a mention in a
    photo's caption from one in a comment.
    With three actors or more it has one name and a number: "ann and 3 others liked your photo".
    """
    others = count - 1
    if not names:
        actors = "Someone" if count < 2 else f"{count} people"
    elif others < 1:
        actors = names[0]
    elif others == 1:
        actors = f"{names[0]} and {names[1] if len(names) > 1 else '1 other'}"
    else:
        actors = f"{names[0]} and {others} others"
    in_caption = in_caption and kind is NotificationKind.MENTION
    text = (_IN_CAPTION if in_caption else _SENTENCES[kind]).format(actors=actors)
    if kind is NotificationKind.MODERATION and action in _MODERATED:
        text = _MODERATED[action]
    return f"{text}: {reason}" if reason and kind in _WITH_REASON else text


def excerpt_of(text: str) -> str:
    """Return the beginning of a comment in one line, at most 140 characters; an ellipsis if it is cut."""
    line = " ".join(text.split())
    return line if len(line) <= _EXCERPT else line[: _EXCERPT - 1].rstrip() + "…"
