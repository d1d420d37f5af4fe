"""Periodic tasks of the janitor for what trends: build the rankings after a loss, and keep them right."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from storage.cache.photo_trends import PhotoTrends
from storage.cache.tag_trends import TagTrends
from storage.ids import MAX_ID
from storage.postgres.database import Database
from storage.stores.discovery import photo_trends, tag_uses
from storage.trends import newness
from workers.jobs.upkeep.janitor import PeriodicTask

# More likes than there can be weigh as many times six hours, see `storage.trends.photo_score`.
_HIGHEST_GAIN = 31


class TrendMetrics(Protocol):
    """Measures the rankings."""

    def trending_measured(self, *, kind: str, entries: int) -> None:
        """Record the number of entries of a ranking: `photos`, or the list of `tags`."""
        ...


class TrendTasks:
    """The tasks; `excluded` are tags that never trend, in normal form."""

    def __init__(
        self,
        db: Database,
        photos: PhotoTrends,
        tags: TagTrends,
        metrics: TrendMetrics,
        *,
        excluded: Collection[str] = (),
        batch: int = 500,
    ) -> None:
        self._db = db
        self._photos = photos
        self._tags = tags
        self._metrics = metrics
        self._excluded = frozenset(excluded)
        self._batch = batch  # photos of one statement

    def tasks(self) -> list[PeriodicTask]:
        """Return the tasks."""
        return [
            PeriodicTask(name="lost_trends", period=5, work=self.restore),
            PeriodicTask(name="trending_photos", period=600, work=self.check_photos),
            PeriodicTask(name="trending_tags", period=60, work=self.rank_tags),
        ]

    async def restore(self) -> int:
        """Build the rankings again that Redis has lost, and return the number of photos and uses of tags."""
        restored = 0
        if not await self._photos.is_complete():
            restored += await self.rebuild_photos()
            await self._photos.set_complete()
        if not await self._tags.is_complete():
            restored += await self._rebuild_tags()
            await self._tags.set_complete()
            await self.rank_tags()
        return restored

    async def rebuild_photos(self) -> int:
        """Write the scores of all photos that can be among the highest, newest first; return their number."""
        written, before = 0, MAX_ID
        while photo_ids := await photo_trends.newest_ids(self._db, before=before, limit=self._batch):
            await self._photos.put(await photo_trends.load(self._db, photo_ids))
            written, before = written + len(photo_ids), photo_ids[-1]
            lowest = await self._photos.lowest()
            # Older ones begin so much lower that no number of likes lifts them above the lowest.
            if lowest is not None and newness(before) + _HIGHEST_GAIN < lowest:
                break
        return written

    async def check_photos(self) -> int:
        """Compute the scores of the ranking again; return how many were wrong.

        They are wrong where the author's followers or the photo's visibility changed since its last like.
        """
        ranking = await self._photos.ranking()
        for first in range(0, len(ranking), self._batch):
            photo_ids = [photo_id for photo_id, _ in ranking[first : first + self._batch]]
            await self._photos.put(await photo_trends.load(self._db, photo_ids))
        checked = dict(await self._photos.ranking())
        self._metrics.trending_measured(kind="photos", entries=len(checked))
        return sum(checked.get(photo_id) != score for photo_id, score in ranking)

    async def rank_tags(self) -> int:
        """Make the present list of tags; nothing is repaired, so the result is 0."""
        entries = await self._tags.rank(excluded=self._excluded)
        self._metrics.trending_measured(kind="tags", entries=entries)
        return 0

    async def _rebuild_tags(self) -> int:
        written, before, since = 0, MAX_ID, self._tags.since()
        while found := await tag_uses.newest(self._db, since=since, before=before, limit=self._batch):
            await self._tags.record(found)
            written, before = written + len(found), found[-1].photo_id
        return written
