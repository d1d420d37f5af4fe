"""Events: what has happened, in the past tense, as frozen values that travel through outbox and broker.

Bodies carry ids and never blobs. A body is a msgpack map of the fields plus `v`, the schema version;
a reader ignores fields that it does not know, so that fields can be added while old workers run.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

import msgpack

SCHEMA_VERSION = 1


class BadEventError(ValueError):
    """Say that a topic is unknown or a body is not the msgpack map that the topic asks for."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """Stand for any event; `topic` is its routing key, `key` groups what belongs together (for logs)."""

    topic: ClassVar[str]

    @property
    def key(self) -> str:
        """Return the id that this event is about, as decimal text: its first field."""
        return str(getattr(self, dataclasses.fields(self)[0].name))


@dataclass(frozen=True, kw_only=True)
class PhotoUploaded(Event):
    """The original is stored and the photo's row stands in state `processing`."""

    topic: ClassVar[str] = "photo.uploaded"
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
    """The original cannot be shown; the photo's row says why."""

    topic: ClassVar[str] = "photo.rejected"
    photo_id: int
    author_id: int


@dataclass(frozen=True, kw_only=True)
class PhotoDeleted(Event):
    """The author deleted the photo; its row is a tombstone.

    `notifications` are the newest that went with it out of the author's inbox.
    """

    topic: ClassVar[str] = "photo.deleted"
    photo_id: int
    author_id: int
    sha256: str
    notifications: list[int] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class LikeAdded(Event):
    """A person liked a photo."""

    topic: ClassVar[str] = "like.added"
    photo_id: int
    owner_id: int
    user_id: int


@dataclass(frozen=True, kw_only=True)
class LikeRemoved(Event):
    """A person took a like back."""

    topic: ClassVar[str] = "like.removed"
    photo_id: int
    owner_id: int
    user_id: int


@dataclass(frozen=True, kw_only=True)
class CommentAdded(Event):
    """A person wrote a comment."""

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
    """`follower_id` follows `followee_id` from now on; with `requested`, the private followee has yet to accept."""

    topic: ClassVar[str] = "user.followed"
    follower_id: int
    followee_id: int
    requested: bool = False


@dataclass(frozen=True, kw_only=True)
class UserUnfollowed(Event):
    """`follower_id` follows `followee_id` no longer, or does not ask to any more, or is refused."""

    topic: ClassVar[str] = "user.unfollowed"
    follower_id: int
    followee_id: int


@dataclass(frozen=True, kw_only=True)
class UserBlocked(Event):
    """`blocker_id` blocked `blocked_id`; the follows between them are gone already."""

    topic: ClassVar[str] = "user.blocked"
    blocker_id: int
    blocked_id: int


@dataclass(frozen=True, kw_only=True)
class UserMuted(Event):
    """`muter_id` wants nothing of `muted_id` in the feed; `muted` False takes it back."""

    topic: ClassVar[str] = "user.muted"
    muter_id: int
    muted_id: int
    muted: bool


@dataclass(frozen=True, kw_only=True)
class UserChanged(Event):
    """A profile's name, picture or privacy changed (`closed`: it became private), or the account was deleted."""

    topic: ClassVar[str] = "user.changed"
    user_id: int
    deleted: bool = False
    closed: bool = False


@dataclass(frozen=True, kw_only=True)
class PresenceHidden(Event):
    """A person lets nobody know any longer whether they are online."""

    topic: ClassVar[str] = "presence.hidden"
    user_id: int


@dataclass(frozen=True, kw_only=True)
class FanoutChunk(Event):
    """Insert (or, with `remove`, take out) one photo for the followers after one point up to another, in shard order.

    The bounds are (shard, follower id), the first exclusive, the last inclusive.
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
    """Return the event of a topic and its body; raise `BadEventError` if the two do not fit."""
    kind = _TYPES.get(topic)
    if kind is None:
        raise BadEventError(f"unknown topic {topic!r}")
    try:
        fields = msgpack.unpackb(body)
        names = {item.name for item in dataclasses.fields(kind)}
        return kind(**{name: value for name, value in fields.items() if name in names})
    except (ValueError, TypeError, AttributeError, msgpack.UnpackException) as error:
        raise BadEventError(f"the body of {topic} is not readable: {error}") from error
