"""Purges of one cache: measured, logged, and not attempted in vain while the cache does not answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import structlog

from storage.blobs.breaker import Breaker
from workers.caches.port import Cache, CacheError, HiddenImages, NoPurgeMetrics, PurgeMetrics

PAUSE = 1.0  # seconds between two attempts while a cache does not answer

log = structlog.get_logger(__name__)


class Purger:
    """Purges one cache. Any number of purges may wait for one that is down; one of them in each second asks it."""

    def __init__(
        self,
        cache: Cache,
        metrics: PurgeMetrics | None = None,
        *,
        breaker: Breaker | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._cache = cache
        self._metrics = metrics or NoPurgeMetrics()
        self._breaker = breaker or Breaker(failures=1, pause=PAUSE)
        self._clock = clock
        self._failing = False

    @property
    def name(self) -> str:
        """Return the name of the cache."""
        return self._cache.name

    async def purge(self, images: Sequence[HiddenImages], *, hidden_at: float, repeated: bool = False) -> bool:
        """Have the cache forget images that were hidden `hidden_at` (Unix seconds); return whether it has.

        A purge that is `repeated` after it was carried out is not measured.
        """
        if not self._breaker.allows():
            self._metrics.purge_failed(cache=self.name, seconds=self._clock() - hidden_at)
            return False
        try:
            await self._cache.purge(images)
        except CacheError as error:
            self._breaker.failed()
            self._metrics.purge_failed(cache=self.name, seconds=self._clock() - hidden_at)
            if not self._failing:
                log.warning("cache_not_purged", cache=self.name, error=str(error))
            self._failing = True
            return False
        self._breaker.succeeded()
        if not repeated:
            self._metrics.purge_done(cache=self.name, seconds=self._clock() - hidden_at)
        if self._failing:
            log.info("cache_purged_again", cache=self.name)
        self._failing = False
        return True
