"""The worker "warm": caches fetch the images of photos that many will see, before the first of them asks.

These are new photos of authors with many followers, and photos that begin to trend, within a budget that all processes
share. It is an attempt: what a cache does not get now, it gets with the first request. `Warmer` knows nothing of
events, so that whatever finds photos that are about to be seen can call it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from storage.blobs.variants import VariantRegistry
from storage.circuit import Circuit, CircuitPolicy
from storage.errors import NotFoundError
from storage.events import PhotoReady, PhotoTrending
from storage.limits.quotas import QuotaPolicy, Quotas
from storage.postgres.database import Database
from storage.stores.accounts import users
from storage.stores.photos import photos
from storage.stores.photos.photo_items import pictures_of
from workers.caches.nginx import NginxCache
from workers.caches.opening import open_caches
from workers.caches.paths import eager_paths
from workers.caches.port import CacheError
from workers.handlers import EventHandler, on
from workers.jobs.context import Handlers, WorkerContext
from workers.jobs.metrics import WarmMetrics

_SUBJECT = "images"  # of the budget
# What a cache does not fetch in advance costs nothing but the first requests, so one that fails is left alone.
CIRCUIT = CircuitPolicy(failures=1, pause=5.0, max_pause=60.0)


@asynccontextmanager
async def open_handlers(context: WorkerContext) -> AsyncIterator[Handlers]:
    """Yield the handlers of the queue "warm"."""
    async with open_caches(context.caches, context.variants) as caches:
        limit, window = context.caches.warm_rate
        budget = QuotaPolicy(name="warm", limit=limit, window_seconds=window)
        circuits = [context.circuits.circuit(f"warm:{cache.name}", CIRCUIT) for cache in caches.nginx]
        warmer = Warmer(
            list(zip(caches.nginx, circuits, strict=True)),
            context.quotas,
            budget,
            context.variants,
            context.warm_metrics,
        )
        yield WarmHandlers(context.db, warmer, followers=context.caches.warm_followers).handlers()


class Warmer:
    """Has all caches fetch images, each through its circuit; `budget` is the number of images in a time for each."""

    def __init__(
        self,
        caches: Sequence[tuple[NginxCache, Circuit]],
        quotas: Quotas,
        budget: QuotaPolicy,
        variants: VariantRegistry,
        metrics: WarmMetrics,
    ) -> None:
        self._caches = caches
        self._quotas = quotas
        self._budget = budget
        self._variants = variants
        self._metrics = metrics

    @property
    def has_caches(self) -> bool:
        """Return whether there is anything to warm."""
        return bool(self._caches)

    async def warm(self, sha256s: Sequence[str]) -> None:
        """Fetch the eager variants of public images, and leave out what exceeds the budget.

        Raises `UnavailableError` if Redis, which has the budget, does not answer; a cache that fails raises nothing.
        """
        for sha256 in sha256s:
            paths = list(eager_paths(self._variants, sha256))
            quota = await self._quotas.take(self._budget, _SUBJECT, cost=len(paths))
            if quota.allowed:
                await asyncio.gather(*(self._fetch(cache, circuit, paths) for cache, circuit in self._caches))
            else:
                for cache, _ in self._caches:
                    self._metrics.cache_warmed(cache=cache.name, result="over_budget", images=len(paths))

    async def _fetch(self, cache: NginxCache, circuit: Circuit, paths: Sequence[str]) -> None:
        permit = circuit.admit()
        if permit is None:
            self._metrics.cache_warmed(cache=cache.name, result="failed", images=len(paths))
            return
        with permit:
            try:
                results = await cache.fetch(paths)
                permit.succeeded()
            except CacheError as error:
                # The worker "purge" logs it, too, and there is nothing to mend here.
                permit.failed(error.reason)
                results = {"failed": len(paths)}
        for result, images in results.items():
            self._metrics.cache_warmed(cache=cache.name, result=result, images=images)


class WarmHandlers:
    """Handlers of the queue "warm"; `followers` is the number from which on an author's photos are fetched."""

    def __init__(self, db: Database, warmer: Warmer, *, followers: int) -> None:
        self._db = db
        self._warmer = warmer
        self._followers = followers

    def handlers(self) -> Mapping[str, EventHandler]:
        """Return the handler of each topic."""
        return {**on(PhotoReady, self.ready), **on(PhotoTrending, self.trending)}

    async def ready(self, event: PhotoReady) -> None:
        """Warm the caches for a new photo of a public account with many followers."""
        await self._warm(event.photo_id, event.author_id, followers=self._followers)

    async def trending(self, event: PhotoTrending) -> None:
        """Warm the caches for a photo that begins to trend."""
        await self._warm(event.photo_id, event.author_id, followers=0)

    async def _warm(self, photo_id: int, author_id: int, *, followers: int) -> None:
        if not self._warmer.has_caches:
            return
        try:
            author = await users.get(self._db, author_id)
        except NotFoundError:
            return
        photo = (await photos.load(self._db, [photo_id])).get(photo_id)
        if photo is not None and photo.public and author.followers >= followers:
            await self._warmer.warm([picture.sha256 for picture in pictures_of(photo)])
