"""oEmbed 1.0 (oembed.com): what a page that links to PicShare needs to show the photo in place of the link."""

from __future__ import annotations

from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field

from server.edge.requests import QueryModel
from server.previews.link_preview import SITE, LinkPreview, PreviewImage
from server.previews.link_previews import LinkPreviews
from storage.errors import NotFoundError

CACHE_AGE = 3600  # seconds
_DEFAULT_WIDTH = 640  # of an embedded page, in pixels
_CAPTION_HEIGHT = 96  # below the image of an embedded page


class OembedQuery(QueryModel):
    """The query of an oEmbed request; the sizes are the largest that the caller can show, in pixels."""

    url: str = Field(max_length=2048)
    maxwidth: int | None = Field(default=None, ge=1, le=100_000)
    maxheight: int | None = Field(default=None, ge=1, le=100_000)
    format: Literal["json"] = "json"  # oEmbed allows XML as well, which is seldom used


async def oembed(query: OembedQuery, previews: LinkPreviews, public_url: str, language: str) -> dict[str, Any]:
    """Return the answer to a query; raise `NotFoundError` for a URL that leads to nothing a visitor may see."""
    preview = await _preview_of(query.url, previews, public_url, language)
    answer: dict[str, Any] = {
        "version": "1.0",
        "title": preview.title,
        "author_name": preview.author,
        "author_url": preview.author_url,
        "provider_name": SITE,
        "provider_url": public_url,
        "cache_age": CACHE_AGE,
    }
    if preview.images:
        smallest = preview.images[-1]
        answer |= {"thumbnail_url": smallest.url}
        if smallest.width:
            answer |= {"thumbnail_width": smallest.width, "thumbnail_height": smallest.height}
    return {**answer, **_content(preview, query)}


async def _preview_of(url: str, previews: LinkPreviews, public_url: str, language: str) -> LinkPreview:
    if not url.startswith(f"{public_url}/"):
        raise NotFoundError("page")
    match urlsplit(url).path.strip("/").split("/"):
        case ["p", photo_id]:
            return await previews.photo(photo_id, language)
        case ["u", username]:
            return await previews.profile(username, language)
    raise NotFoundError("page")


def _content(preview: LinkPreview, query: OembedQuery) -> dict[str, Any]:
    """Return the type of the answer, and the members that it requires."""
    image = _fitting(preview, query)
    if preview.video_url is not None and image is not None:
        return {"type": "video", **_frame(preview, image, query)}
    if image is not None and image.width:
        return {"type": "photo", "url": image.url, "width": image.width, "height": image.height}
    return {"type": "link"}


def _fitting(preview: LinkPreview, query: OembedQuery) -> PreviewImage | None:
    """Return the largest image within the caller's bounds, or the smallest one if none is."""
    within = (
        image
        for image in preview.images
        if image.width <= (query.maxwidth or image.width) and image.height <= (query.maxheight or image.height)
    )
    return next(within, preview.images[-1] if preview.images else None)


def _frame(preview: LinkPreview, image: PreviewImage, query: OembedQuery) -> dict[str, Any]:
    width = min(_DEFAULT_WIDTH, query.maxwidth or _DEFAULT_WIDTH)
    height = round(width * image.height / max(image.width, 1)) + _CAPTION_HEIGHT
    height = min(height, query.maxheight or height)
    return {"html": embed_html(preview.url, width, height), "width": width, "height": height}


def embed_html(url: str, width: int, height: int) -> str:
    """Return the HTML that shows a photo in another page."""
    return (
        f'<iframe src="{url}/embed" width="{width}" height="{height}" loading="lazy" '
        'style="border:0;border-radius:12px;max-width:100%" title="PicShare"></iframe>'
    )
