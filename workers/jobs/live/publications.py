"""Publications to live clients: the names of the topics, and the JSON document of each publication.

Every document has a `type`. Both the workers and the recovery of streams build documents here, so a publication that
is recovered is equal to one that is delivered at once. Photos, comments and notifications are passed in as JSON.
"""

from __future__ import annotations

from typing import Any

import orjson

from channels.bus import addressing
from channels.contract.ports import Presence
from storage.ids import encode, slot_group
from storage.models import CommentState, Photo, PhotoCounters, User
from storage.notifications import Notification, NotificationCounters, NotificationMark
from storage.render.comment import comment_state_fields
from storage.render.notification import counters_fields, notification_fields
from storage.render.photo import description_fields
from storage.render.timestamps import timestamp_of
from storage.render.user_summary import banner_url, user_summary_fields
from storage.render.webhook import attempt_fields
from storage.stores.notifications.notification_marks import Selection
from storage.stores.photos.photo_items import pictures_of
from storage.webhooks import Attempt, EndpointState

FEED = "feed"
NOTIFICATIONS = "notifications"
WEBHOOK = "webhook"
PRESENCE = "presence"
PHOTO_TOPICS = "photo:"  # how the topics of photos begin
PUBLIC_TOPIC = "public"  # of new photos that everyone may see


def photo_topic(photo_id: int) -> str:
    """Return the topic of a photo's likes and comments."""
    return f"{PHOTO_TOPICS}{encode(photo_id)}"


def user_topic(user_id: int) -> str:
    """Return the topic of a user's new photos, name, avatar and banner."""
    return f"user:{encode(user_id)}"


def presence_topic(user_id: int) -> str:
    """Return the topic of a user's presence."""
    return addressing.presence_topic(slot_group(user_id), user_id)


def webhook_topic(endpoint_id: int) -> str:
    """Return the topic of the attempts at a webhook's endpoint."""
    return f"{WEBHOOK}:{encode(endpoint_id)}"


def photo_new(photo: bytes) -> bytes:
    """Return the document of a new photo, from the photo's JSON."""
    return b'{"type":"photo.new","photo":%b}' % photo


def user_changed(user: User) -> bytes:
    """Return the document of a changed name, avatar or banner."""
    return orjson.dumps({"type": "user.changed", "user": user_summary_fields(user) | {"banner_url": banner_url(user)}})


def photo_edited(photo: Photo) -> bytes:
    """Return the document of an edited photo: the fields that its author can edit, and `edited_at`.

    `items` are its pictures, also of a photo with one: it may have had more.
    """
    items = [{"sha256": picture.sha256, "alt_text": picture.alt_text} for picture in pictures_of(photo)]
    fields = {"type": "photo.edited", "photo_id": encode(photo.id), **description_fields(photo), "items": items}
    return orjson.dumps(fields)


def photo_removed(photo_id: int) -> bytes:
    """Return the document of a deleted photo."""
    return orjson.dumps({"type": "photo.removed", "photo_id": encode(photo_id)})


def account_hidden(user_id: int) -> bytes:
    """Return the document of an account that was suspended or deleted, with all that it has posted."""
    return orjson.dumps({"type": "account.hidden", "user_id": encode(user_id)})


def photo_liked(counters: PhotoCounters) -> bytes:
    """Return the document of a like, with the counters after it."""
    return _counted("photo.liked", counters)


def photo_unliked(counters: PhotoCounters) -> bytes:
    """Return the document of a removed like, with the counters after it."""
    return _counted("photo.unliked", counters)


def photo_commented(counters: PhotoCounters, comment: bytes, parent: CommentState | None = None) -> bytes:
    """Return the document of a new comment or reply, from its JSON; `parent` is the comment that a reply is below."""
    return b'%b,"comment":%b}' % (_counted("photo.commented", counters, **_parent(parent))[:-1], comment)


def comment_deleted(counters: PhotoCounters, comment_id: int, parent: CommentState | None = None) -> bytes:
    """Return the document of a deleted comment or reply; `parent` is the comment that a reply was below."""
    return _counted("photo.comment_deleted", counters, comment_id=encode(comment_id), **_parent(parent))


def comment_edited(photo_id: int, comment: bytes) -> bytes:
    """Return the document of an edited comment, from the comment's JSON."""
    return b'{"type":"photo.comment_edited","photo_id":"%b","comment":%b}' % (encode(photo_id).encode(), comment)


def comment_liked(photo_id: int, state: CommentState, *, liked: bool) -> bytes:
    """Return the document of a like of a comment, or of its removal."""
    return _comment_changed("photo.comment_liked" if liked else "photo.comment_unliked", photo_id, state)


def comment_pinned(photo_id: int, state: CommentState) -> bytes:
    """Return the document of a comment that was pinned or unpinned."""
    return _comment_changed("photo.comment_pinned" if state.pinned else "photo.comment_unpinned", photo_id, state)


def notification_new(notification: Notification, counters: NotificationCounters) -> bytes:
    """Return the document of a notification with a new activity, which clients announce."""
    return _notified("notification", notification, counters)


def notification_changed(notification: Notification, counters: NotificationCounters) -> bytes:
    """Return the document of a notification that changed without news, which clients only show."""
    return _notified("notification.changed", notification, counters)


def notification_removed(notification_id: int, counters: NotificationCounters) -> bytes:
    """Return the document of a notification whose activities are all retracted."""
    fields = {"type": "notification.removed", "notification_id": encode(notification_id)}
    return orjson.dumps({**fields, "counters": counters_fields(counters)})


def notifications_marked(mark: NotificationMark, counters: NotificationCounters, chosen: Selection) -> bytes:
    """Return the document of notifications that another device marked."""
    return _chosen({"type": "notifications.marked", "mark": mark}, counters, chosen)


def notifications_removed(counters: NotificationCounters, chosen: Selection) -> bytes:
    """Return the document of notifications that another device deleted: by their ids, or those chosen that are read."""
    read = {} if chosen.entry_ids is not None else {"read": True}
    return _chosen({"type": "notifications.removed", **read}, counters, chosen)


def presence_changed(user_id: int, presence: Presence) -> bytes:
    """Return the document of a change of presence."""
    return orjson.dumps({"type": PRESENCE, "user_id": encode(user_id), **presence_fields(presence)})


def presence_fields(presence: Presence) -> dict[str, bool | str]:
    """Return the JSON fields of a presence; `last_seen` is present for an offline user whose last visit is known."""
    if presence.last_seen is None:
        return {"online": presence.online}
    return {"online": presence.online, "last_seen": timestamp_of(presence.last_seen)}


def _notified(kind: str, notification: Notification, counters: NotificationCounters) -> bytes:
    fields = {"type": kind, "notification": notification_fields(notification)}
    return orjson.dumps({**fields, "counters": counters_fields(counters)})


def _chosen(fields: dict[str, Any], counters: NotificationCounters, chosen: Selection) -> bytes:
    """Return a document about the notifications that all given conditions choose."""
    fields["counters"] = counters_fields(counters)
    if chosen.entry_ids is not None:
        fields["ids"] = [encode(entry_id) for entry_id in chosen.entry_ids]
    if chosen.up_to is not None:
        fields["up_to"] = encode(chosen.up_to)
    if chosen.kinds is not None:
        fields["kinds"] = sorted(chosen.kinds)
    return orjson.dumps(fields)


def _comment_changed(kind: str, photo_id: int, state: CommentState) -> bytes:
    fields = {"type": kind, "photo_id": encode(photo_id), "comment_state": comment_state_fields(state)}
    return orjson.dumps(fields)


def _parent(state: CommentState | None) -> dict[str, Any]:
    return {} if state is None else {"comment_state": comment_state_fields(state)}


def _counted(kind: str, counters: PhotoCounters, **more: Any) -> bytes:
    # `version` grows with every change of the counters, so a client can ignore those that arrive out of order.
    return orjson.dumps(
        {
            "type": kind,
            "photo_id": encode(counters.photo_id),
            "likes": counters.likes,
            "comments": counters.comments,
            "version": counters.version,
            **more,
        }
    )


def webhook_attempted(attempt: Attempt, state: EndpointState) -> bytes:
    """Return the document of an attempt at an endpoint; `state` is that of the endpoint afterwards."""
    return orjson.dumps({"type": "webhook.attempt", "attempt": attempt_fields(attempt), "state": state})
