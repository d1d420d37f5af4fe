"""Models of response bodies, filled from domain types and described in OpenAPI.

The JSON of photos, comments and notifications is made by `storage.render`, because it is also cached and published.
Their models here are documentation; a test compares them with that JSON.
"""

from __future__ import annotations

from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from channels.contract.ports import Presence
from storage import models
from storage.render.timestamps import timestamp, timestamp_of
from storage.render.user_summary import user_summary_fields

Id = Annotated[str, Field(min_length=13, max_length=13, pattern="^[0-9A-HJKMNP-TV-Z]{13}$", examples=["01K3S9C0XG4Q7"])]
Time = Annotated[str, Field(json_schema_extra={"format": "date-time"}, examples=["2026-11-20T12:00:00.000Z"])]


class ResponseModel(BaseModel):
    """Base of response bodies."""

    model_config = ConfigDict(extra="forbid")

    def to_bytes(self) -> bytes:
        """Return the JSON."""
        return self.model_dump_json().encode()


T = TypeVar("T", bound=BaseModel)


class ListResponse(ResponseModel, Generic[T]):
    """A page of a list; `next` is the cursor of the next page, null at the end."""

    items: list[T]
    next: str | None


class StreamPositionResponse(ResponseModel):
    """A position in a live stream: the response shows every publication up to it."""

    epoch: str
    offset: int


class StreamListResponse(ListResponse[T], Generic[T]):
    """A page of a list whose new items are published in a live stream.

    `stream` is the position from which to recover that stream, on the first page; null on other pages, and where it is
    unknown.
    """

    stream: StreamPositionResponse | None


def stream_position(position: tuple[str, int] | None) -> dict[str, Any] | None:
    """Return the JSON of an epoch and offset."""
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
    def from_model(cls, user: models.UserSummary | models.User) -> UserSummaryResponse:
        """Return the response for a user."""
        return cls(**user_summary_fields(user if isinstance(user, models.UserSummary) else _summary(user)))


class RelationToViewer(ResponseModel):
    """The relation between the viewer and a user."""

    following: bool
    requested: bool
    followed_by: bool
    blocking: bool
    muting: bool


class ProfileResponse(UserFields):
    """The public profile of a user; `relation` is null for visitors and on the viewer's own profile.

    `online` and `last_seen` are null unless the viewer is the user, or a follower while the user shows presence to
    followers. `last_seen` is the time when an offline user was last online, within the last 30 days.
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
        """Return the profile for a viewer."""
        return cls(
            **_public(user),
            relation=None if relation is None else RelationToViewer(**_relation(relation)),
            online=None if presence is None else presence.online,
            last_seen=None if presence is None or presence.last_seen is None else timestamp_of(presence.last_seen),
        )


class AccountResponse(UserFields):
    """The viewer's own account; `presence` is the audience that may see whether the user is online."""

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
        """Return the account for its owner."""
        return cls(**_public(user), presence=user.presence, email=user.email, role=user.role, settings=user.settings)


class TokensResponse(ResponseModel):
    """A session's tokens, or with cookies only its CSRF token; `expires_in` in seconds."""

    access_token: str | None = None
    refresh_token: str | None = None
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the scheme's name
    expires_in: int
    csrf_token: str | None = None
    user: AccountResponse | None = None

    def to_bytes(self) -> bytes:
        """Return the JSON without absent fields."""
        return self.model_dump_json(exclude_none=True).encode()


class PhotoUrls(ResponseModel):
    """URLs of the images; empty until the photo is ready. Only the owner gets `original`, and not in the feed."""

    thumb: str | None = None
    feed: str | None = None
    original: str | None = None


class PhotoResponse(ResponseModel):
    """A photo; `placeholder` is a thumbhash in base 64, `width` and `height` are the pixels of the upright image."""

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
        """Return the response for the counters after a like or unlike."""
        return cls(liked=counters.liked, likes=counters.likes)


class CommentResponse(ResponseModel):
    """A comment."""

    id: Id
    photo_id: Id
    author: UserSummaryResponse
    text: str
    created_at: Time


class CommentExcerptResponse(ResponseModel):
    """The comment that a notification is about, and its beginning: one line of at most 140 characters."""

    id: Id
    excerpt: str


class NotificationResponse(ResponseModel):
    """A grouped entry of the inbox: up to three actors, newest first, of `count` in all.

    `position` grows with each new activity; the inbox is sorted by it.
    """

    id: Id
    position: Id
    kind: models.NotificationKind
    actors: list[UserSummaryResponse]
    count: int
    photo_id: Id | None
    comment: CommentExcerptResponse | None
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
        """Return the response for the counters."""
        return cls(unseen=counters.unseen, unread=counters.unread)


class LiveTicketResponse(ResponseModel):
    """A ticket for one live connection at `url`."""

    token: str
    url: str
    expires_at: Time


class FieldProblem(ResponseModel):
    """An error in one field of the input."""

    field: str
    message: str


class ProblemResponse(ResponseModel):
    """An error (RFC 9457); `code` is stable, `detail` is for human readers."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: list[FieldProblem] = []


def _summary(user: models.User) -> models.UserSummary:
    return models.UserSummary(
        id=user.id, username=user.username, display_name=user.display_name, avatar_sha256=user.avatar_sha256
    )


def _public(user: models.User) -> dict[str, Any]:
    return user_summary_fields(_summary(user)) | {
        "bio": user.bio,
        "private": user.private,
        "followers": user.followers,
        "following": user.following,
        "photos": user.photos,
        "created_at": timestamp(user.created_at),
    }


def _relation(relation: models.Relation) -> dict[str, bool]:
    return {name: getattr(relation, name) for name in RelationToViewer.model_fields}
