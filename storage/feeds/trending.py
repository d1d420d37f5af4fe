"""Pages of the trending photos: the list from Redis, and from it what the viewer may see."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from storage.cache.photo_trends import AUTHOR_DISTANCE, PhotoTrends
from storage.models import Photo
from storage.postgres.reads import Reads
from storage.stores import photo_lists

_ROUNDS = 5  # reads of the list for one page, where the viewer may not see most of it


class TrendingPage(NamedTuple):
    """A page, and the position of the next one, None at the end."""

    photos: list[Photo]
    next: int | None


class Trending:
    """Reads pages; raises `UnavailableError` if an engine does not answer."""

    def __init__(self, reads: Reads, trends: PhotoTrends) -> None:
        self._reads = reads
        self._trends = trends

    async def page(self, viewer_id: int | None, *, position: int | None, limit: int) -> TrendingPage:
        """Return up to `limit` photos from a position on.

        They are public, and of authors whom the viewer does not mute and no block separates from the viewer. What is
        left out brings others closer together: a second photo of an author is left out, too, if it is so close then.
        """
        page: list[Photo] = []
        for _ in range(_ROUNDS):
            # One more than a page shows whether there is a next one.
            ranked = await self._trends.page(position, count=limit + 1)
            if not ranked:
                return TrendingPage(page, None)
            read = partial(photo_lists.public, photo_ids=[entry.photo_id for entry in ranked], viewer_id=viewer_id)
            shown = await self._reads.read(viewer_id, read)
            for entry in ranked[:limit]:
                if len(page) == limit:
                    return TrendingPage(page, position)
                position = entry.position
                near = {photo.author.id for photo in page[1 - AUTHOR_DISTANCE :]}
                if entry.photo_id in shown and entry.author_id not in near:
                    page.append(shown[entry.photo_id])
            if len(ranked) <= limit:
                return TrendingPage(page, None)
        return TrendingPage(page, position)
