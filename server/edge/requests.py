"""Models of request bodies and queries: strict about names, with messages that explain what to send."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    WithJsonSchema,
)

from server.edge.fields import (
    Bio,
    CommentText,
    Cursor,
    DisplayName,
    Email,
    Id,
    PageSize,
    Password,
    SearchedTag,
    Settings,
    Username,
    not_reserved,
)
from storage import texts
from storage.models import LanguageChoice, LocationMetadata, PresenceAudience
from storage.search_text import MAX_QUERY


class RequestModel(BaseModel):
    """Base of bodies; unknown names are an error, so that a misspelt one is not silently ignored."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class QueryModel(BaseModel):
    """Base of queries; frozen, because they are cached.

    Unknown parameters are ignored, because links collect foreign ones.
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class NewAccount(RequestModel):
    """A new account. An operator may give it a name that is reserved, for example `support`."""

    username: Username
    email: Email
    password: Password
    display_name: DisplayName = ""


class SignUpRequest(NewAccount):
    """A new account. With `cookie` the tokens are set as cookies instead of being returned in the body."""

    username: Annotated[Username, AfterValidator(not_reserved)]
    cookie: bool = False


class SignInRequest(RequestModel):
    """A username or e-mail address and its password; `cookie` as for signing up."""

    username: Annotated[str, Field(min_length=1, max_length=254)]
    password: Annotated[str, Field(min_length=1, max_length=256)]
    cookie: bool = False


class AccountDeletion(RequestModel):
    """The password that confirms a deletion; if it is given, it must be right."""

    password: Annotated[str, Field(min_length=1, max_length=256)] | None = None


class RefreshRequest(RequestModel):
    """A refresh token; without it the one in the cookie is used."""

    refresh_token: Annotated[str, Field(max_length=200)] | None = None


class AccountUpdate(RequestModel):
    """Changes of the account; fields that are left out stay unchanged.

    A former username leads to the account for 30 days, in which no other account can take it.
    """

    username: Annotated[Username, AfterValidator(not_reserved)] | None = None
    display_name: Annotated[DisplayName, Field(min_length=1)] | None = None
    bio: Bio | None = None
    private: bool | None = None
    presence: PresenceAudience | None = None
    location_metadata: LocationMetadata | None = None
    publish_rights: bool | None = None
    language: LanguageChoice | None = None
    searchable: bool | None = None
    settings: Settings | None = None


class UploadAnnouncement(RequestModel):
    """A file that is going to be uploaded: its type, its size in bytes, and its SHA-256 in hex."""

    content_type: Literal[
        "image/jpeg",
        "image/png",
        "image/webp",
        "image/avif",
        "image/gif",
        "image/heic",
        "video/mp4",
        "video/quicktime",
    ]
    bytes: Annotated[int, Field(ge=1)]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class SignedUploadQuery(QueryModel):
    """The signature of a signed upload."""

    exp: str = ""
    sig: str = ""


class SignedExportQuery(QueryModel):
    """The signature of the URL of an archive."""

    exp: str = ""
    sig: str = ""


class ImageUpload(RequestModel):
    """A form with an image and nothing else."""


class CommentEdit(RequestModel):
    """The new text of a comment."""

    text: CommentText


class CommentCreate(RequestModel):
    """A new comment; with `reply_to` it is a reply to this comment, or below the comment of this reply."""

    text: CommentText
    reply_to: Id | None = None


class PhotoReference(RequestModel):
    """The photo of a live client's call."""

    photo_id: Id


class ListQuery(QueryModel):
    """A page of a list: at most `limit` items, after `cursor`."""

    limit: PageSize = 20
    cursor: Cursor | None = None


class CommentsQuery(ListQuery):
    """A page of the comments on a photo, newest first or those with the most likes first."""

    order: Literal["newest", "top"] = "newest"


class PhotosQuery(ListQuery):
    """A page of the newest photos, or of those with a tag."""

    tag: SearchedTag | None = None


class SearchKind(StrEnum):
    """What a search finds: `all` is the best of each kind."""

    ALL = "all"
    USERS = "users"
    TAGS = "tags"
    PHOTOS = "photos"


# In place, because parameters refer to no component of the document.
_described_kinds = WithJsonSchema({"type": "string", "enum": [kind.value for kind in SearchKind]})


class WordSearchQuery(ListQuery):
    """What to search for, and a page of the results of one type."""

    q: Annotated[str, Field(max_length=MAX_QUERY), AfterValidator(texts.single_line), Field(min_length=1)]
    type: Annotated[SearchKind, _described_kinds] = SearchKind.ALL


class SearchQuery(ListQuery):
    """A page of the users whose username begins with `query`."""

    query: Annotated[str, Field(max_length=60), AfterValidator(texts.single_line), Field(min_length=1)]
