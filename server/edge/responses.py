"""Models of response bodies, filled from domain types and described in OpenAPI.

The JSON of photos, comments and notifications is made by `storage.render`, because it is also cached and published.
Their models here are documentation; a test compares them with that JSON.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from channels.contract.ports import Presence
from storage import models
from storage.render.timestamps import timestamp, timestamp_of
from storage.render.user_summary import banner_url, user_summary_fields
from storage.stores.discovery.account_suggestions import AccountSuggestion, SuggestionReason

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


class TagResponse(ResponseModel):
    """A tag that the viewer follows."""

    tag: str


class TrendingTagResponse(ResponseModel):
    """A tag that more authors use than usual, with the number of those who used it in the last hours."""

    tag: str
    authors: int


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


class HighlightsResponse(StreamListResponse[T], Generic[T]):
    """A page of the home feed in the order of its highlights.

    `since` is the time from which on its photos are, null if they are all that the feed has. `stream` is null.
    """

    since: Time | None


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
        return cls(**user_summary_fields(user))


class SuggestedUserResponse(UserFields):
    """A user that the viewer might want to follow, and why.

    `friends` is the number of accounts that the viewer follows and that follow this one, for that reason alone.
    """

    reason: SuggestionReason
    friends: int | None

    @classmethod
    def of(cls, user: models.User, suggestion: AccountSuggestion) -> SuggestedUserResponse:
        """Return the response for a suggestion."""
        friends = suggestion.number if suggestion.reason is SuggestionReason.FRIENDS else None
        return cls(**user_summary_fields(user), reason=suggestion.reason, friends=friends)


class SuggestionsResponse(ListResponse[SuggestedUserResponse]):
    """Suggested users, and when the suggestions were made: null while they are made for the first time."""

    made_at: Time | None


class RelationToViewer(ResponseModel):
    """The relation between the viewer and a user; `close_friend` if the user is one of the viewer's.

    `bell` if the viewer is notified of each new photo of the user.
    """

    following: bool
    requested: bool
    followed_by: bool
    blocking: bool
    muting: bool
    close_friend: bool
    bell: bool


class ProfileResponse(UserFields):
    """The public profile of a user; `relation` is null for visitors and on the viewer's own profile.

    `online` and `last_seen` are null unless the viewer is the user, or a follower while the user shows presence to
    followers. `last_seen` is the time when an offline user was last online, within the last 30 days.
    """

    banner_url: str | None
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
    """The viewer's own account; `presence` is the audience that may see whether the user is online.

    `location_metadata` says how exactly the positions in the EXIF of new photos are kept for the user; `publish_rights`
    whether new images have the creator and the licence that their files name; `language` the language of texts to the
    user, "auto" for that of the browser; `searchable` whether a search finds the account and its photos.
    `email_verified` is whether the user has proven that the address is theirs.
    """

    banner_url: str | None
    bio: str
    private: bool
    presence: models.PresenceAudience
    location_metadata: models.LocationMetadata
    publish_rights: bool
    language: models.LanguageChoice
    searchable: bool
    followers: int
    following: int
    photos: int
    created_at: Time
    email: str
    email_verified: bool
    role: models.Role
    settings: dict[str, Any]

    @classmethod
    def from_model(cls, user: models.User) -> AccountResponse:
        """Return the account for its owner."""
        return cls(
            **_public(user),
            presence=user.presence,
            location_metadata=user.location_metadata,
            publish_rights=user.publish_rights,
            language=user.language,
            searchable=user.searchable,
            email=user.email,
            email_verified=user.email_verified,
            role=user.role,
            settings=user.settings,
        )


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


class DeletionResponse(ResponseModel):
    """The deletion of an account: until when it can be undone, null if it cannot."""

    deletion_due_at: Time | None

    @classmethod
    def from_model(cls, due_at: datetime | None) -> DeletionResponse:
        """Return the response for a deletion."""
        return cls(deletion_due_at=None if due_at is None else timestamp(due_at))


class DeletionTermsResponse(ResponseModel):
    """The days for which a deletion can be undone; 0 if an account is deleted for good at once."""

    grace_days: int


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
    """An error (RFC 9457); `code` is stable, `detail` is for human readers.

    `deletion_due_at` is there with the code `deletion_pending`: until then the deletion of the account can be undone.
    `challenge` is there with the code `second_factor_required`: send it with a code to `POST /tokens/second-factor`.
    """

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: list[FieldProblem] = []
    deletion_due_at: Time | None = None
    challenge: str | None = None


def _public(user: models.User) -> dict[str, Any]:
    return user_summary_fields(user) | {
        "banner_url": banner_url(user),
        "bio": user.bio,
        "private": user.private,
        "followers": user.followers,
        "following": user.following,
        "photos": user.photos,
        "created_at": timestamp(user.created_at),
    }


def _relation(relation: models.Relation) -> dict[str, bool]:
    return {name: getattr(relation, name) for name in RelationToViewer.model_fields}
