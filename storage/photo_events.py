"""Events about photos and what is made from their files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from storage.event import Event
from storage.ids import shard_of


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
class VideoUploaded(Event):
    """The original of a video is stored, and its photo is in state `processing`."""

    topic: ClassVar[str] = "video.uploaded"
    photo_id: int
    author_id: int


@dataclass(frozen=True, kw_only=True)
class PhotoUnscanned(Event):
    """The photo is to be processed, and the service that scans originals had no answer until now."""

    topic: ClassVar[str] = "photo.unscanned"
    photo_id: int
    author_id: int


@dataclass(frozen=True, kw_only=True)
class VideoUnscanned(Event):
    """The photo of a video is to be processed, and the service that scans originals had no answer until now."""

    topic: ClassVar[str] = "video.unscanned"
    photo_id: int
    author_id: int


@dataclass(frozen=True, kw_only=True)
class VideoWanted(Event):
    """What is made from a video, the one that is played or its poster, is needed and not stored."""

    topic: ClassVar[str] = "video.wanted"
    sha256: str
    recipe: int

    @property
    def shard(self) -> int:
        """Return a shard that is the same for all events of an original: it belongs to no user."""
        return shard_of(int(self.sha256[:8], 16))


@dataclass(frozen=True, kw_only=True)
class VariantWanted(Event):
    """A variant that is not stored was requested; `name` is "<size>.<format>" of a recipe."""

    topic: ClassVar[str] = "variant.wanted"
    sha256: str
    recipe: int
    name: str

    @property
    def shard(self) -> int:
        """Return a shard that is the same for all variants of an original: it belongs to no user."""
        return shard_of(int(self.sha256[:8], 16))


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
class PhotoHidden(Event):
    """A decision of moderation withholds the photo from all but its author.

    `published` says that it was shown until then, to `audience`.
    """

    topic: ClassVar[str] = "photo.hidden"
    photo_id: int
    author_id: int
    published: bool
    audience: str


@dataclass(frozen=True, kw_only=True)
class PhotoRestored(Event):
    """The photo, which had been shown before it was withheld, is shown again."""

    topic: ClassVar[str] = "photo.restored"
    photo_id: int
    author_id: int


@dataclass(frozen=True, kw_only=True)
class PhotoMarked(Event):
    """A decision of moderation marked a photo that is shown as sensitive, or ended that."""

    topic: ClassVar[str] = "photo.marked"
    photo_id: int
    author_id: int


@dataclass(frozen=True, kw_only=True)
class PhotoHeld(Event):
    """The variants exist, and the photo is not shown, because a decision of moderation withholds it."""

    topic: ClassVar[str] = "photo.held"
    photo_id: int
    author_id: int


@dataclass(frozen=True, kw_only=True)
class PhotoEdited(Event):
    """The author changed the photo's description; `mentions` are the accounts whose mention was added or removed."""

    topic: ClassVar[str] = "photo.edited"
    photo_id: int
    author_id: int
    mentions: Sequence[int] = ()


@dataclass(frozen=True, kw_only=True)
class PhotoAudienceChanged(Event):
    """The author gave the photo another audience than the `former` one, as `storage.models.PhotoAudience` has it."""

    topic: ClassVar[str] = "photo.audience_changed"
    photo_id: int
    author_id: int
    former: str


@dataclass(frozen=True, kw_only=True)
class PhotoTrending(Event):
    """The photo is among those that trend most, and was not within the day before."""

    topic: ClassVar[str] = "photo.trending"
    photo_id: int
    author_id: int


@dataclass(frozen=True, kw_only=True)
class PhotoDeleted(Event):
    """The author deleted the photo; its row is a tombstone.

    `items` are the SHA-256 of the other pictures of a photo that had several. `notifications` are the newest of those
    that were deleted from the author's inbox with it. `audience` is the one that could see it.
    """

    topic: ClassVar[str] = "photo.deleted"
    photo_id: int
    author_id: int
    sha256: str
    audience: str = "public"
    items: list[str] = field(default_factory=list)
    notifications: list[int] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class CollectionsOutdated(Event):
    """Deleted photos of an author are to be removed from the collections of users; the handler emits the next event."""

    topic: ClassVar[str] = "collections.outdated"
    author_id: int
    photo_ids: Sequence[int]


@dataclass(frozen=True, kw_only=True)
class PhotoItemRemoved(Event):
    """The author removed one picture of a photo that has others; `sha256` is of its original."""

    topic: ClassVar[str] = "photo.item_removed"
    photo_id: int
    author_id: int
    sha256: str
