"""What the API gives back: one model for each shape, filled from domain types and described in OpenAPI.

The JSON of photos, comments and notifications is made where they are cached and announced (`storage.cache.cards`,
`storage.render.comment`, `storage.render.notification`); their models stand here as documentation, and a test holds
the two together.
"""

from __future__ import annotations

from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from channels.contract.ports import Presence
from storage import models
from storage.render.person import person_fields
from storage.render.timestamps import timestamp, timestamp_of

Id = Annotated[str, Field(min_length=13, max_length=13, pattern="^[0-9A-HJKMNP-TV-Z]{13}$", examples=["01K3S9C0XG4Q7"])]
Time = Annotated[str, Field(json_schema_extra={"format": "date-time"}, examples=["2026-11-20T12:00:00.000Z"])]


class ResponseModel(BaseModel):
    """A body that the API gives."""

    model_config = ConfigDict(extra="forbid")

    def to_bytes(self) -> bytes:
        """Return the JSON."""
        return self.model_dump_json().encode()


T = TypeVar("T", bound=BaseModel)


class ListResponse(ResponseModel, Generic[T]):
    """A part of a list; `next` is the cursor of what follows, null at the end."""

    items: list[T]
    next: str | None


class StreamPosition(ResponseModel):
    """A place in a live stream: what was announced up to there, an answer shows."""

    epoch: str
    offset: int


class StreamListResponse(ListResponse[T], Generic[T]):
    """A list to which a live stream brings what is new.

    `stream` is the place from which to recover that stream, on the first page; null on others, and where it is unknown.
    """

    stream: StreamPosition | None


def stream_position(position: tuple[str, int] | None) -> dict[str, Any] | None:
    """Return an epoch and an offset as JSON has them."""
    return None if position is None else {"epoch": position[0], "offset": position[1]}


class UserFields(ResponseModel):
    """Base of every shape that shows a user."""

    id: Id
    username: str
    display_name: str
    avatar_url: str | None


class UserSummaryResponse(UserFields):
    """A user as shown with photos, comments and notifications, and in lists."""

    @classmethod
    def from_model(cls, person: models.Person | models.User) -> UserSummaryResponse:
        """Return the JSON shape of a person."""
        return cls(**person_fields(person if isinstance(person, models.Person) else _person(person)))


class RelationToViewer(ResponseModel):
    """How the viewer stands to a profile."""

    following: bool
    requested: bool
    followed_by: bool
    blocking: bool
    muting: bool


class ProfileResponse(UserFields):
    """What everybody may know of an account; `relation` is null for visitors and on one's own.

    `online` and `last_seen` are null unless the viewer may know: followers, if the person lets them, and the person.
    `last_seen` tells when somebody who is away was last online, in the last 30 days.
    """

    bio: str
    private: bool
    followers: int
    following: int
    photos: int
    created_at: Time
    relation: RelationToViewer | None
    online: bool | None
    last_seen: Time | None

    @classmethod
    def from_model(
        cls, user: models.User, relation: models.Relation | None, presence: Presence | None
    ) -> ProfileResponse:
        """Return the profile as a viewer sees it."""
        return cls(
            **_public(user),
            relation=None if relation is None else RelationToViewer(**_relation(relation)),
            online=None if presence is None else presence.online,
            last_seen=None if presence is None or presence.last_seen is None else timestamp_of(presence.last_seen),
        )


class AccountResponse(UserFields):
    """One's own account; `presence` is whom the person lets know whether they are online."""

    bio: str
    private: bool
    presence: models.PresenceAudience
    followers: int
    following: int
    photos: int
    created_at: Time
    email: str
    role: models.Role
    settings: dict[str, Any]

    @classmethod
    def from_model(cls, user: models.User) -> AccountResponse:
        """Return the account as its owner sees it."""
        return cls(**_public(user), presence=user.presence, email=user.email, role=user.role, settings=user.settings)


class TokensResponse(ResponseModel):
    """A session's tokens. With cookies they are not told, but the CSRF token is; `expires_in` in seconds."""

    access_token: str | None = None
    refresh_token: str | None = None
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the scheme's name
    expires_in: int
    csrf_token: str | None = None
    user: AccountResponse | None = None

    def to_bytes(self) -> bytes:
        """Return the JSON without what is not told."""
        return self.model_dump_json(exclude_none=True).encode()


class PhotoUrls(ResponseModel):
    """Where the images are; empty until the photo is ready. `original` is told to the owner alone, not in the feed."""

    thumb: str | None = None
    feed: str | None = None
    original: str | None = None


class PhotoResponse(ResponseModel):
    """A photo; `placeholder` is a thumbhash in base 64, sizes are pixels of the upright picture."""

    id: Id
    author: UserSummaryResponse
    caption: str
    alt_text: str
    tags: list[str]
    location: str | None
    created_at: Time
    state: models.PhotoState
    width: int
    height: int
    placeholder: str | None
    urls: PhotoUrls
    likes: int
    comments: int
    liked: bool


class LikeResponse(ResponseModel):
    """The state after a like or unlike."""

    liked: bool
    likes: int

    @classmethod
    def from_model(cls, counters: models.PhotoCounters) -> LikeResponse:
        """Return the state that a like or unlike left."""
        return cls(liked=counters.liked, likes=counters.likes)


class CommentResponse(ResponseModel):
    """A comment."""

    id: Id
    photo_id: Id
    author: UserSummaryResponse
    text: str
    created_at: Time


class NotificationResponse(ResponseModel):
    """An entry of the inbox: up to three people, newest first, `count` of them in all."""

    id: Id
    kind: models.NotificationKind
    actors: list[UserSummaryResponse]
    count: int
    photo_id: Id | None
    text: str
    created_at: Time
    updated_at: Time
    seen: bool
    read: bool


class NotificationCountersResponse(ResponseModel):
    """The numbers of notifications that were not seen yet (the badge) and not opened yet."""

    unseen: int
    unread: int

    @classmethod
    def from_model(cls, counters: models.NotificationCounters) -> NotificationCountersResponse:
        """Return the numbers as JSON has them."""
        return cls(unseen=counters.unseen, unread=counters.unread)


class LiveTicketResponse(ResponseModel):
    """A ticket for one live connection at `url`."""

    token: str
    url: str
    expires_at: Time


class FieldProblem(ResponseModel):
    """What is wrong with one field."""

    field: str
    message: str


class ProblemResponse(ResponseModel):
    """An error (RFC 9457); `code` is stable, `detail` is for people."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: list[FieldProblem] = []


def _person(user: models.User) -> models.Person:
    return models.Person(
        id=user.id, username=user.username, display_name=user.display_name, avatar_sha256=user.avatar_sha256
    )


def _public(user: models.User) -> dict[str, Any]:
    return person_fields(_person(user)) | {
        "bio": user.bio,
        "private": user.private,
        "followers": user.followers,
        "following": user.following,
        "photos": user.photos,
        "created_at": timestamp(user.created_at),
    }


def _relation(relation: models.Relation) -> dict[str, bool]:
    return {name: getattr(relation, name) for name in RelationToViewer.model_fields}
