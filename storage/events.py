"""Events: what has happened, in the past tense, as frozen values that pass through the outbox and the broker.

Bodies carry ids, never blobs. A body is a msgpack map of the fields plus `v`, the schema version. A reader ignores
unknown fields, so that fields can be added while old workers run.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

import msgpack

from storage.ids import shard_of

SCHEMA_VERSION = 1


class BadEventError(ValueError):
    """Raised for an unknown topic, or a body that is not the msgpack map of its topic."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """Base class of the events; `topic` is the routing key, `key` groups related events in logs."""

    topic: ClassVar[str]

    @property
    def key(self) -> str:
        """Return the first field, the id of the event's subject, as decimal text."""
        return str(getattr(self, dataclasses.fields(self)[0].name))

    @property
    def shard(self) -> int:
        """Return the shard of the event's subject, where its rows of the outbox are."""
        return shard_of(getattr(self, dataclasses.fields(self)[0].name))


@dataclass(frozen=True, kw_only=True)
class PhotoUploaded(Event):
    """The original is stored and the photo is in state `processing`."""

    topic: ClassVar[str] = "photo.uploaded"
    photo_id: int
    author_id: int


@dataclass(frozen=True, kw_only=True)
class PhotoDeferred(Event):
    """The photo is to be processed, and earlier ones of its author are still waiting or being processed."""

    topic: ClassVar[str] = "photo.deferred"
    photo_id: int
    author_id: int


@dataclass(frozen=True, kw_only=True)
class PhotoReady(Event):
    """The variants exist and the photo may be shown."""

    topic: ClassVar[str] = "photo.ready"
    photo_id: int
    author_id: int


@dataclass(frozen=True, kw_only=True)
class PhotoRejected(Event):
    """The original cannot be shown; the photo's row has the reason."""

    topic: ClassVar[str] = "photo.rejected"
    photo_id: int
    author_id: int


@dataclass(frozen=True, kw_only=True)
class PhotoDeleted(Event):
    """The author deleted the photo; its row is a tombstone.

    `notifications` are the newest of those that were deleted from the author's inbox with it.
    """

    topic: ClassVar[str] = "photo.deleted"
    photo_id: int
    author_id: int
    sha256: str
    notifications: list[int] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class LikeAdded(Event):
    """A user liked a photo."""

    topic: ClassVar[str] = "like.added"
    photo_id: int
    owner_id: int
    user_id: int


@dataclass(frozen=True, kw_only=True)
class LikeRemoved(Event):
    """A user removed a like."""

    topic: ClassVar[str] = "like.removed"
    photo_id: int
    owner_id: int
    user_id: int


@dataclass(frozen=True, kw_only=True)
class CommentAdded(Event):
    """A user commented on a photo."""

    topic: ClassVar[str] = "comment.added"
    comment_id: int
    photo_id: int
    owner_id: int
    user_id: int


@dataclass(frozen=True, kw_only=True)
class CommentDeleted(Event):
    """A comment was deleted by its author or the photo's owner."""

    topic: ClassVar[str] = "comment.deleted"
    comment_id: int
    photo_id: int
    owner_id: int
    user_id: int


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
class UserChanged(Event):
    """A profile's name, picture or privacy changed, or the account was deleted.

    The account is private now with `closed`, public now with `opened`. `order` names the order to live connections that
    followed from it, which a worker repeats.
    """

    topic: ClassVar[str] = "user.changed"
    user_id: int
    deleted: bool = False
    closed: bool = False
    opened: bool = False
    order: str = ""


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
class AccountDeleted(Event):
    """The next batch of what a deleted account has left is to be deleted.

    `photos` (id, SHA-256), `comments` (id, photo, the photo's owner) and `likes` (photo, its owner) are the last batch:
    deleted in the database, and to be removed elsewhere. The photos are removed from the feeds of the followers after
    (`after_shard`, `after_id`). The handler emits the next event, so an account never has more than one: `queued_at`
    (microseconds since the Unix epoch, 0 if unknown) is the time under which the account expects this one.
    """

    topic: ClassVar[str] = "account.deleted"
    user_id: int
    photos: Sequence[tuple[int, str]] = ()
    comments: Sequence[tuple[int, int, int]] = ()
    likes: Sequence[tuple[int, int]] = ()
    queued_at: int = 0
    after_shard: int = -1
    after_id: int = -1


@dataclass(frozen=True, kw_only=True)
class AccountOpened(Event):
    """The next requests to follow an account that became public are to be granted.

    `followers` are those of the last batch, granted in the database. The handler emits the next event.
    """

    topic: ClassVar[str] = "account.opened"
    user_id: int
    followers: Sequence[int] = ()


@dataclass(frozen=True, kw_only=True)
class CopiesOutdated(Event):
    """Copies of a user's name, picture or privacy are outdated: cards of photos, or names in comments, or both.

    Each is given by the id below which they are to be renewed, None where none is. The handler emits the next event.
    """

    topic: ClassVar[str] = "copies.outdated"
    user_id: int
    photos_below: int | None = None
    comments_below: int | None = None


@dataclass(frozen=True, kw_only=True)
class ActivitiesWithdrawn(Event):
    """After a block, what `actor_id` has left in the inbox and below the photos of `owner_id` is to be removed.

    `comments` (id, photo) are the last batch, deleted in the database. The handler emits the next event.
    """

    topic: ClassVar[str] = "activities.withdrawn"
    owner_id: int
    actor_id: int
    comments: Sequence[tuple[int, int]] = ()


@dataclass(frozen=True, kw_only=True)
class ActorRemoved(Event):
    """A deleted account's activities are to be removed from the inboxes of others.

    Each event covers a batch of inboxes; its handler emits the next one until none is left.
    """

    topic: ClassVar[str] = "actor.removed"
    user_id: int


@dataclass(frozen=True, kw_only=True)
class PresenceHidden(Event):
    """A user hid their presence from all others."""

    topic: ClassVar[str] = "presence.hidden"
    user_id: int


@dataclass(frozen=True, kw_only=True)
class FanoutChunk(Event):
    """Insert (or, with `remove`, delete) one photo in the feeds of a range of followers, in shard order.

    The bounds are (shard, follower id), the first exclusive, the last inclusive. Each event covers the first chunk of
    the range; its handler emits the next one until none is left.
    """

    topic: ClassVar[str] = "fanout.chunk"
    photo_id: int
    author_id: int
    remove: bool
    after_shard: int
    after_id: int
    until_shard: int
    until_id: int


_TYPES: dict[str, type[Event]] = {kind.topic: kind for kind in Event.__subclasses__()}
TOPICS = tuple(sorted(_TYPES))

E = TypeVar("E", bound=Event)


def encode(event: Event) -> bytes:
    """Return the msgpack body of an event."""
    fields: dict[str, Any] = {item.name: getattr(event, item.name) for item in dataclasses.fields(event)}
    return bytes(msgpack.packb({"v": SCHEMA_VERSION, **fields}))


def decode(topic: str, body: bytes) -> Event:
    """Return the event of a topic and its body; raise `BadEventError` if they do not match."""
    kind = _TYPES.get(topic)
    if kind is None:
        raise BadEventError(f"unknown topic {topic!r}")
    try:
        fields = msgpack.unpackb(body)
        names = {item.name for item in dataclasses.fields(kind)}
        return kind(**{name: value for name, value in fields.items() if name in names})
    except (ValueError, TypeError, AttributeError, msgpack.UnpackException) as error:
        raise BadEventError(f"the body of {topic} is not readable: {error}") from error
