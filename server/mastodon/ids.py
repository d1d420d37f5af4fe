"""Ids of this interface: decimal digits of the ids of `storage.ids`, because apps read them as numbers.

A status is a photo or a comment, whose ids are of two tables. Bit 62 marks a comment: in an id of `storage.ids` it is
set from the year 2060 on. A picture of a photo has the photo's digits and one more, its place.
"""

from __future__ import annotations

from typing import NamedTuple

from storage.errors import NotFoundError
from storage.ids import MAX_ID

MAX_PICTURES = 10  # of one photo, so that a place is one digit
_COMMENT = 1 << 62
_DIGITS = 20  # of the id of a picture, the longest


class StatusRef(NamedTuple):
    """What an id of a status names: a photo, or a comment."""

    id: int
    is_comment: bool = False


class PictureRef(NamedTuple):
    """What an id of a picture names: its photo, and its place in it, from 0 on."""

    photo_id: int
    place: int


def parse_id(text: str, what: str = "record") -> int:
    """Return an id; a text that is none names nothing: raise `NotFoundError(what)`."""
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS):
        raise NotFoundError(what)
    found = int(text)
    if found > MAX_ID:
        raise NotFoundError(what)
    return found


def parse_status(text: str) -> StatusRef:
    """Return what an id of a status names; raise `NotFoundError("status")`."""
    found = parse_id(text, "status")
    return StatusRef(found & ~_COMMENT, is_comment=bool(found & _COMMENT))


def comment_status(comment_id: int) -> str:
    """Return the id of the status that a comment is."""
    return str(comment_id | _COMMENT)


def picture(photo_id: int, place: int) -> str:
    """Return the id of a picture of a photo."""
    return f"{photo_id}{place}"


def parse_picture(text: str) -> PictureRef:
    """Return what an id of a picture names; raise `NotFoundError("upload")`."""
    return PictureRef(parse_id(text[:-1], "upload"), parse_id(text[-1:], "upload"))
