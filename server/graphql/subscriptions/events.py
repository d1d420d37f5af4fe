"""Events of subscriptions: the publications of the live streams and topics, of which docs/live.md lists the types.

The fields of an event come from its publication. What would need a read for each subscriber is refused; see
`server.graphql.subscriptions.documents`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import strawberry

from server.graphql.fields import BatchFunction, ResolverContext, Results, batch, leaf
from server.graphql.objects.comment_types import Comment
from server.graphql.objects.notification_types import Notification, NotificationCounters
from server.graphql.objects.photo_types import Photo, TextEntity
from server.graphql.objects.scalars import BigInt, Time
from server.graphql.objects.user_types import User
from server.graphql.resolution.described import object_type
from server.graphql.resolution.node_ids import NodeKind, node_ids
from storage import models, notifications

Event = dict[str, Any]


def _inside(*keys: str, kind: NodeKind | None = None) -> BatchFunction:
    """Return the resolver of a value inside an event, null where it is missing; as a node id with a `kind`."""
    prefix = "" if kind is None else f"{kind.letter}-"

    def resolve(events: Sequence[Event], _context: ResolverContext) -> Results[Any]:
        return [_at(event, keys, prefix) for event in events]

    return resolve


def _at(event: Event, keys: Sequence[str], prefix: str) -> Any:
    value: Any = event
    for key in keys:
        value = None if value is None else value.get(key)
    return prefix + value if prefix and value is not None else value


def _ids(events: Sequence[Event], _context: ResolverContext) -> Results[list[str] | None]:
    letter = NodeKind.NOTIFICATION.letter
    return [None if "ids" not in event else [f"{letter}-{each}" for each in event["ids"]] for event in events]


_PHOTO_ID = node_ids(NodeKind.PHOTO, "photo_id")


@object_type
class PhotoAdded:
    """A new photo. It may come out of order: its place in a list is that of its id."""

    photo: Photo = leaf(description="The photo, as if seen by a user who does not like it.")


@object_type
class PhotoRemoved:
    """A photo that was deleted or hidden, or has a narrower audience."""

    photo_id: strawberry.ID = batch(_PHOTO_ID, description="The id of the photo.")


@object_type
class AccountHidden:
    """An account that was suspended or deleted, with all that it has posted."""

    user_id: strawberry.ID = batch(node_ids(NodeKind.USER, "user_id"), description="The id of the user.")


@object_type
class UserChanged:
    """A changed name, avatar or banner."""

    user: User = leaf(description="The user.")
    banner_url: str | None = batch(_inside("user", "banner_url"), description="The path of the banner.")


@object_type
class PhotoEdited:
    """What the author of a photo changed of it."""

    photo_id: strawberry.ID = batch(_PHOTO_ID, description="The id of the photo.")
    audience: models.PhotoAudience = leaf(description="Who may see it.")
    sensitive: bool = leaf(description="Whether to blur the photo until the viewer wants to see it.")
    caption: str = leaf(description="The text below the photo.")
    caption_entities: list[TextEntity] = leaf(weight=0, size=5, description="The mentions and tags in the caption.")
    alt_text: str = leaf(description="What the photo shows, for those who do not see it.")
    tags: list[str] = leaf(size=10, description="The tags, without `#`.")
    location: str | None = leaf(description="The place, in the author's words.")
    taken_at: Time | None = leaf(description="When the photo was taken.")
    edited_at: Time | None = leaf(description="When the author changed the photo.")


@object_type
class PhotoCounted:
    """The counters of a photo after a like, or after one was taken back."""

    photo_id: strawberry.ID = batch(_PHOTO_ID, description="The id of the photo.")
    like_count: int = leaf(key="likes", description="The number of likes.")
    comment_count: int = leaf(key="comments", description="The number of comments and replies.")
    version: BigInt = leaf(description="Grows with each change of the counters; keep those with the greatest.")


@object_type
class CommentState:
    """The changing part of a comment."""

    id: strawberry.ID = batch(node_ids(NodeKind.COMMENT), description="The id of the comment.")
    like_count: int = leaf(key="likes", description="The number of likes.")
    reply_count: int = leaf(key="replies", description="The number of replies.")
    pinned: bool = leaf(description="Whether the photo's author has pinned the comment.")
    version: BigInt = leaf(description="Grows with each change of the comment; keep the state with the greatest.")


@object_type
class CommentAdded(PhotoCounted):
    """A new comment or reply, and the counters of the photo after it."""

    comment: Comment = leaf(description="The comment, as if seen by a user who does not like it.")
    above: CommentState | None = leaf(key="comment_state", description="The comment that a reply is below.")


@object_type
class CommentRemoved(PhotoCounted):
    """A comment or reply that was deleted, and the counters of the photo after it."""

    comment_id: strawberry.ID = batch(
        node_ids(NodeKind.COMMENT, "comment_id"), description="The id of the comment, whose replies are gone with it."
    )
    above: CommentState | None = leaf(key="comment_state", description="The comment that a reply was below.")


@object_type
class CommentEdited:
    """A comment whose text was changed."""

    photo_id: strawberry.ID = batch(_PHOTO_ID, description="The id of the photo.")
    comment: Comment = leaf(description="The comment, as if seen by a user who does not like it.")


@object_type
class CommentCounted:
    """A comment that was liked or pinned, or where that was taken back."""

    photo_id: strawberry.ID = batch(_PHOTO_ID, description="The id of the photo.")
    comment_state: CommentState = leaf(description="The comment's state.")


@object_type
class PresenceChanged:
    """Whether a user is online; the first event of a subscription is the state at its start."""

    user_id: strawberry.ID = batch(node_ids(NodeKind.USER, "user_id"), description="The id of the user.")
    online: bool = leaf(description="Whether the user is online.")
    last_seen: Time | None = leaf(description="When an offline user was last online; null if that is not known.")


@object_type
class NotificationAdded:
    """A notification with a new activity, to be announced. It replaces one with the same id."""

    notification: Notification = leaf(description="The notification.")
    photo_id: strawberry.ID | None = batch(
        _inside("notification", "photo_id", kind=NodeKind.PHOTO), description="The id of the photo that it is about."
    )
    comment_id: strawberry.ID | None = batch(
        _inside("notification", "comment", "id", kind=NodeKind.COMMENT),
        description="The id of the comment that it is about.",
    )
    counters: NotificationCounters = leaf(weight=0, description="The counters of the inbox.")


@object_type
class NotificationChanged(NotificationAdded):
    """A notification that changed without news. It replaces one with the same id, or is inserted at its position."""


@object_type
class NotificationRemoved:
    """A notification whose activities are all retracted, or that was deleted."""

    notification_id: strawberry.ID = batch(
        node_ids(NodeKind.NOTIFICATION, "notification_id"), description="The id of the notification."
    )
    counters: NotificationCounters = leaf(weight=0, description="The counters of the inbox.")


@object_type
class NotificationsMarked:
    """Notifications that were marked on a device: those that all given conditions choose."""

    mark: str = leaf(description="`seen` or `read`.")
    ids: list[strawberry.ID] | None = batch(_ids, size=20, description="Those with these ids; null for all.")
    up_to: strawberry.ID | None = leaf(description="Those up to this position; null for all.")
    kinds: list[notifications.NotificationKind] | None = leaf(size=10, description="Those of these kinds, or null.")
    counters: NotificationCounters = leaf(weight=0, description="The counters of the inbox.")


@object_type
class NotificationsRemoved:
    """Notifications that were deleted on a device: those that all given conditions choose."""

    read: bool | None = leaf(description="True where only those that are read were deleted.")
    ids: list[strawberry.ID] | None = batch(_ids, size=20, description="Those with these ids; null for all.")
    up_to: strawberry.ID | None = leaf(description="Those up to this position; null for all.")
    kinds: list[notifications.NotificationKind] | None = leaf(size=10, description="Those of these kinds, or null.")
    counters: NotificationCounters = leaf(weight=0, description="The counters of the inbox.")


FeedEvent = Annotated[
    PhotoAdded | PhotoEdited | PhotoRemoved | AccountHidden | UserChanged,
    strawberry.union("FeedEvent", description="Events of the viewer's home feed."),
]
NotificationEvent = Annotated[
    NotificationAdded | NotificationChanged | NotificationRemoved | NotificationsMarked | NotificationsRemoved,
    strawberry.union("NotificationEvent", description="Events of the viewer's notifications."),
]
PhotoEvent = Annotated[
    PhotoEdited | PhotoCounted | CommentAdded | CommentRemoved | CommentEdited | CommentCounted | AccountHidden,
    strawberry.union("PhotoEvent", description="Events of a photo."),
]
UserEvent = Annotated[
    PhotoAdded | PhotoRemoved | AccountHidden | UserChanged,
    strawberry.union("UserEvent", description="Events of a profile."),
]
PresenceEvent = Annotated[
    PresenceChanged | AccountHidden,
    strawberry.union("PresenceEvent", description="Events of a user's presence."),
]

# Types of publications, and the events that they are; other types are no events.
_OF_ACCOUNT = {"account.hidden": "AccountHidden"}
_OF_PROFILE = {
    "photo.new": "PhotoAdded",
    "photo.removed": "PhotoRemoved",
    "user.changed": "UserChanged",
    **_OF_ACCOUNT,
}
EVENTS = {
    "feed": {**_OF_PROFILE, "photo.edited": "PhotoEdited"},
    "user": _OF_PROFILE,
    "notifications": {
        "notification": "NotificationAdded",
        "notification.changed": "NotificationChanged",
        "notification.removed": "NotificationRemoved",
        "notifications.marked": "NotificationsMarked",
        "notifications.removed": "NotificationsRemoved",
    },
    "photo": {
        "photo.edited": "PhotoEdited",
        "photo.liked": "PhotoCounted",
        "photo.unliked": "PhotoCounted",
        "photo.commented": "CommentAdded",
        "photo.comment_deleted": "CommentRemoved",
        "photo.comment_edited": "CommentEdited",
        "photo.comment_liked": "CommentCounted",
        "photo.comment_unliked": "CommentCounted",
        "photo.comment_pinned": "CommentCounted",
        "photo.comment_unpinned": "CommentCounted",
        **_OF_ACCOUNT,
    },
    "presence": {"presence": "PresenceChanged", **_OF_ACCOUNT},
}
