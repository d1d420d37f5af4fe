"""The daily check of counters: against the rows that they count, and the cache against the database."""

from __future__ import annotations

from typing import Protocol

from storage.cache.counters import CounterCache
from storage.postgres.database import Database
from storage.stores.photos import counter_drift
from storage.stores.photos.counter_drift import RepairedPhoto
from workers.jobs.inbox import photo_counters

PAGE = 100  # photos or accounts that one statement counts; each may have very many rows
GRACE = 10.0  # seconds for which Redis may lack a change that is committed


class CounterMetrics(Protocol):
    """Counts what was wrong."""

    def counters_repaired(self, kind: str, count: int) -> None:
        """Record how many counters of a kind were wrong.

        They are those of photos (`photo`), their likes that count for the ranking (`trend`), those of accounts
        (`account`), and those of photos in Redis (`cache`).
        """
        ...


class NoCounterMetrics:
    """Records nothing."""

    def counters_repaired(self, kind: str, count: int) -> None:
        """Do nothing."""


class CounterRepair:
    """Counts the rows of all photos and accounts again, and corrects what is wrong: normally, nothing is."""

    def __init__(
        self, db: Database, cache: CounterCache, metrics: CounterMetrics | None = None, *, grace: float = GRACE
    ) -> None:
        self._db = db
        self._cache = cache
        self._metrics = metrics or NoCounterMetrics()
        self._grace = grace

    async def run(self) -> int:
        """Check all counters once; return how many photos, accounts and cached photos were wrong."""
        return await self._repair_photos() + await self._repair_accounts()

    async def _repair_photos(self) -> int:
        repaired: list[RepairedPhoto] = []
        forgotten, after = 0, 0
        while True:
            checked = await counter_drift.check_photos(self._db, after=after, limit=PAGE)
            for photo_id in checked.wrong:
                if (found := await self._repair_photo(photo_id)) is not None:
                    repaired.append(found)
            forgotten += await self._cache.forget_wrong(checked.counters, grace=self._grace)
            if checked.after is None:
                break
            after = checked.after
        self._metrics.counters_repaired("photo", sum(each.counters for each in repaired))
        self._metrics.counters_repaired("trend", sum(each.trend for each in repaired))
        self._metrics.counters_repaired("cache", forgotten)
        return len(repaired) + forgotten

    async def _repair_photo(self, photo_id: int) -> RepairedPhoto | None:
        async with self._db.transaction() as tx:
            repaired = await counter_drift.repair_photo(tx, photo_id)
        if repaired is not None:
            author_id = repaired.author_id
            # Pages show the correct numbers, and the ranking has the score that follows from them.
            state = await photo_counters.read(self._db, photo_id, author_id)
            if state is not None:
                await photo_counters.apply(self._db, self._cache, state, owner_id=author_id)
        return repaired

    async def _repair_accounts(self) -> int:
        repaired, after = 0, 0
        while True:
            checked = await counter_drift.check_accounts(self._db, after=after, limit=PAGE)
            for user_id in checked.wrong:
                async with self._db.transaction() as tx:
                    repaired += await counter_drift.repair_account(tx, user_id)
            if checked.after is None:
                break
            after = checked.after
        self._metrics.counters_repaired("account", repaired)
        return repaired
