"""Events about accounts, their relations and their sessions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from storage.event import Event
from storage.ids import shard_of


@dataclass(frozen=True, kw_only=True)
class UserFollowed(Event):
    """`follower_id` follows `followee_id`.

    With `requested`, the private followee has not accepted yet; with `accepted`, the follow was requested before.
    """

    topic: ClassVar[str] = "user.followed"
    follower_id: int
    followee_id: int
    requested: bool = False
    accepted: bool = False


@dataclass(frozen=True, kw_only=True)
class UserUnfollowed(Event):
    """`follower_id` no longer follows `followee_id`, or the follow request was cancelled or declined."""

    topic: ClassVar[str] = "user.unfollowed"
    follower_id: int
    followee_id: int


@dataclass(frozen=True, kw_only=True)
class UserBlocked(Event):
    """`blocker_id` blocked `blocked_id`; the follows between them have been removed already."""

    topic: ClassVar[str] = "user.blocked"
    blocker_id: int
    blocked_id: int


@dataclass(frozen=True, kw_only=True)
class UserUnblocked(Event):
    """`blocker_id` no longer blocks `blocked_id`."""

    topic: ClassVar[str] = "user.unblocked"
    blocker_id: int
    blocked_id: int


@dataclass(frozen=True, kw_only=True)
class UserMuted(Event):
    """`muter_id` muted `muted_id`, or unmuted with `muted` False."""

    topic: ClassVar[str] = "user.muted"
    muter_id: int
    muted_id: int
    muted: bool


@dataclass(frozen=True, kw_only=True)
class CloseFriendChanged(Event):
    """`friend_id` became a close friend of `owner_id`, or is none any more."""

    topic: ClassVar[str] = "close_friend.changed"
    owner_id: int
    friend_id: int


@dataclass(frozen=True, kw_only=True)
class UserChanged(Event):
    """A profile's name, picture or privacy changed, or the account was deleted, or `restored`.

    `profile` says that it was the name or a picture. The account is private now with `closed`, public now with
    `opened`. It is hidden from others with `suspended`. `order` names the order to live connections that followed from
    it, which a worker repeats.
    """

    topic: ClassVar[str] = "user.changed"
    user_id: int
    deleted: bool = False
    restored: bool = False
    profile: bool = False
    closed: bool = False
    opened: bool = False
    suspended: bool = False
    order: str = ""


@dataclass(frozen=True, kw_only=True)
class ProfileImageUploaded(Event):
    """The original of an avatar or banner is stored, and its variants are to be made."""

    topic: ClassVar[str] = "profile_image.uploaded"
    user_id: int
    kind: str
    sha256: str


@dataclass(frozen=True, kw_only=True)
class ProfileImageRemoved(Event):
    """An avatar or banner is not used any more."""

    topic: ClassVar[str] = "profile_image.removed"
    user_id: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class SessionEnded(Event):
    """A session was ended: by signing out, by a stolen refresh token, or with its account."""

    topic: ClassVar[str] = "session.ended"
    session_id: str
    user_id: int

    @property
    def shard(self) -> int:
        """Return the shard of the user: the id of a session carries none."""
        return shard_of(self.user_id)


@dataclass(frozen=True, kw_only=True)
class PresenceHidden(Event):
    """A user hid their presence from all others."""

    topic: ClassVar[str] = "presence.hidden"
    user_id: int


@dataclass(frozen=True, kw_only=True)
class SuggestionsWanted(Event):
    """A user is to be suggested accounts to follow."""

    topic: ClassVar[str] = "suggestions.wanted"
    user_id: int
