"""The worker "purge": images that are not public any more disappear from the caches in front of PicShare.

Caches hide them, which is quick, and forget them two seconds later (`workers.jobs.caches.forget`). What is still public
is left alone: another account may show the same bytes. A cache that fails is asked again, by events of its own, until
it hides them, however long that takes; the others do not wait for it. Every event can be repeated.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from storage.events import CachePurge, MediaForget, MediaPurge
from storage.postgres.database import Database, Queryable
from storage.postgres.outbox import LONGEST_AFTER
from storage.stores.media import contents
from storage.stores.photos import photo_contents
from workers.caches.opening import open_caches
from workers.caches.port import Cache
from workers.caches.purger import CIRCUIT, Purger
from workers.handlers import EventHandler, on
from workers.jobs.context import Handlers, WorkerContext

PHOTOS_AT_ONCE = 100  # of an account that are hidden in one event: a request for each picture to each cache
FORGOTTEN_AT_ONCE = 20  # originals that are forgotten in one event: 400 requests to each cache
# Seconds. PicShare decides once more whether an image is public if its response takes longer than one second
# (`server.media.variants`), so none that was on its way arrives after the images were forgotten.
FORGET_AFTER = 2.0
_SHARE = 0.1  # of the time that a cache has been failing, until it is asked again
_QUESTIONS_AT_ONCE = 4  # to the database


@dataclass(frozen=True, kw_only=True, slots=True)
class Purgers:
    """The caches of an installation, which are asked first, and the `hook` to CDNs that are filled from them."""

    caches: Sequence[Purger]
    hook: Purger | None = None

    def named(self) -> Mapping[str, Purger]:
        """Return all of them by name."""
        return {purger.name: purger for purger in (*self.caches, *([self.hook] if self.hook else []))}

    async def ask_all(self, ask: Callable[[Purger], Awaitable[None]]) -> None:
        """Call a function for all caches at the same time, then for the hook."""
        await asyncio.gather(*(ask(purger) for purger in self.caches))
        if self.hook is not None:
            await ask(self.hook)


@asynccontextmanager
async def open_purgers(context: WorkerContext, queue: str) -> AsyncIterator[Purgers]:
    """Yield the purgers of a queue; each queue has its circuits, so a cache that cannot forget images hides others."""
    async with open_caches(context.caches, context.variants) as caches:

        def purger(cache: Cache) -> Purger:
            return Purger(cache, context.purge_metrics, context.circuits.circuit(f"{queue}:{cache.name}", CIRCUIT))

        purgers = Purgers(
            caches=[purger(cache) for cache in caches.nginx],
            hook=None if caches.hook is None else purger(caches.hook),
        )
        context.purge_metrics.caches_known(list(purgers.named()))
        yield purgers


@asynccontextmanager
async def open_handlers(context: WorkerContext) -> AsyncIterator[Handlers]:
    """Yield the handlers of the queue "purge"."""
    async with open_purgers(context, "purge") as purgers:
        yield PurgeHandlers(context.db, purgers).handlers()


class PurgeHandlers:
    """Handlers of the queue "purge"; `limit` is the number of an account's photos in one event."""

    def __init__(
        self,
        db: Database,
        purgers: Purgers,
        *,
        limit: int = PHOTOS_AT_ONCE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._db = db
        self._purgers = purgers
        self._by_name = purgers.named()
        self._limit = limit
        self._clock = clock

    def handlers(self) -> Mapping[str, EventHandler]:
        """Return the handler of each topic."""
        return {**on(MediaPurge, self.purge), **on(CachePurge, self.purge_cache)}

    async def purge(self, event: MediaPurge) -> None:
        """Have all caches hide a page of images; emit the events of the next page, of what follows, and of failures."""
        if not self._by_name:
            return
        sha256s, photos_below = await self._page(event)
        sha256s = await hidden(self._db, sha256s)
        outcomes: dict[str, bool] = {}

        async def hide(purger: Purger) -> None:
            outcomes[purger.name] = await purger.hide(sha256s, hidden_at=event.at)

        if sha256s:
            await self._purgers.ask_all(hide)
        async with self._db.transaction() as tx:
            if photos_below is not None:
                tx.emit(replace(event, sha256s=(), photos_below=photos_below))
            done = [name for name, succeeded in outcomes.items() if succeeded]
            for forget in _forgets(event.user_id, done, sha256s, event.at):
                tx.emit(forget, after=FORGET_AFTER)
            for name in outcomes.keys() - done:
                retry = CachePurge(user_id=event.user_id, cache=name, sha256s=sha256s, at=event.at)
                tx.emit(retry, after=FORGET_AFTER)

    async def purge_cache(self, event: CachePurge) -> None:
        """Have one cache hide images that has failed before; emit the event again if it fails again."""
        purger = self._by_name.get(event.cache)
        if purger is None:
            return  # it was removed from the settings
        sha256s, hook = await hidden(self._db, event.sha256s), self._purgers.hook
        done = not sha256s or await purger.hide(sha256s, hidden_at=event.at)
        async with self._db.transaction() as tx:
            if not done:
                tx.emit(replace(event, sha256s=sha256s), after=retry_delay(self._clock() - event.at))
            elif purger is not hook:
                # Also what is public again: the cache may have hidden it before it failed.
                for forget in _forgets(event.user_id, [event.cache], event.sha256s, event.at):
                    tx.emit(forget, after=FORGET_AFTER)
                if hook is not None and sha256s:
                    # A CDN may have been filled again from this cache.
                    tx.emit(replace(event, sha256s=sha256s, cache=hook.name))

    async def _page(self, event: MediaPurge) -> tuple[Sequence[str], int | None]:
        """Return the originals of this event, and the id below which the next page of photos begins."""
        if event.photos_below is None:
            return event.sha256s, None
        found, next_below = await photo_contents.page_of_author(
            self._db, event.user_id, below=event.photos_below, limit=self._limit
        )
        return list(dict.fromkeys([*event.sha256s, *found])), next_below


async def hidden(db: Queryable, sha256s: Sequence[str]) -> list[str]:
    """Return the originals among some that are not public."""
    public = await ask_each(lambda sha256: contents.is_public(db, sha256), sha256s)
    return [sha256 for sha256, shown in zip(sha256s, public, strict=True) if not shown]


async def ask_each(question: Callable[[str], Awaitable[bool]], sha256s: Sequence[str]) -> list[bool]:
    """Return the responses to a question to the database about each original, some of them asked at the same time."""
    turns = asyncio.Semaphore(_QUESTIONS_AT_ONCE)

    async def ask(sha256: str) -> bool:
        async with turns:
            return await question(sha256)

    return await asyncio.gather(*map(ask, sha256s))


def retry_delay(age: float) -> float:
    """Return the seconds until a purge of this age, in seconds, is tried again: a tenth of it, two to sixty."""
    return min(max(FORGET_AFTER, _SHARE * age), LONGEST_AFTER)


def _forgets(user_id: int, caches: Sequence[str], sha256s: Sequence[str], at: float) -> Iterator[MediaForget]:
    for start in range(0, len(sha256s), FORGOTTEN_AT_ONCE) if caches else ():
        some = sha256s[start : start + FORGOTTEN_AT_ONCE]
        yield MediaForget(user_id=user_id, caches=caches, sha256s=some, at=at)
