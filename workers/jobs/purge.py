"""The worker "purge": images that are not public any more disappear from the caches in front of PicShare.

What is still public is left alone: another account may show the same bytes. A cache that fails is asked again, by
events of its own, until it has carried out the purge, however long that takes; the others do not wait for it. Every
event can be repeated.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from storage.events import CachePurge, MediaPurge
from storage.postgres.database import Database
from storage.postgres.outbox import LONGEST_AFTER
from storage.stores import contents, photo_contents
from workers.caches.opening import open_caches
from workers.caches.port import Cache, HiddenImages
from workers.caches.purger import CIRCUIT, Purger
from workers.handlers import EventHandler, on
from workers.jobs.context import Handlers, WorkerContext

PHOTOS_AT_ONCE = (
    20  # of an account, in one event: 400 requests to each cache; ten times as many if all have ten pictures
)
# Seconds. PicShare decides once more whether an image is public if its response takes longer than one second
# (`server.media.variants`), so none that was on its way arrives after the repetition.
AGAIN_AFTER = 2.0
_SHARE = 0.1  # of the time that a cache has been failing, until it is asked again


@asynccontextmanager
async def open_handlers(context: WorkerContext) -> AsyncIterator[Handlers]:
    """Yield the handlers of the queue "purge"."""
    async with open_caches(context.caches, context.variants) as caches:

        def purger(cache: Cache) -> Purger:
            return Purger(cache, context.purge_metrics, context.circuits.circuit(f"purge:{cache.name}", CIRCUIT))

        purgers = [purger(cache) for cache in caches.nginx]
        hook = None if caches.hook is None else purger(caches.hook)
        context.purge_metrics.caches_known([purger.name for purger in (*purgers, *([hook] if hook else []))])
        yield PurgeHandlers(context.db, purgers, hook).handlers()


class PurgeHandlers:
    """Handlers of the queue "purge"; `caches` are asked first, then the `hook` to CDNs that are filled from them."""

    def __init__(
        self,
        db: Database,
        caches: Sequence[Purger],
        hook: Purger | None = None,
        *,
        limit: int = PHOTOS_AT_ONCE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._db = db
        self._caches = caches
        self._hook = hook
        self._by_name = {purger.name: purger for purger in (*caches, *([hook] if hook else []))}
        self._limit = limit
        self._clock = clock

    def handlers(self) -> Mapping[str, EventHandler]:
        """Return the handler of each topic."""
        return {**on(MediaPurge, self.purge), **on(CachePurge, self.purge_cache)}

    async def purge(self, event: MediaPurge) -> None:
        """Purge all caches of a page of images; emit the events of the next page, the repetition, and failures."""
        if not self._by_name:
            return
        sha256s, photos_below = await self._page(event)
        images = await self._hidden(sha256s)
        hidden = [image.sha256 for image in images]
        outcomes = await self._purge_all(images, event) if images else {}
        done = [name for name, purged in outcomes.items() if purged]
        async with self._db.transaction() as tx:
            if photos_below is not None:
                tx.emit(replace(event, sha256s=(), photos_below=photos_below))
            if done and not event.caches:
                tx.emit(replace(event, sha256s=hidden, photos_below=None, caches=done), after=AGAIN_AFTER)
            for name in outcomes.keys() - done:
                retry = CachePurge(user_id=event.user_id, cache=name, sha256s=hidden, at=event.at)
                tx.emit(retry, after=AGAIN_AFTER)

    async def purge_cache(self, event: CachePurge) -> None:
        """Purge one cache that has failed before; emit the event again if it fails again."""
        purger = self._by_name.get(event.cache)
        images = await self._hidden(event.sha256s)
        if purger is None or not images:
            return  # the cache was removed from the settings, or the images are public again
        hidden = [image.sha256 for image in images]
        done = await purger.purge(images, hidden_at=event.at)
        async with self._db.transaction() as tx:
            if not done:
                tx.emit(replace(event, sha256s=hidden), after=retry_delay(self._clock() - event.at))
            elif self._hook is not None and purger is not self._hook:
                # A CDN may have been filled again from this cache.
                tx.emit(replace(event, sha256s=hidden, cache=self._hook.name))

    async def _page(self, event: MediaPurge) -> tuple[Sequence[str], int | None]:
        """Return the originals of this event, and the id below which the next page of photos begins."""
        if event.photos_below is None:
            return event.sha256s, None
        found, next_below = await photo_contents.page_of_author(
            self._db, event.user_id, below=event.photos_below, limit=self._limit
        )
        return list(dict.fromkeys([*event.sha256s, *found])), next_below

    async def _hidden(self, sha256s: Sequence[str]) -> list[HiddenImages]:
        return [
            HiddenImages(sha256=sha256, signed=not await contents.is_shown(self._db, sha256))
            for sha256 in sha256s
            if not await contents.is_public(self._db, sha256)
        ]

    async def _purge_all(self, images: Sequence[HiddenImages], event: MediaPurge) -> dict[str, bool]:
        """Purge the caches at the same time, then the hook; return by name whether each has carried it out."""
        outcomes = {}

        async def purge(purger: Purger) -> None:
            if not event.caches or purger.name in event.caches:
                done = await purger.purge(images, hidden_at=event.at, repeated=bool(event.caches))
                outcomes[purger.name] = done

        await asyncio.gather(*(purge(purger) for purger in self._caches))
        if self._hook is not None:
            await purge(self._hook)
        return outcomes


def retry_delay(age: float) -> float:
    """Return the seconds until a purge of this age, in seconds, is tried again: a tenth of it, two to sixty."""
    return min(max(AGAIN_AFTER, _SHARE * age), LONGEST_AFTER)
