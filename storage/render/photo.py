"""The JSON of a photo.

A card is what the JSON of a ready photo is made of, in three lines: the prefix of its images' paths, the listing of
their sizes and formats, and the fields. For each response the URLs are inserted, and the counters and the viewer's own
like appended. The card of a photo that not everyone may see begins with a mark: its URLs are signed for each response.
With a second mark not even all followers may see it, and each viewer's permission is read from PostgreSQL. If the photo
has several pictures, three such lines for each of them follow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import orjson

from storage.blobs.content_types import EXTENSIONS
from storage.blobs.variants import VariantRegistry
from storage.ids import encode
from storage.models import Photo, PhotoItem, PhotoState
from storage.moderation import Decision
from storage.render.entities import entities_fields
from storage.render.images import (
    Picture,
    Sign,
    Write,
    former_path,
    image_prefix,
    images_head,
    listing,
    review_prefix,
    sizes_and_urls,
)
from storage.render.moderation import moderation_fields
from storage.render.timestamps import timestamp
from storage.render.user_summary import user_summary_fields

LIKED, NOT_LIKED = b"true}", b"false}"
Render: TypeAlias = Callable[[bytes], bytes]  # a card -> the beginning of the photo's JSON
PRIVATE = ord("!")
_PRIVATE, _RESTRICTED = b"!", b"!*"  # marks of a card
_FORMER = (ord("{"), 1 + 64)  # of cards of the former version: how public ones begin, the length before the fields
_LINES = 3  # of a card about each picture
_WITH_IMAGES = {PhotoState.READY, PhotoState.HIDDEN}
_NO_IMAGES = b'[]},"urls":{}'


def photo_card(photo: Photo, variants: VariantRegistry, *, review: bool = False) -> bytes:
    """Return the card of a ready photo, or of a hidden one, whose images have URLs of their own, as with `review`."""
    hidden = review or photo.state is PhotoState.HIDDEN
    mark = _PRIVATE if hidden or not photo.public else b""
    lines: list[bytes] = []
    pictures: list[tuple[Picture, bytes]] = [(photo, _beginning(photo))]
    pictures += ((item, _item_beginning(item)) for item in photo.items)
    for picture, beginning in pictures:
        prefix = (review_prefix if hidden else image_prefix)(variants, picture.sha256)
        lines += (mark + prefix.encode(), listing(variants, picture), beginning)
    if photo.restricted:
        lines[0] = lines[0].replace(_PRIVATE, _RESTRICTED, 1)
    # No line of JSON contains a line feed.
    return b"\n".join(lines)


def is_restricted(card: bytes) -> bool:
    """Return whether only some followers may see the photo of a card, or none."""
    return card[:2] == _RESTRICTED


def _fields(photo: Photo) -> dict[str, Any]:
    return {
        "id": encode(photo.id),
        "author": user_summary_fields(photo.author),
        **description_fields(photo),
        "created_at": timestamp(photo.created_at),
        "state": photo.state,
        "width": photo.width,
        "height": photo.height,
        "placeholder": photo.placeholder,
        # That of a video is among the URLs, which follow.
        **({"video": None} if photo.video is None else {}),
    }


def description_fields(photo: Photo) -> dict[str, Any]:
    """Return the JSON fields that change after the upload: the description, and whether the photo is sensitive."""
    return {
        "audience": photo.audience,
        "sensitive": photo.sensitive,
        "caption": photo.caption,
        "caption_entities": entities_fields(photo.caption, photo.mentions),
        "alt_text": photo.alt_text,
        "tags": photo.tags,
        "location": photo.location,
        "taken_at": None if photo.taken_at is None else timestamp(photo.taken_at),
        "edited_at": None if photo.edited_at is None else timestamp(photo.edited_at),
    }


def counters_suffix(likes: int, comments: int) -> bytes:
    """Return the JSON that follows a card, up to the value of `liked`."""
    return b',"likes":%d,"comments":%d,"liked":' % (likes, comments)


def with_urls(card: bytes, sign: Sign | None = None, write: Write = sizes_and_urls) -> bytes:
    """Return the beginning of a photo's JSON from its card.

    `sign` signs the images of a private photo for a limited time; without it such a photo has no URLs. `write` may be
    `unopened` for a reader that opens `media` itself.
    """
    lines = card.split(b"\n")
    if len(lines) == _LINES:
        # The usual case, of which there are many in a page, without further calls.
        prefix, listed, fields = lines
        if prefix[0] != PRIVATE:
            return fields + write(listed, prefix, b"")
        return _with_images(prefix, listed, fields, sign, write)
    if len(lines) == 1:
        return _with_former_urls(card, sign)
    return _with_images(lines[0], lines[1], lines[2], sign, write) + _items(lines[_LINES:], sign, write)


def _with_images(prefix: bytes, listed: bytes, fields: bytes, sign: Sign | None, write: Write) -> bytes:
    if prefix[0] != PRIVATE:
        return fields + write(listed, prefix, b"")
    if sign is None:
        return fields + _NO_IMAGES
    prefix = prefix.lstrip(_RESTRICTED)
    return fields + write(listed, prefix, b"?" + sign(prefix.decode()).encode())


def _items(lines: Sequence[bytes], sign: Sign | None, write: Write) -> bytes:
    """Return the JSON of a photo's items from their lines of its card."""
    pictures = zip(lines[::3], lines[1::3], lines[2::3], strict=True)
    return _joined(_with_images(*picture, sign, write) for picture in pictures)


def _joined(items: Iterable[bytes]) -> bytes:
    return b',"items":[' + b",".join(item + b"}" for item in items) + b"]"


def _with_former_urls(card: bytes, sign: Sign | None) -> bytes:
    """Return the beginning of a photo's JSON from a card of the former version, which Redis keeps for a day."""
    public, length = _FORMER
    if card[0] == public:
        return card
    paths = {name: former_path(card[1:length].decode(), name) for name in ("thumb", "feed")}
    urls = {} if sign is None else {name: f"{path}?{sign(path)}" for name, path in paths.items()}
    return card[length:] + b',"urls":' + orjson.dumps(urls)


def _beginning(photo: Photo) -> bytes:
    """Return the JSON up to the sizes of the images."""
    return _before_sizes(_fields(photo) | {"images": images_head(photo)})


def _item_beginning(item: PhotoItem) -> bytes:
    return _before_sizes(
        {
            "sha256": item.sha256,
            "alt_text": item.alt_text,
            "width": item.width,
            "height": item.height,
            "placeholder": item.placeholder,
            "images": images_head(item),
        }
    )


def _before_sizes(fields: dict[str, Any]) -> bytes:
    return orjson.dumps(fields)[:-2] + b',"sizes":'


def assemble(card: bytes, *, likes: int, comments: int, liked: bool, sign: Sign | None) -> bytes:
    """Return a photo's JSON from its card and counters; `sign` as in `with_urls`."""
    return with_urls(card, sign) + counters_suffix(likes, comments) + (LIKED if liked else NOT_LIKED)


def photo_json(
    photo: Photo, variants: VariantRegistry, *, liked: bool, sign: Sign | None = None, review: bool = False
) -> bytes:
    """Return the JSON of a photo in any state; with `review` its images have the URLs for those who decide about it."""
    if photo.state in _WITH_IMAGES:
        beginning = with_urls(photo_card(photo, variants, review=review), sign)
    else:
        # There are no variants to point to yet.
        beginning = _beginning(photo) + _NO_IMAGES
        if photo.items:
            beginning += _joined(_item_beginning(item) + _NO_IMAGES for item in photo.items)
    return beginning + counters_suffix(photo.likes, photo.comments) + (LIKED if liked else NOT_LIKED)


def owner_photo_json(photo: Photo, variants: VariantRegistry, *, liked: bool, sign: Sign) -> bytes:
    """Return the JSON of a photo for its author, with suggestions and the decision of moderation.

    One that has images includes the URL of each original.
    """
    json = with_suggestions(photo_json(photo, variants, liked=liked, sign=sign), photo.suggestions)
    json = with_moderation(json, photo.moderation)
    if photo.state not in _WITH_IMAGES:
        return json
    # No text contains this: its quotation marks would be escaped.
    before, *after = json.split(b'"urls":{')
    pictures: list[Picture] = [photo, *photo.items]
    urls = (b'"urls":{' + _original(picture) + part for picture, part in zip(pictures, after, strict=True))
    return before + b"".join(urls)


def _original(picture: Picture) -> bytes:
    return f'"original":"/media/{picture.sha256}/original.{EXTENSIONS[picture.content_type]}",'.encode()


def with_suggestions(json: bytes, suggestions: Mapping[str, str]) -> bytes:
    """Return a photo's JSON for its author, with the texts that are suggested, if there are any."""
    return json[:-1] + b',"suggestions":%b}' % orjson.dumps(dict(suggestions)) if suggestions else json


def with_moderation(json: bytes, decision: Decision | None) -> bytes:
    """Return a photo's JSON for its author, with the decision of moderation, if it changes anything for others."""
    if decision is None or decision.state is None:
        return json
    return json[:-1] + b',"moderation":%b}' % orjson.dumps(moderation_fields(decision))


def with_saved(json: bytes, saved: bool) -> bytes:
    """Return a photo's JSON with whether the viewer has saved it."""
    return json[:-1] + (b',"saved":true}' if saved else b',"saved":false}')
