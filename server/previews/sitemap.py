"""`robots.txt` and the sitemap (sitemaps.org, version 0.9): what search engines may index.

The sitemap has the newest photos and their authors. Crawlers find older ones by links, and have met most of them when
they were new.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from html import escape

from storage.ids import encode
from storage.postgres.reads import Reads
from storage.stores.discovery import indexed_photos
from storage.stores.discovery.indexed_photos import IndexedPhoto

PHOTOS = 5_000  # the protocol allows 50,000 URLs
LIFETIME = 3600.0  # seconds for which a sitemap is kept, because it costs a look at all shards
# What is for signed-in users, or for programs.
_NOT_FOR_CRAWLERS = ("/api/", "/settings", "/notifications", "/moderation", "/decisions", "/saved", "/lists", "/new")


def robots_txt(public_url: str) -> str:
    """Return the rules for crawlers (RFC 9309)."""
    lines = ["User-agent: *", *(f"Disallow: {path}" for path in _NOT_FOR_CRAWLERS), ""]
    return "\n".join([*lines, f"Sitemap: {public_url}/sitemap.xml", ""])


class Sitemap:
    """The sitemap, read again when it is older than `LIFETIME`."""

    def __init__(self, reads: Reads, public_url: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._reads = reads
        self._public_url = public_url
        self._clock = clock
        self._text = ""
        self._read_at = -LIFETIME
        self._reading = asyncio.Lock()

    async def text(self) -> str:
        """Return the sitemap; raise `UnavailableError` if there is none and the database is away."""
        # One request reads it for all that wait.
        async with self._reading:
            if self._clock() - self._read_at >= LIFETIME:
                photos = await self._reads.read(None, lambda db: indexed_photos.newest(db, limit=PHOTOS))
                self._text = "\n".join(self._lines(photos))
                self._read_at = self._clock()
        return self._text

    def _lines(self, photos: Iterable[IndexedPhoto]) -> Iterator[str]:
        yield '<?xml version="1.0" encoding="UTF-8"?>'
        yield '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">'
        authors: dict[str, None] = {}
        for photo in photos:
            authors[photo.username] = None
            changed = photo.changed_at.isoformat(timespec="seconds")
            yield f"<url><loc>{self._url(f'/p/{encode(photo.id)}')}</loc><lastmod>{changed}</lastmod></url>"
        for username in authors:
            yield f"<url><loc>{self._url(f'/u/{username}')}</loc></url>"
        yield "</urlset>"

    def _url(self, path: str) -> str:
        return escape(self._public_url + path)
