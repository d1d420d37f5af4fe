"""The JSON of a photo.

A card is that JSON without its end: the counters and the viewer's own like are appended for each response. The card
of a private author's photo begins with a marker and the content's hash, and has no URLs, because those are signed for
each response.
"""

from __future__ import annotations

from typing import Any

import orjson

from storage.ids import encode
from storage.models import Photo, PhotoState
from storage.render.images import Sign, image_urls
from storage.render.timestamps import timestamp
from storage.render.user_summary import user_summary_fields

PRIVATE = ord("!")
LIKED, NOT_LIKED = b"true}", b"false}"
_HASH_END = 1 + 64  # the marker and a SHA-256 in hex
_EXTENSIONS = {"image/jpeg": "jpg", "image/png": "png"}


def photo_card(photo: Photo) -> bytes:
    """Return the card of a photo."""
    fields = _fields(photo)
    if photo.state is not PhotoState.READY:
        fields["urls"] = {}  # there are no variants to point to
    elif photo.author_private:
        return b"!" + photo.sha256.encode() + orjson.dumps(fields)[:-1]
    else:
        fields["urls"] = image_urls(photo.sha256, None)
    return orjson.dumps(fields)[:-1]


def _fields(photo: Photo) -> dict[str, Any]:
    return {
        "id": encode(photo.id),
        "author": user_summary_fields(photo.author),
        "caption": photo.caption,
        "alt_text": photo.alt_text,
        "tags": photo.tags,
        "location": photo.location,
        "created_at": timestamp(photo.created_at),
        "state": photo.state,
        "width": photo.width,
        "height": photo.height,
        "placeholder": photo.placeholder,
    }


def counters_suffix(likes: int, comments: int) -> bytes:
    """Return the JSON that follows a card, up to the value of `liked`."""
    return b',"likes":%d,"comments":%d,"liked":' % (likes, comments)


def with_urls(card: bytes, sign: Sign | None) -> bytes:
    """Return the beginning of a photo's JSON from its card.

    `sign` signs the paths of a private photo for a limited time; without it such a photo has no URLs.
    """
    if card[0] != PRIVATE:
        return card
    urls = {} if sign is None else image_urls(card[1:_HASH_END].decode(), sign)
    return card[_HASH_END:] + b',"urls":' + orjson.dumps(urls)


def assemble(card: bytes, *, likes: int, comments: int, liked: bool, sign: Sign | None) -> bytes:
    """Return a photo's JSON from its card and counters; `sign` as in `with_urls`."""
    return with_urls(card, sign) + counters_suffix(likes, comments) + (LIKED if liked else NOT_LIKED)


def photo_json(photo: Photo, *, liked: bool, sign: Sign | None = None) -> bytes:
    """Return the JSON of a photo in any state."""
    return assemble(photo_card(photo), likes=photo.likes, comments=photo.comments, liked=liked, sign=sign)


def owner_photo_json(photo: Photo, *, liked: bool, sign: Sign) -> bytes:
    """Return the JSON of a photo for its author: a ready photo includes the URL of the original."""
    if photo.state is not PhotoState.READY:
        return photo_json(photo, liked=liked)
    urls = image_urls(photo.sha256, sign if photo.author_private else None)
    urls["original"] = f"/media/{photo.sha256}/original.{_EXTENSIONS[photo.content_type]}"
    return (
        orjson.dumps(_fields(photo) | {"urls": urls})[:-1]
        + counters_suffix(photo.likes, photo.comments)
        + (LIKED if liked else NOT_LIKED)
    )
