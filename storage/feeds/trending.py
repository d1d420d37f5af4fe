"""Pages of the trending photos: the list from Redis, and of it what PostgreSQL says that the viewer may see."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from storage.cache.photo_trends import AUTHOR_DISTANCE, PhotoTrends
from storage.postgres.reads import Reads
from storage.stores.photos import photo_lists

_ROUNDS = 5  # reads of the list for one page, where the viewer may not see most of it


class TrendingPage(NamedTuple):
    """The ids of a page's photos, and the position of the next page, None at the end."""

    photo_ids: list[int]
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
        page: list[int] = []
        authors: list[int] = []
        for _ in range(_ROUNDS):
            # One more than a page shows whether there is a next one.
            ranked = await self._trends.page(position, count=limit + 1)
            if not ranked:
                return TrendingPage(page, None)
            ids = [entry.photo_id for entry in ranked]
            read = partial(photo_lists.public_among, photo_ids=ids, viewer_id=viewer_id)
            shown = await self._reads.read(viewer_id, read)
            for entry in ranked[:limit]:
                if len(page) == limit:
                    return TrendingPage(page, position)
                position = entry.position
                if entry.photo_id in shown and entry.author_id not in authors[1 - AUTHOR_DISTANCE :]:
                    page.append(entry.photo_id)
                    authors.append(entry.author_id)
            if len(ranked) <= limit:
                return TrendingPage(page, None)
        return TrendingPage(page, position)
