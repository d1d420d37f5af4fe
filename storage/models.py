"""Domain types: frozen, keyword-only values for all packages; they use the standard library alone.

Ids are integers (see `storage.ids`), times are aware UTC datetimes, sizes are pixels or bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from storage.moderation import Decision, ModerationAction
from storage.trends import PhotoTrend


class Role(StrEnum):
    """Permissions of an account beyond its own data."""

    USER = "user"
    MODERATOR = "moderator"
    ADMIN = "admin"


class PhotoState(StrEnum):
    """State of a photo; only `ready` ones are shown to others. Moderation withholds a `hidden` one; it has images."""

    PROCESSING = "processing"
    READY = "ready"
    REJECTED = "rejected"
    HIDDEN = "hidden"


class StarState(StrEnum):
    """State of a star: an author whose photos are pulled into the feeds instead of inserted into each.

    While followers' feeds are prepared for it (`promoting`), and while that is undone, photos are inserted as before.
    """

    PROMOTING = "promoting"
    STAR = "star"
    DEMOTING = "demoting"


class CommentOrder(StrEnum):
    """Order of the comments below a photo; `TOP` is by likes. Pinned comments come first in both."""

    NEWEST = "newest"
    TOP = "top"


class PhotoAudience(StrEnum):
    """Audience of a photo, of the users that may see its author's photos at all; the author always sees it."""

    PUBLIC = "public"
    FOLLOWERS = "followers"
    CLOSE_FRIENDS = "close_friends"
    ONLY_ME = "only_me"


# The audiences to which not even all followers of the author belong.
RESTRICTED = frozenset({PhotoAudience.CLOSE_FRIENDS, PhotoAudience.ONLY_ME})


class PresenceAudience(StrEnum):
    """Audience of a user's presence: whether they are online, and when they last were."""

    FOLLOWERS = "followers"
    NOBODY = "nobody"


class LanguageChoice(StrEnum):
    """Language of texts to a user: one of `locales.catalogues.LANGUAGES`, or that of the browser."""

    AUTO = "auto"
    EN = "en"
    DE = "de"
    AR = "ar"


class LocationMetadata(StrEnum):
    """How exactly the position in the EXIF of a user's photos is kept, for the user: in two decimals if coarse."""

    OFF = "off"
    COARSE = "coarse"
    EXACT = "exact"


class ProfileImageKind(StrEnum):
    """Kinds of images that a user shows of themselves."""

    AVATAR = "avatar"
    BANNER = "banner"


class ProfileImageState(StrEnum):
    """States of an uploaded avatar or banner; `READY` is the one that is shown."""

    PROCESSING = "processing"
    READY = "ready"
    REJECTED = "rejected"


@dataclass(frozen=True, kw_only=True, slots=True)
class User:
    """An account. `settings` holds flexible preferences; `private` shows photos to followers only.

    Unless it is `searchable`, a search finds neither the account nor its photos.
    """

    id: int
    username: str
    display_name: str
    bio: str = ""
    email: str
    email_verified: bool = False
    role: Role = Role.USER
    private: bool = False
    presence: PresenceAudience = PresenceAudience.FOLLOWERS
    location_metadata: LocationMetadata = LocationMetadata.OFF
    publish_rights: bool = True
    language: LanguageChoice = LanguageChoice.AUTO
    searchable: bool = True
    avatar_sha256: str | None = None
    banner_sha256: str | None = None
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
    """Relation of a viewer to another user; `close_friend` if the other is one of the viewer's.

    `bell` if the viewer follows the other and is notified of each new photo.
    """

    following: bool = False
    requested: bool = False
    followed_by: bool = False
    blocking: bool = False
    muting: bool = False
    close_friend: bool = False
    bell: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class PhotoItem:
    """One picture of a photo that has several; `sha256` (hex) is of its original and differs from the others'."""

    sha256: str
    content_type: str
    bytes: int
    width: int
    height: int
    placeholder: str | None = None
    hdr: bool = False
    motion: str | None = None
    alt_text: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Video:
    """A video as it is played: its upright size in pixels, its duration in seconds, and the bytes of its file."""

    width: int
    height: int
    duration: float
    bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Mention:
    """A mention of an account in a text: the range of "@name" in UTF-16 code units, and the account's id."""

    offset: int
    length: int
    user_id: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Photo:
    """A photo with its author; `sha256` (hex) is of the original, `version` grows with each counter change.

    Of several `pictures`, `items` are all in order, and the photo's own fields are those of the first one. `edited_at`
    is the last time at which the author changed the description. `hdr` is set if its JPEGs have a gain map. `motion` is
    the format of the variant with all frames of an animation, None for a still picture. The images of a `video` are
    those of its poster. `mentions` are those in the caption. `suggestions` are texts in the file by the fields that
    they suit, read for the author alone. `moderation` is the decision that applies to the photo, `marked_sensitive`
    whether the author has marked it.
    """

    id: int
    author: UserSummary
    author_private: bool = False
    audience: PhotoAudience = PhotoAudience.PUBLIC
    state: PhotoState
    reason: str | None = None
    sha256: str
    content_type: str
    bytes: int
    width: int
    height: int
    placeholder: str | None = None
    hdr: bool = False
    motion: str | None = None
    video: Video | None = None
    caption: str = ""
    mentions: tuple[Mention, ...] = ()
    alt_text: str = ""
    tags: tuple[str, ...] = ()
    location: str | None = None
    likes: int = 0
    comments: int = 0
    version: int = 0
    created_at: datetime
    taken_at: datetime | None = None
    edited_at: datetime | None = None
    pictures: int = 1
    items: tuple[PhotoItem, ...] = ()
    suggestions: Mapping[str, str] = field(default_factory=dict)
    moderation: Decision | None = None
    marked_sensitive: bool = False

    @property
    def sensitive(self) -> bool:
        """Return whether the photo is to be blurred until the viewer wants to see it."""
        decided = self.moderation is not None and self.moderation.action is ModerationAction.SENSITIVE
        return decided or self.marked_sensitive

    @property
    def public(self) -> bool:
        """Return whether everyone may see the photo, visitors included, once it is ready."""
        return not self.author_private and self.audience is PhotoAudience.PUBLIC

    @property
    def restricted(self) -> bool:
        """Return whether only some followers, or none, may see the photo."""
        return self.audience in RESTRICTED


@dataclass(frozen=True, kw_only=True, slots=True)
class Collection:
    """A list of photos that a user keeps under a title; without `public`, only the owner sees it."""

    id: int
    owner: UserSummary
    title: str
    public: bool
    created_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountList:
    """A list of accounts whose photos its owner reads apart; only the owner knows of it.

    `accounts` is the number of its members. Of a deleted account, it counts the membership until that is erased.
    """

    id: int
    title: str
    accounts: int
    created_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Comment:
    """A comment under a photo, or a reply to the comment `reply_to`; `version` grows with each change.

    `answered_id` is the user whom a reply answers. `liked` is whether the viewer likes it, if it was read for one.
    `first_replies` are the first of `replies`, in a list of comments.
    """

    id: int
    photo_id: int
    author: UserSummary
    text: str
    mentions: tuple[Mention, ...] = ()
    reply_to: int | None = None
    answered_id: int | None = None
    likes: int = 0
    liked: bool = False
    replies: int = 0
    first_replies: tuple[Comment, ...] = ()
    version: int = 0
    created_at: datetime
    edited_at: datetime | None = None
    pinned_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class CommentState:
    """The changing part of a comment, as its viewers follow it live."""

    id: int
    likes: int
    replies: int
    pinned: bool
    version: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CommentLike:
    """Result of a like of a comment, or of its removal: the user's own like, and the comment's likes."""

    liked: bool
    likes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class PhotoCounters:
    """Result of a like, unlike or comment: the viewer's own like, the counters, and the photo's `version`.

    `trend` is there where they were read for the ranking of photos as well.
    """

    photo_id: int
    liked: bool
    likes: int
    comments: int
    version: int
    changed: bool
    trend: PhotoTrend | None = None
