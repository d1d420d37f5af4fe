"""What a page shows before its script runs: the frame of the application, and its largest picture.

The script draws the same at the same place, from the same styles (static/css/first_view.css has what differs). There
are no texts of the application in it but those of the sign-in page, which every visitor gets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from locales.sentences import marked
from server.edge.first_responses import PageState

Photo = Mapping[str, Any]

# The element of index.html in which the script draws, and the end of its head.
_EMPTY, _HEAD_END = b'<div id="app"></div>', b"</head>"
# The icon, whose path in the page has the version of the files.
_ICON_PATH = b"/static/icons/picshare.svg"
_ICON = re.compile(rb'href="(/static/v-[^"/]+/icons/picshare.svg)"')
_FEED, _USER_PHOTOS, _PHOTO = re.compile("/feed"), re.compile("/users/[^/]+/photos"), re.compile("/photos/[^/]+")
TEXTS = (
    marked("Photos from your friends, the moment they share them."),
    marked("New photos, likes and comments appear without reloading."),
)
# As static/js/photo/photo_image.js frames a photo.
_MIN_RATIO, _MAX_RATIO = 3 / 4, 2.4
# As static/js/elements/picture.js names formats and widths.
_STANDARD_RANGE = "not all and (dynamic-range: high)"
_DENSITIES = ((4, 0.5), (3, 0.667), (2.5, 0.8))
_COLUMN = "min(100vw, 37.5rem)"
_CELL = "min(100vw, 960px) / 3"
_MAX_CROP = 2
_WORDMARK = '<img src="/static/icons/picshare.svg" alt="" width="30" height="30"><span>PicShare</span>'
_SHELL = f'<header class="topbar"><span class="wordmark">{_WORDMARK}</span></header><div class="nav"></div>'
_HEAD = (
    '<div class="card-head"><span class="avatar skeleton"></span><div class="user-names">'
    '<a class="name"><bdi>{name}</bdi></a><span class="secondary small"><a>&nbsp;</a></span></div></div>'
)


def with_sign_in(page: bytes) -> bytes:
    """Return the application's page with the text that visitors see first, beside the place of its form."""
    heading, text = TEXTS
    wordmark = '<span class="wordmark"><img src="/static/icons/picshare.svg" alt="">PicShare</span>'
    intro = f'<div class="intro">{wordmark}<h1>{heading}</h1><p>{text}</p><div class="sample-photos"></div></div>'
    view = f'<div id="app"><main><div class="sign-in">{intro}<div class="sheet"></div></div></main></div>'
    return page.replace(_EMPTY, view.encode())


def with_state(page: bytes, state: PageState) -> bytes:
    """Return the application's page with what it begins with, and a view of it."""
    preload, view = b"", _EMPTY
    if feed := state.value_of(_FEED):
        view = feed_view(feed["items"][0]) if feed["items"] else _EMPTY
    elif photos := state.value_of(_USER_PHOTOS):
        preload = grid_preload(photos["items"][0]) if photos["items"] else b""
    elif photo := state.value_of(_PHOTO):
        view = photo_view(photo)
    if icon := _ICON.search(page):
        view = view.replace(_ICON_PATH, icon[1])
    page = page.replace(_HEAD_END, preload + _HEAD_END, 1)
    return page.replace(_EMPTY, view + state.element(), 1)


def feed_view(photo: Photo) -> bytes:
    """Return the element with the feed as far as its first photo; the empty one where that is more than a picture."""
    picture = _picture(photo)
    if picture is None:
        return _EMPTY
    orders = '<div class="feed-orders"><button class="text-button" type="button" disabled>&nbsp;</button></div>'
    above = f'<ul class="feed-sources"><li><span class="chip">&nbsp;</span></li></ul>{orders}'
    card = f'<article class="card">{_head(photo)}<div class="frame first-frame">{picture}</div></article>'
    return _in_shell(f'<div class="home"><div>{above}<div class="feed">{card}</div></div></div>')


def photo_view(photo: Photo) -> bytes:
    """Return the element with the page of a photo; the empty one where that is more than a picture."""
    picture = _picture(photo)
    if picture is None:
        return _EMPTY
    area = f'<div class="photo-area"><div class="frame first-frame">{picture}</div></div>'
    article = f'<article class="photo-page">{area}<div class="photo-details">{_head(photo)}</div></article>'
    back = '<div class="page-head slim"><span class="icon-button"></span></div>'
    return _in_shell(f"<div>{back}{article}</div>", wide=True)


def grid_preload(photo: Photo) -> bytes:
    """Return the link by which the picture of the first cell of a grid is loaded before the script draws it."""
    ratio = _ratio(photo)
    images = _whole_images(photo)
    if not images or photo.get("sensitive") or not _has_webp(images) or photo["images"].get("hdr"):
        return b""
    sizes = escape(_sizes(f"{_CELL} * {min(_MAX_CROP, max(1, ratio)):.3f}"))
    sources = escape(_source_set(images, "webp"))
    return (
        f'<link rel="preload" as="image" type="image/webp" imagesrcset="{sources}" imagesizes="{sizes}" '
        'fetchpriority="high">'
    ).encode()


def _in_shell(content: str, *, wide: bool = False) -> bytes:
    kind = ' class="wide"' if wide else ""
    shell = f'<div class="shell">{_SHELL}<main{kind} aria-busy="true">{content}</main></div>'
    return f'<div id="app">{shell}</div>'.encode()


def _head(photo: Photo) -> str:
    author = photo["author"]
    return _HEAD.format(name=escape(author["display_name"] or author["username"]))


def _picture(photo: Photo) -> str | None:
    """Return the picture of a photo, None if its frame has another shape or shows something else first."""
    images = _whole_images(photo)
    is_more = photo.get("sensitive") or photo.get("items") or photo.get("video") or photo.get("state") == "hidden"
    if not images or is_more or not _MIN_RATIO <= _ratio(photo) <= _MAX_RATIO:
        return None
    sizes = escape(_sizes(_COLUMN))
    media = f' media="{_STANDARD_RANGE}"' if photo["images"].get("hdr") else ""
    source = (
        f'<source type="image/webp" sizes="{sizes}"{media} srcset="{escape(_source_set(images, "webp"))}">'
        if _has_webp(images)
        else ""
    )
    image = (
        f'<img width="{photo["width"]}" height="{photo["height"]}" alt="{escape(photo.get("alt_text") or "")}" '
        f'fetchpriority="high" sizes="{sizes}" srcset="{escape(_source_set(images, "jpg"))}" '
        f'src="{escape(photo["urls"]["feed"])}">'
    )
    return f"<picture>{source}{image}</picture>"


def _ratio(photo: Photo) -> float:
    width, height = photo.get("width") or 0, photo.get("height") or 0
    return width / height if height else 1


def _whole_images(photo: Photo) -> list[Mapping[str, Any]]:
    """Return the images that show the whole photo: not the square crops of one that is no square."""
    is_square = photo.get("width") == photo.get("height")
    sizes = (photo.get("images") or {}).get("sizes") or []
    return [image for image in sizes if is_square or image["width"] != image["height"]]


def _has_webp(images: list[Mapping[str, Any]]) -> bool:
    return all(image.get("webp") for image in images)


def _source_set(images: list[Mapping[str, Any]], kind: str) -> str:
    return ", ".join(f"{image[kind]} {image['width']}w" for image in images)


def _sizes(width: str) -> str:
    return ", ".join(_sizes_of(width))


def _sizes_of(width: str) -> Iterator[str]:
    for density, factor in _DENSITIES:
        yield f"(min-resolution: {density}dppx) calc({width} * {factor})"
    yield f"calc({width})"
