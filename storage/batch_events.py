"""Events that each cover one batch of a large work; their handlers emit the next one."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from storage.event import Event


@dataclass(frozen=True, kw_only=True)
class AccountDeleted(Event):
    """The next batch of what a deleted account has left is to be deleted.

    `photos` (id, SHA-256 of each picture), `comments` (id, photo, the photo's owner) and `likes` (photo, its owner) are
    the last batch: deleted in the database, and to be removed elsewhere. The photos are removed from the feeds of the
    followers after (`after_shard`, `after_id`). The handler emits the next event, so an account never has more than
    one: `queued_at` (microseconds since the Unix epoch, 0 if unknown) is the time under which the account expects this
    one.
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
class ActorVisibilityChanged(Event):
    """An account was hidden by a suspension or its deletion, or is shown again, and inboxes are to follow.

    Each event covers a batch of its activities, after (`after_source`, `after_entry`); the handler emits the next one.
    """

    topic: ClassVar[str] = "actor.visibility_changed"
    user_id: int
    after_source: int = -1
    after_entry: int = -1


@dataclass(frozen=True, kw_only=True)
class BellChunk(Event):
    """The next followers with a bell are to be notified of a photo, or with `withdraw` not any more.

    These are the followers after (`after_shard`, `after_id`), or the entries with ids above `after_id`. The handler
    emits the next event until none is left.
    """

    topic: ClassVar[str] = "bell.chunk"
    photo_id: int
    author_id: int
    withdraw: bool = False
    after_shard: int = -1
    after_id: int = -1


@dataclass(frozen=True, kw_only=True)
class FanoutChunk(Event):
    """Insert (or, with `remove`, delete) one photo in the feeds of a range of followers, in shard order.

    The bounds are (shard, follower id), the first exclusive, the last inclusive. Each event covers the first chunk of
    the range; its handler emits the next one until none is left. With `restore`, the photo was removed before because
    of its audience.
    """

    topic: ClassVar[str] = "fanout.chunk"
    photo_id: int
    author_id: int
    remove: bool
    after_shard: int
    after_id: int
    until_shard: int
    until_id: int
    restore: bool = False


@dataclass(frozen=True, kw_only=True)
class StarChunk(Event):
    """The feeds of the next followers of a star are to pull what the star announces from now on, or to end that.

    Which of both follows from the promotion or demotion `change_id`; one that is over has nothing left to do. The
    followers are those after (`after_shard`, `after_id`), in shard order. The handler emits the next event until none
    is left.
    """

    topic: ClassVar[str] = "star.chunk"
    author_id: int
    change_id: int
    after_shard: int = -1
    after_id: int = -1


@dataclass(frozen=True, kw_only=True)
class MediaPurge(Event):
    """Images of a user may have stopped being public and are to be hidden by all caches, `at` (Unix seconds).

    These are the images of the originals `sha256s`, and of the user's photos with ids below `photos_below`. Each event
    covers one page of the latter; its handler emits the next one, and `MediaForget` for what was hidden.
    """

    topic: ClassVar[str] = "media.purge"
    user_id: int
    sha256s: Sequence[str] = ()
    photos_below: int | None = None
    at: float = field(default_factory=time.time)


@dataclass(frozen=True, kw_only=True)
class CachePurge(Event):
    """One cache has not hidden images `at` (Unix seconds) and is to be asked again; `cache` is its name."""

    topic: ClassVar[str] = "media.purge_cache"
    user_id: int
    cache: str
    sha256s: Sequence[str]
    at: float


@dataclass(frozen=True, kw_only=True)
class MediaForget(Event):
    """The `caches` that hide images since `at` (Unix seconds) are to forget them, and to hide them no more."""

    topic: ClassVar[str] = "media.forget"
    user_id: int
    caches: Sequence[str]
    sha256s: Sequence[str]
    at: float
