"""The fields of request bodies and queries: their rules, with messages that explain what to send, and their schemas."""

from __future__ import annotations

import re
from typing import Annotated, Any

import orjson
from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from storage import ids, texts
from storage.moments import photo_time
from storage.render.timestamps import timestamp

MAX_SETTINGS_BYTES = 8192
MAX_SETTINGS_DEPTH = 10
MAX_SETTINGS_NUMBER = 2**53
_USERNAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.]{1,28}[A-Za-z0-9_])")
# A dot-atom (RFC 5322, section 3.2.3) at a domain name, both with letters of all scripts (RFC 6531). Quoted local parts
# and addresses in brackets are left out: mail servers refuse them, and they come from typing errors.
_ATOM = r"[^\s@<>()\[\]\\,;:\x22.]+"
_LABEL = r"(?!-)[^\s!-,./:-@\[-`{-~]{1,63}(?<!-)"
_EMAIL = re.compile(rf"(?=[^@]{{1,64}}@){_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})+")
_TIME = "2026-11-20T12:00:00+01:00"
_RESERVED = {"me", "admin", "administrator", "picshare", "root", "support", "system"}


def _username(text: str) -> str:
    if _USERNAME.fullmatch(text) is None:
        raise ValueError("Use 3 to 30 letters, digits, dots and underscores, beginning with a letter or digit.")
    try:
        ids.decode(text)
    except ids.BadIdError:
        return text
    raise ValueError("This name looks like an id. Choose another one.")


def not_reserved(text: str) -> str:
    """Return a username that users may choose; raise `ValueError` for one that operators alone may give."""
    if text.lower() in _RESERVED:
        raise ValueError("This name is reserved. Choose another one.")
    return text


def _email(text: str) -> str:
    text = text.strip()
    if _EMAIL.fullmatch(text) is None or not text.isprintable() or texts.has_blank(text):
        raise ValueError("This is not an e-mail address.")
    return text


def _tags(tags: list[str]) -> list[str]:
    """Return tags in normal form, each once and in the given order."""
    return list(dict.fromkeys(texts.tag(tag) for tag in tags))


def _searched_tag(text: str) -> str:
    # Tags stored by earlier versions are longer than new ones may be where folding has lengthened them.
    return texts.tag(text, max_letters=texts.MAX_TAG_LENGTH)


def _settings(value: dict[str, Any]) -> dict[str, Any]:
    _check_json(value, MAX_SETTINGS_DEPTH)
    if len(orjson.dumps(value)) > MAX_SETTINGS_BYTES:
        raise ValueError(f"Settings may have at most {MAX_SETTINGS_BYTES} bytes of JSON.")
    return value


def _check_json(value: Any, depth: int) -> None:
    if depth < 0:
        raise ValueError(f"Settings may be nested at most {MAX_SETTINGS_DEPTH} levels deep.")
    if isinstance(value, str) and "\0" in value:
        raise ValueError("NUL characters are not allowed.")
    # Larger ones come back from the database as integers of any length, which the JSON of a response cannot have.
    if isinstance(value, int | float) and not abs(value) <= MAX_SETTINGS_NUMBER:
        raise ValueError("Numbers must be from -2^53 to 2^53.")
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    if isinstance(value, list):
        for item in value:
            _check_json(item, depth - 1)


def _digits(text: Any) -> Any:
    """Accept decimal digits alone; Python would also accept "+5", "5.0" and "1_0"."""
    if isinstance(text, str) and not (text.isascii() and text.isdigit()):
        raise ValueError("Use a whole number from 1 to 100.")
    return text


def _id(text: Any) -> int:
    if not isinstance(text, str):
        # pydantic reports a ValueError as invalid input, and lets a TypeError through.
        raise ValueError(f"An id is a string of {ids.TEXT_LENGTH} characters.")  # noqa: TRY004
    return ids.decode(text)


def _photo_time(text: str) -> str:
    try:
        return text and timestamp(photo_time(text))
    except ValueError as error:
        raise ValueError(f"Use a past time with its offset, for example {_TIME}, or an empty text.") from error


def _described(pattern: str, **more: Any) -> WithJsonSchema:
    """Return the schema of a text whose validator is a function, for the OpenAPI document."""
    return WithJsonSchema({"type": "string", "pattern": pattern, **more})


# ECMA 262 without Unicode properties, which not every validator knows: a tag's letters are not described.
ID_PATTERN = "^[0-7][0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{12}$"
NAME_OR_ID_PATTERN = "^(?:me|[A-Za-z0-9_.]{3,30})$"
_USERNAME_PATTERN = f"^{_USERNAME.pattern}$"
_EMAIL_PATTERN = f"^{_EMAIL.pattern}$"
_TAG_PATTERN = r"^#?[^\s#]+$"
_CURSOR_PATTERN = "^[A-Za-z0-9_-]{1,200}$"

Username = Annotated[str, AfterValidator(_username), _described(_USERNAME_PATTERN, minLength=3, maxLength=30)]
Email = Annotated[
    str, Field(max_length=254), AfterValidator(_email), _described(_EMAIL_PATTERN, format="email", maxLength=254)
]
Password = Annotated[str, Field(min_length=8, max_length=256)]
DisplayName = Annotated[str, Field(max_length=60), AfterValidator(texts.single_line)]
Bio = Annotated[str, Field(max_length=500), AfterValidator(texts.multi_line)]
Caption = Annotated[str, Field(max_length=texts.MAX_CAPTION), AfterValidator(texts.multi_line)]
CommentText = Annotated[str, Field(max_length=1000), AfterValidator(texts.multi_line), Field(min_length=1)]
AltText = Annotated[str, Field(max_length=texts.MAX_ALT_TEXT), AfterValidator(texts.multi_line)]
Location = Annotated[str, Field(max_length=100), AfterValidator(texts.single_line)]
PhotoTime = Annotated[
    str, Field(max_length=40), AfterValidator(_photo_time), WithJsonSchema({"type": "string", "examples": [_TIME]})
]
Tags = Annotated[
    list[Annotated[str, _described(_TAG_PATTERN)]], Field(max_length=texts.MAX_TAGS), AfterValidator(_tags)
]
Id = Annotated[int, BeforeValidator(_id), _described(ID_PATTERN, examples=["01K3S9C0XG4Q7"])]
Settings = Annotated[dict[str, Any], AfterValidator(_settings)]
SearchedTag = Annotated[str, AfterValidator(_searched_tag), _described(_TAG_PATTERN)]
PageSize = Annotated[int, BeforeValidator(_digits), Field(ge=1, le=100)]
Cursor = Annotated[str, _described(_CURSOR_PATTERN)]
