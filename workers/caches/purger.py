"""Purges of one cache: measured, logged, and not attempted in vain while the cache does not answer."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence

import structlog

from storage.circuit import Circuit, CircuitPolicy, Permit
from workers.caches.port import Cache, CacheError, HiddenImages, NoPurgeMetrics, PurgeMetrics

# A purge that was not sent comes back after two seconds or more, so none waits for a pause. Most purges need all the
# time that they have for a cache that does not answer; so one failure is enough.
CIRCUIT = CircuitPolicy(failures=1, pause=1.0, max_pause=2.0)

log = structlog.get_logger(__name__)


class Purger:
    """Purges one cache. Any number of purges may wait for one that is down; one of them in each pause asks it."""

    def __init__(
        self,
        cache: Cache,
        metrics: PurgeMetrics | None = None,
        circuit: Circuit | None = None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._cache = cache
        self._metrics = metrics or NoPurgeMetrics()
        self._circuit = circuit or Circuit(cache.name, CIRCUIT)
        self._clock = clock
        self._failing = False

    @property
    def name(self) -> str:
        """Return the name of the cache."""
        return self._cache.name

    async def hide(self, originals: Sequence[str], *, hidden_at: float) -> bool:
        """Have the cache serve no image of originals that were hidden `hidden_at` (Unix seconds); return if it does so.

        `forget` has to follow.
        """
        return await self._attempt(lambda: self._cache.hide(originals), hidden_at, measured=True)

    async def forget(self, images: Sequence[HiddenImages]) -> bool:
        """Have the cache forget images that it hides; return whether it has.

        Only a failure is measured. It is never overdue, because the images are hidden all the same.
        """
        return await self._attempt(lambda: self._cache.forget(images), self._clock(), measured=False)

    async def _attempt(self, request: Callable[[], Awaitable[None]], hidden_at: float, *, measured: bool) -> bool:
        permit = self._circuit.admit()
        if permit is None:
            self._metrics.purge_failed(cache=self.name, seconds=self._clock() - hidden_at)
            return False
        try:
            with permit:
                await _ask(request, permit)
        except CacheError as error:
            self._metrics.purge_failed(cache=self.name, seconds=self._clock() - hidden_at)
            if not self._failing:
                log.warning("cache_not_purged", cache=self.name, error=str(error))
            self._failing = True
            return False
        if measured:
            self._metrics.purge_done(cache=self.name, seconds=self._clock() - hidden_at)
        if self._failing:
            log.info("cache_purged_again", cache=self.name)
        self._failing = False
        return True


async def _ask(request: Callable[[], Awaitable[None]], permit: Permit) -> None:
    try:
        await request()
    except CacheError as error:
        permit.failed(error.reason)
        raise
    permit.succeeded()
