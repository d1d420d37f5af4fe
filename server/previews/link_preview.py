"""The preview of a link: what a page says about itself in its head, for chats, social networks and search engines.

The tags are those of the Open Graph protocol (ogp.me) and of Twitter's cards, which read the rest from Open Graph.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from urllib.parse import urlencode

SITE = "PicShare"


@dataclass(frozen=True, kw_only=True, slots=True)
class PreviewImage:
    """An image by its absolute URL, its size in pixels (0 if unknown), and the text in place of it."""

    url: str
    width: int = 0
    height: int = 0
    alt: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkPreview:
    """What a link leads to: texts, absolute URLs, and the images that may be shown, the largest first.

    `kind` is a type of Open Graph. With `indexed` False search engines are asked to leave the page out. The images of a
    page with a video are those of its poster.
    """

    kind: str
    url: str
    title: str
    description: str
    author: str
    author_url: str
    images: tuple[PreviewImage, ...] = ()
    indexed: bool = True
    video_url: str | None = None
    oembed_url: str | None = None

    def head(self) -> str:
        """Return the tags of the page's head, in place of its general title and description."""
        return "\n    ".join(self._tags())

    def _tags(self) -> Iterator[str]:
        yield f"<title>{escape(self.title)} · {SITE}</title>"
        yield _meta("name", "description", self.description)
        yield f'<link rel="canonical" href="{escape(self.url)}">'
        if not self.indexed:
            yield _meta("name", "robots", "noindex")
        yield _meta("property", "og:site_name", SITE)
        yield _meta("property", "og:type", self.kind)
        yield _meta("property", "og:url", self.url)
        yield _meta("property", "og:title", self.title)
        yield _meta("property", "og:description", self.description)
        if self.images:
            image = self.images[0]
            yield _meta("property", "og:image", image.url)
            if image.width:
                yield _meta("property", "og:image:width", str(image.width))
                yield _meta("property", "og:image:height", str(image.height))
            if image.alt:
                yield _meta("property", "og:image:alt", image.alt)
        yield _meta("name", "twitter:card", "summary_large_image" if self._has_large_image else "summary")
        if self.oembed_url is not None:
            query = urlencode({"url": self.url})
            address = escape(f"{self.oembed_url}?{query}")
            yield f'<link rel="alternate" type="application/json+oembed" href="{address}">'

    @property
    def _has_large_image(self) -> bool:
        return bool(self.images) and self.images[0].width > 0


def _meta(attribute: str, name: str, content: str) -> str:
    return f'<meta {attribute}="{name}" content="{escape(content)}">'
