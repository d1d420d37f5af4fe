"""The payload of each type of event, of which the JSON schemas in the API's description are made, too.

Payloads are thin: they have ids, and the few facts by which a receiver decides whether to ask the API for more.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Generic, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field

from storage.models import PhotoAudience
from storage.webhooks import PING

MAX_BYTES = 2_048  # of a payload, except to a service that decides about photos
MAX_REVIEW_BYTES = 20_000  # of one to such a service, which has all texts of the photo

# What an endpoint can ask for; a ping comes without.
EventType = Literal[
    "photo.uploaded", "photo.ready", "photo.rejected", "photo.deleted", "like.added", "comment.added", "user.followed"
]
EVENT_TYPES: tuple[EventType, ...] = get_args(EventType)

Id = Annotated[str, Field(pattern="^[0-9A-HJKMNP-TV-Z]{13}$", examples=["01K3S9C0XG4Q7"])]
Time = Annotated[str, Field(json_schema_extra={"format": "date-time"}, examples=["2026-11-20T12:00:00.000Z"])]


class PayloadModel(BaseModel):
    """Base of payloads."""

    # Other fields are not forbidden: a receiver that validates by the schema accepts those of later versions.
    model_config = ConfigDict(frozen=True)


class EventAccount(PayloadModel):
    """An account that an event is about."""

    id: Id
    username: str


class EventAuthor(EventAccount):
    """The author of a photo. A service that decides about photos gets more: the age of the account, and its photos."""

    account_age_days: int | None = None
    photos: int | None = None


class ReviewMedia(PayloadModel):
    """An image to look at, a JPEG of at most 1080 pixels: the URL needs no header, and is valid until `expires_at`."""

    url: str
    expires_at: Time


class ReviewPicture(PayloadModel):
    """One picture of a photo that has several; `sha256` is of its original, `pdq` of its image."""

    sha256: str
    pdq: str | None
    width: int
    height: int
    alt_text: str
    media: ReviewMedia | None


class PhotoData(PayloadModel):
    """A photo; `url` is its resource in the API.

    The fields after it are there for a service that decides about photos (see "moderation" of a webhook). `media` is
    null until the images exist. `items` are all pictures of a photo with several. `pdq` is the perceptual hash, null
    until then and for images without edges. `held` says that the photo is not shown before a verdict. `verdict_token`
    is for one POST of the verdict to `verdict_url`, for a week.
    """

    photo_id: Id
    author: EventAuthor
    audience: PhotoAudience
    width: int
    height: int
    url: str
    caption: str | None = None
    alt_text: str | None = None
    tags: list[str] | None = None
    location: str | None = None
    sha256: str | None = None
    pdq: str | None = None
    held: bool | None = None
    media: ReviewMedia | None = None
    items: list[ReviewPicture] | None = None
    verdict_url: str | None = None
    verdict_token: str | None = None


class PhotoUploadedData(PhotoData):
    """A photo that was posted, and whose images do not exist yet."""


class PhotoReadyData(PhotoData):
    """A photo whose images exist, so that it is shown, unless it is held."""


class PhotoRejectedData(PayloadModel):
    """A photo that cannot be shown, and why."""

    photo_id: Id
    author: EventAccount
    reason: str | None


class PhotoDeletedData(PayloadModel):
    """A photo that its author has deleted."""

    photo_id: Id
    author_id: Id


class LikeAddedData(PayloadModel):
    """A like of a photo."""

    photo_id: Id
    owner_id: Id
    user: EventAccount


class CommentAddedData(PayloadModel):
    """A comment on a photo, or a reply to the comment `reply_to`; `excerpt` is its beginning in one line."""

    comment_id: Id
    photo_id: Id
    owner_id: Id
    user: EventAccount
    reply_to: Id | None
    excerpt: str


class UserFollowedData(PayloadModel):
    """A follow; a request to follow a private account is none until it is accepted."""

    user_id: Id
    follower: EventAccount


class PingData(PayloadModel):
    """A check of the endpoint: a receiver that wants messages returns `challenge` in its response."""

    endpoint_id: Id
    challenge: str


T = TypeVar("T", bound=str)
D = TypeVar("D", bound=PayloadModel)


class Payload(PayloadModel, Generic[T, D]):
    """The body of a message; `timestamp` is when the event occurred."""

    type: T
    timestamp: Time
    data: D


class PhotoUploaded(Payload[Literal["photo.uploaded"], PhotoUploadedData]):
    """A photo was posted; only a service that decides about photos gets this."""


class PhotoReady(Payload[Literal["photo.ready"], PhotoReadyData]):
    """A photo is ready and shown to its audience."""


class PhotoRejected(Payload[Literal["photo.rejected"], PhotoRejectedData]):
    """A photo could not be processed."""


class PhotoDeleted(Payload[Literal["photo.deleted"], PhotoDeletedData]):
    """A photo was deleted."""


class LikeAdded(Payload[Literal["like.added"], LikeAddedData]):
    """A photo was liked."""


class CommentAdded(Payload[Literal["comment.added"], CommentAddedData]):
    """A photo was commented on."""


class UserFollowed(Payload[Literal["user.followed"], UserFollowedData]):
    """An account has a new follower."""


class EndpointPing(Payload[Literal["endpoint.ping"], PingData]):
    """An endpoint is verified; it is sent only when that is requested."""


PAYLOADS: Mapping[str, type[Payload[Any, Any]]] = MappingProxyType(
    {
        "photo.uploaded": PhotoUploaded,
        "photo.ready": PhotoReady,
        "photo.rejected": PhotoRejected,
        "photo.deleted": PhotoDeleted,
        "like.added": LikeAdded,
        "comment.added": CommentAdded,
        "user.followed": UserFollowed,
        PING: EndpointPing,
    }
)


def encode(kind: str, timestamp: str, data: PayloadModel) -> bytes:
    """Return the JSON of a payload, with the fields that were given; raise `ValueError` for data of another type."""
    return PAYLOADS[kind](type=kind, timestamp=timestamp, data=data).model_dump_json(exclude_unset=True).encode()
