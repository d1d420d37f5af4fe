"""Domain types: frozen, keyword-only values for all packages; they use the standard library alone.

Ids are integers (see `storage.ids`), times are aware UTC datetimes, sizes are pixels or bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class Role(StrEnum):
    """Permissions of an account beyond its own data."""

    USER = "user"
    MODERATOR = "moderator"
    ADMIN = "admin"


class PhotoState(StrEnum):
    """State of a photo; only `ready` photos are shown to others."""

    PROCESSING = "processing"
    READY = "ready"
    REJECTED = "rejected"
    HIDDEN = "hidden"


class NotificationKind(StrEnum):
    """Kind of a notification; `storage.stores.notification_text` has the text of each."""

    LIKE = "like"
    COMMENT = "comment"
    FOLLOW = "follow"
    FOLLOW_REQUEST = "follow_request"
    FOLLOW_ACCEPTED = "follow_accepted"
    PHOTO_REJECTED = "photo_rejected"


class NotificationMark(StrEnum):
    """Mark of a notification: it was shown on a screen, or opened, which implies seen."""

    SEEN = "seen"
    READ = "read"


class PresenceAudience(StrEnum):
    """Audience of a user's presence: whether they are online, and when they last were."""

    FOLLOWERS = "followers"
    NOBODY = "nobody"


@dataclass(frozen=True, kw_only=True, slots=True)
class User:
    """An account. `settings` holds flexible preferences; `private` shows photos to followers only."""

    id: int
    username: str
    display_name: str
    bio: str = ""
    email: str
    role: Role = Role.USER
    private: bool = False
    presence: PresenceAudience = PresenceAudience.FOLLOWERS
    avatar_sha256: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    followers: int = 0
    following: int = 0
    photos: int = 0
    created_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class UserSummary:
    """The fields of a user that are shown with photos, comments and notifications."""

    id: int
    username: str
    display_name: str
    avatar_sha256: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Relation:
    """Relation of a viewer to another user."""

    following: bool = False
    requested: bool = False
    followed_by: bool = False
    blocking: bool = False
    muting: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Photo:
    """A photo with its author; `sha256` (hex) is of the original, `version` grows with each counter change."""

    id: int
    author: UserSummary
    author_private: bool = False
    state: PhotoState
    reason: str | None = None
    sha256: str
    content_type: str
    bytes: int
    width: int
    height: int
    placeholder: str | None = None
    caption: str = ""
    alt_text: str = ""
    tags: tuple[str, ...] = ()
    location: str | None = None
    likes: int = 0
    comments: int = 0
    version: int = 0
    created_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Comment:
    """A comment under a photo."""

    id: int
    photo_id: int
    author: UserSummary
    text: str
    created_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class PhotoCounters:
    """Result of a like, unlike or comment: the viewer's own like, the counters, and the photo's `version`."""

    photo_id: int
    liked: bool
    likes: int
    comments: int
    version: int
    changed: bool


@dataclass(frozen=True, kw_only=True)
class Activity:
    """Something that concerns the recipient, as `storage.stores.notification_groups` records it.

    `actor_id` None is PicShare itself; `source_id` is the photo, comment or user that the activity is about.
    """

    recipient_id: int
    kind: NotificationKind
    actor_id: int | None
    photo_id: int | None = None
    source_id: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CommentExcerpt:
    """The beginning of the comment that a notification is about, in one line."""

    id: int
    excerpt: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Notification:
    """A grouped entry of an inbox: `actors` newest first (at most three), `count` distinct actors in total.

    `position` grows with each new activity of the group. An inbox is sorted by it, and it is the cursor of a page.
    `silent` is set if the latest change is not to be announced.
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


@dataclass(frozen=True, kw_only=True, slots=True)
class NotificationCounters:
    """Number of a user's notifications that are not seen (the badge) and not opened."""

    unseen: int
    unread: int
