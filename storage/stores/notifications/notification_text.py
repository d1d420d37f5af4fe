"""The text of a notification, and the beginning of a comment that it shows."""

from __future__ import annotations

from collections.abc import Sequence

from locales.sentences import Sentence, counted_sentence, marked
from storage.moderation import ModerationAction
from storage.notifications import NotificationKind

_EXCERPT = 140  # characters of a comment that a notification shows
_IN_CAPTION = marked("{actors} mentioned you in a caption")
# By the decision that applies to the photo.
_MODERATED = {
    ModerationAction.HIDE: marked("Your photo was hidden from others"),
    ModerationAction.SENSITIVE: marked("Your photo was marked as sensitive"),
}
_WITH_REASON = {NotificationKind.PHOTO_REJECTED, NotificationKind.MODERATION}
_SENTENCES = {
    NotificationKind.LIKE: marked("{actors} liked your photo"),
    NotificationKind.COMMENT: marked("{actors} commented on your photo"),
    NotificationKind.FOLLOW: marked("{actors} started following you"),
    NotificationKind.FOLLOW_REQUEST: marked("{actors} asked to follow you"),
    NotificationKind.FOLLOW_ACCEPTED: marked("{actors} accepted your request to follow"),
    NotificationKind.MENTION: marked("{actors} mentioned you in a comment"),
    NotificationKind.REPLY: marked("{actors} replied to your comment"),
    NotificationKind.COMMENT_LIKE: marked("{actors} liked your comment"),
    NotificationKind.PHOTO_REJECTED: marked("Your photo could not be shown"),
    NotificationKind.WEBHOOK_FAILING: marked("A webhook of yours is failing"),
    NotificationKind.WEBHOOK_DISABLED: marked("A webhook of yours was disabled"),
    NotificationKind.MODERATION: marked("Your photo was looked at by the moderators"),
    # `storage.stores.notifications.decision_notices` says what was decided.
    NotificationKind.DECISION: marked("The moderators have decided about your account or what you have posted"),
    NotificationKind.APPEAL_ANSWERED: marked("Your appeal was answered"),
    NotificationKind.REPORT_ANSWERED: marked("Your report was answered"),
    NotificationKind.POST_BY: marked("{actors} posted a photo"),
    NotificationKind.SECURITY: marked("Something happened to your account"),
    NotificationKind.EXPORT_READY: marked("Your export is ready to be downloaded"),
}


def sentence(
    kind: NotificationKind,
    names: Sequence[str],
    count: int,
    *,
    reason: str | None = None,
    in_caption: bool = False,
    action: ModerationAction | None = None,
) -> Sentence:
    """Return the text of a notification: `names` newest first, `count` actors in total.

    `reason` is that of a rejection or of the decision of moderation `action`. `in_caption` distinguishes a mention in a
    photo's caption from one in a comment.
    With three actors or more it has one name and a number: "ann and 3 others liked your photo".
    """
    in_caption = in_caption and kind is NotificationKind.MENTION
    template = _IN_CAPTION if in_caption else _SENTENCES[kind]
    if kind is NotificationKind.MODERATION and action in _MODERATED:
        template = _MODERATED[action]
    text = Sentence.made(template, None, {"actors": _actors(names, count)} if "{actors}" in template else {})
    if not reason or kind not in _WITH_REASON:
        return text
    return Sentence.made(marked("{text}: {reason}"), None, {"text": text, "reason": reason})


def _actors(names: Sequence[str], count: int) -> str:
    others = count - 1
    if not names:
        return marked("Someone") if count < 2 else counted_sentence("{count} person", "{count} people", count)
    if others < 1:
        return names[0]
    if others == 1 and len(names) > 1:
        return Sentence.made(marked("{first} and {second}"), None, {"first": names[0], "second": names[1]})
    return counted_sentence("{name} and {count} other", "{name} and {count} others", others, name=names[0])


def excerpt_of(text: str) -> str:
    """Return the beginning of a comment in one line, at most 140 characters; an ellipsis if it is cut."""
    line = " ".join(text.split())
    return line if len(line) <= _EXCERPT else line[: _EXCERPT - 1].rstrip() + "…"
