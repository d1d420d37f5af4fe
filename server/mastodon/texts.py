"""The texts of users as HTML, as the interface has them: paragraphs with links for mentions and tags."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any
from urllib.parse import quote, urlsplit

_BLANK_LINES = re.compile(r"\n{2,}")


class Links:
    """Addresses of pages of this installation; `base` is its URL without a slash at the end."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.host = (urlsplit(base).netloc or base).lower()

    def absolute(self, path: str) -> str:
        """Return the URL of a path."""
        return self.base + path

    def profile(self, username: str) -> str:
        """Return the URL of an account's page."""
        return f"{self.base}/u/{username}"

    def photo(self, photo_id: str) -> str:
        """Return the URL of a photo's page; the id is that of PicShare."""
        return f"{self.base}/p/{photo_id}"

    def tag(self, name: str) -> str:
        """Return the URL of a tag's page."""
        return f"{self.base}/tag/{quote(name)}"


def html_of(
    text: str, entities: Sequence[Mapping[str, Any]], links: Links, usernames: Mapping[str, str] | None = None
) -> str:
    """Return a text as HTML; `entities` are those of `storage.render.entities`.

    `usernames` are the present names of mentioned accounts by id; without it the name in the text is linked.
    """
    if not text:
        return ""
    units = text.encode("utf-16-le", "surrogatepass")
    pieces, end = [], 0
    for entity in entities:
        start, stop = 2 * entity["offset"], 2 * (entity["offset"] + entity["length"])
        pieces.append(escape(_decoded(units[end:start]), quote=False))
        pieces.append(_link(entity, _decoded(units[start:stop]), links, usernames or {}))
        end = stop
    pieces.append(escape(_decoded(units[end:]), quote=False))
    paragraphs = _BLANK_LINES.split("".join(pieces))
    return "".join(f"<p>{paragraph.replace(chr(10), '<br />')}</p>" for paragraph in paragraphs if paragraph)


def paragraphs(text: str) -> str:
    """Return a text without links as HTML."""
    return html_of(text, (), Links(""))


def _link(entity: Mapping[str, Any], shown: str, links: Links, usernames: Mapping[str, str]) -> str:
    if entity["type"] == "mention":
        url = links.profile(usernames.get(entity["user_id"], shown.removeprefix("@")))
        return (
            f'<span class="h-card"><a href="{escape(url)}" class="u-url mention">'
            f"@<span>{escape(shown.removeprefix('@'), quote=False)}</span></a></span>"
        )
    url = links.tag(entity["tag"])
    return (
        f'<a href="{escape(url)}" class="mention hashtag" rel="tag">'
        f"#<span>{escape(shown.removeprefix('#'), quote=False)}</span></a>"
    )


def _decoded(units: bytes) -> str:
    return units.decode("utf-16-le", "surrogatepass")
