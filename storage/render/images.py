"""The images of a photo as they appear in JSON: `images`, all of them, and `urls`, the two that every photo has.

A private photo's URLs share one signature, which is valid for every path that begins with `image_prefix`. The JSON of
the URLs depends on little: the prefix, the signature, and a `listing` of the sizes and formats, which is the same for
all photos of equal size. So a card has these instead of the URLs, which would be three quarters of it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import orjson

from storage.blobs.variants import FEED, MOTION, REVIEW, THUMB, VIDEO, VariantRegistry
from storage.models import Photo, PhotoItem

Picture: TypeAlias = Photo | PhotoItem
Sign: TypeAlias = Callable[[str], str]  # the prefix of a photo's images -> the query with its signature
Write: TypeAlias = Callable[[bytes, bytes, bytes], bytes]  # the listing, the prefix and the query -> JSON
_NAMES = {"thumb": THUMB, "feed": FEED}
_PREFIX, _QUERY = b"@", b"?"  # where they belong in a template, in which nothing else has these characters
_MAX_TEMPLATES = 4096  # of 1.5 KB


def former_path(sha256: str, name: str) -> str:
    """Return the path that a variant, "thumb" or "feed", had before there were recipes; it is still served."""
    return f"/media/{sha256}/{name}.jpg"


def image_prefix(variants: VariantRegistry, sha256: str) -> str:
    """Return how the paths of all variants of an original begin; they are immutable, since they name the content."""
    return prefix_of(variants.recipe, sha256)


def review_prefix(variants: VariantRegistry, sha256: str) -> str:
    """Return how the signed paths begin under which a photo that is withheld is looked at: never by its viewers."""
    return REVIEW + image_prefix(variants, sha256).removeprefix("/media")


def prefix_of(recipe: int, sha256: str) -> str:
    """Return how the paths of all variants of an original begin under one recipe, the present or an earlier one."""
    return f"/media/r{recipe}/{sha256}/"


def images_head(photo: Picture) -> dict[str, Any]:
    """Return the fields of `images` before the sizes."""
    return {"placeholder": photo.placeholder, "hdr": photo.hdr}


def listing(variants: VariantRegistry, photo: Picture) -> bytes:
    """Return the sizes and formats of a photo's images, e.g. `jpg,webp 160:160x160 320:320x213`.

    That of an animation has ` motion:320x213` at its end, that of a video ` video:1280x720:1.5:80000`: pixels, seconds
    and bytes.
    """
    sizes = {str(side): size for side, size in variants.shown(photo.width, photo.height).items()}
    if photo.motion is not None:
        sizes[MOTION.size] = MOTION.size_of(photo.width, photo.height)
    parts = [",".join(variants.formats), *(f"{size}:{width}x{height}" for size, (width, height) in sizes.items())]
    video = photo.video if isinstance(photo, Photo) else None
    if video is not None:
        parts.append(f"{VIDEO.size}:{video.width}x{video.height}:{video.duration}:{video.bytes}")
    return " ".join(parts).encode()


def sizes_and_urls(listed: bytes, prefix: bytes, query: bytes) -> bytes:
    """Return the JSON array of `sizes`, the end of `images` with its `motion`, `video` and `urls`.

    URLs end with `query`. The field `video` is only there for a video.
    """
    if not query:
        return prefix.join(_unsigned(listed))
    return prefix.join(_template(listed)).replace(_QUERY, query)


def unopened(listed: bytes, prefix: bytes, query: bytes) -> bytes:
    """Return in place of `sizes_and_urls` the field `media`, for readers that seldom need the sizes; see `opened`."""
    return b'null},"media":["%b","%b","%b"]' % (listed, prefix, query)


def opened(media: Sequence[str]) -> dict[str, Any]:
    """Return the fields that `media` is in place of: of `images` the `sizes` and `motion`, then `video` and `urls`."""
    listed, prefix, query = map(str.encode, media)
    found: dict[str, Any] = orjson.loads(b'{"images":{"sizes":%b}' % sizes_and_urls(listed, prefix, query))
    return found


def urls_of(media: Sequence[str]) -> dict[str, str]:
    """Return the field `urls` alone."""
    _, prefix, query = media
    # Written out, because a page has many.
    return {"thumb": f"{prefix}{THUMB}{query}", "feed": f"{prefix}{FEED}{query}"}


@functools.lru_cache(maxsize=_MAX_TEMPLATES)
def _unsigned(listed: bytes) -> list[bytes]:
    return [piece.replace(_QUERY, b"") for piece in _template(listed)]


@functools.lru_cache(maxsize=_MAX_TEMPLATES)
def _template(listed: bytes) -> list[bytes]:
    """Return the pieces between which the prefix belongs."""
    formats, *sizes = listed.decode().split(" ")
    images, motion, video = [], b"", b""
    for each in sizes:
        size, pixels, *of_video = each.split(":")
        width, height = map(int, pixels.split("x"))
        shown = {"width": width, "height": height}
        if size == MOTION.size:
            motion = b',"motion":' + orjson.dumps({**shown, MOTION.format: f"@{MOTION.name}?"})
        elif size == VIDEO.size:
            played = {"url": f"@{VIDEO.name}?", **shown, "duration": float(of_video[0]), "bytes": int(of_video[1])}
            video = b',"video":' + orjson.dumps(played)
        else:
            images.append({**shown, **{name: f"@{size}.{name}?" for name in formats.split(",")}})
    urls = {name: f"@{variant}?" for name, variant in _NAMES.items()}
    return (orjson.dumps(images) + motion + b"}" + video + b',"urls":' + orjson.dumps(urls)).split(_PREFIX)
