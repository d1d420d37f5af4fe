"""The periodic task of the janitor that measures stars."""

from __future__ import annotations

from typing import Protocol

from storage.feeds.star_report import StarReport
from storage.postgres.database import Database
from storage.stores.social import stars
from workers.jobs.upkeep.janitor import PeriodicTask


class StarMeasureMetrics(Protocol):
    """Records the numbers of stars and of pulls."""

    def stars_counted(self, *, state: str, number: int) -> None:
        """Record how many stars are in a state."""
        ...

    def stars_pulled(self, *, pulls: int, photos: int) -> None:
        """Add the number of reads that pulled something, and of the photos that were pulled."""
        ...


class StarMeasures:
    """Counts the stars in PostgreSQL, and what feeds have pulled of them in Redis."""

    def __init__(self, db: Database, report: StarReport, metrics: StarMeasureMetrics) -> None:
        self._db = db
        self._report = report
        self._metrics = metrics

    def tasks(self) -> list[PeriodicTask]:
        """Return the task."""
        return [PeriodicTask(name="stars", period=60, work=self.measure)]

    async def measure(self) -> int:
        """Record the present numbers; nothing is repaired, so the result is 0."""
        for state, number in (await stars.numbers(self._db)).items():
            self._metrics.stars_counted(state=state.value, number=number)
        # Pulls are counted by scripts that run for each process. Taking them counts each once, whichever janitor runs.
        pulls, photos = await self._report.take_pulls()
        self._metrics.stars_pulled(pulls=pulls, photos=photos)
        return 0
