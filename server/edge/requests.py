"""What clients send: one model for each body and query, strict about names and clear about what is wrong."""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated, Any

import orjson
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from storage import ids
from storage.models import PresenceAudience

MAX_TAGS = 30
MAX_SETTINGS_BYTES = 8192
MAX_SETTINGS_DEPTH = 10
_USERNAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.]{1,28}[A-Za-z0-9_])")
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s.]+(?:\.[^@\s.]+)+")
_TAG = re.compile(r"[^\W_][\w-]{0,49}")
_RESERVED = {"me", "admin", "administrator", "picshare", "root", "support", "system"}


class RequestModel(BaseModel):
    """A body; unknown names are refused, so that a mistyped one is not silently lost."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class QueryModel(BaseModel):
    """A query; unknown parameters are ignored, as links gather foreign ones. Frozen, since it is remembered."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


def _line(text: str) -> str:
    """Accept one line of text, without control characters and directional overrides."""
    if any(unicodedata.category(symbol) in {"Cc", "Cs", "Zl", "Zp"} or symbol in _OVERRIDES for symbol in text):
        raise ValueError("control characters are not allowed here")
    return " ".join(text.split())


def _prose(text: str) -> str:
    """Accept text of several lines."""
    text = text.replace("\r\n", "\n")
    if any(unicodedata.category(symbol) in {"Cc", "Cs"} and symbol not in "\n\t" for symbol in text):
        raise ValueError("control characters other than line breaks are not allowed")
    return text.strip()


# Characters that reorder what is shown around them, so that a name can pose as another (CVE-2021-42574).
_OVERRIDES = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def _username(text: str) -> str:
    if _USERNAME.fullmatch(text) is None:
        raise ValueError("use 3 to 30 letters, digits, dots and underscores, beginning with a letter or digit")
    if text.lower() in _RESERVED:
        raise ValueError("this name is reserved; choose another")
    try:
        ids.decode(text)
    except ids.BadIdError:
        return text
    raise ValueError("this name looks like an id; choose another")


def _email(text: str) -> str:
    text = text.strip()
    if _EMAIL.fullmatch(text) is None or not text.isprintable():
        raise ValueError("this is not an e-mail address")
    return text


def _tags(tags: list[str]) -> list[str]:
    """Return tags in their one form: lower case, without #, each once."""
    return list(dict.fromkeys(tag_of(tag) for tag in tags))


def tag_of(text: str) -> str:
    """Return a tag's one form; raise `ValueError` for what cannot be a tag."""
    tag = unicodedata.normalize("NFKC", text).strip().lstrip("#").lower()
    if _TAG.fullmatch(tag) is None:
        raise ValueError("a tag has 1 to 50 letters, digits, underscores or hyphens")
    return tag


def _settings(value: dict[str, Any]) -> dict[str, Any]:
    _check_json(value, MAX_SETTINGS_DEPTH)
    if len(orjson.dumps(value)) > MAX_SETTINGS_BYTES:
        raise ValueError(f"settings have at most {MAX_SETTINGS_BYTES} bytes of JSON")
    return value


def _check_json(value: Any, depth: int) -> None:
    if depth < 0:
        raise ValueError(f"settings nest at most {MAX_SETTINGS_DEPTH} deep")
    if isinstance(value, str) and "\0" in value:
        raise ValueError("NUL characters are not allowed")
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    if isinstance(value, list):
        for item in value:
            _check_json(item, depth - 1)


def _digits(text: Any) -> Any:
    """Accept a number as everybody writes it, not "+5", "5.0" or "1_0"."""
    if isinstance(text, str) and not (text.isascii() and text.isdigit()):
        raise ValueError("use a whole number from 1 to 100")
    return text


def _id(text: Any) -> Any:
    return ids.decode(text) if isinstance(text, str) else text


Username = Annotated[str, AfterValidator(_username)]
Email = Annotated[str, Field(max_length=254), AfterValidator(_email)]
Password = Annotated[str, Field(min_length=8, max_length=256)]
DisplayName = Annotated[str, Field(max_length=60), AfterValidator(_line)]
Bio = Annotated[str, Field(max_length=500), AfterValidator(_prose)]
Caption = Annotated[str, Field(max_length=2200), AfterValidator(_prose)]
AltText = Annotated[str, Field(max_length=1000), AfterValidator(_prose)]
Location = Annotated[str, Field(max_length=100), AfterValidator(_line)]
Tags = Annotated[list[str], Field(max_length=MAX_TAGS), AfterValidator(_tags)]
Id = Annotated[int, BeforeValidator(_id, json_schema_input_type=str)]


class SignUpRequest(RequestModel):
    """A new account; with `cookie` the tokens are set as cookies and not told in the answer."""

    username: Username
    email: Email
    password: Password
    display_name: DisplayName = ""
    cookie: bool = False


class SignInRequest(RequestModel):
    """A name (or e-mail address) and its password; `cookie` as at sign-up."""

    username: Annotated[str, Field(min_length=1, max_length=254)]
    password: Annotated[str, Field(min_length=1, max_length=256)]
    cookie: bool = False


class RefreshRequest(RequestModel):
    """A refresh token; without one the cookie's is taken."""

    refresh_token: Annotated[str, Field(max_length=200)] | None = None


class AccountUpdate(RequestModel):
    """What to change of one's own account; what is left out stays."""

    display_name: Annotated[DisplayName, Field(min_length=1)] | None = None
    bio: Bio | None = None
    private: bool | None = None
    presence: PresenceAudience | None = None
    settings: Annotated[dict[str, Any], AfterValidator(_settings)] | None = None


class PhotoMetadata(RequestModel):
    """What stands beside a new photo."""

    caption: Caption = ""
    alt_text: AltText = ""
    tags: Tags = []
    location: Location | None = None


class PhotoUpdate(RequestModel):
    """What to change beside a photo; what is left out stays, an empty `location` is taken away."""

    caption: Caption | None = None
    alt_text: AltText | None = None
    tags: Tags | None = None
    location: Location | None = None


class CommentCreate(RequestModel):
    """A new comment."""

    text: Annotated[str, Field(max_length=1000), AfterValidator(_prose), Field(min_length=1)]


class NotificationSelection(RequestModel):
    """Which notifications; all of them when left out."""

    ids: Annotated[list[Id], Field(max_length=100)] | None = None


class PhotoReference(RequestModel):
    """Which photo a live client's call is about."""

    photo_id: Id


class ListQuery(QueryModel):
    """Which part of a list."""

    limit: Annotated[int, BeforeValidator(_digits), Field(ge=1, le=100)] = 20
    cursor: str | None = None


class PhotosQuery(ListQuery):
    """Newest photos, or those with a tag."""

    tag: Annotated[str, AfterValidator(tag_of)] | None = None


class SearchQuery(ListQuery):
    """People whose username begins so."""

    query: Annotated[str, Field(min_length=1, max_length=60), AfterValidator(_line)]
