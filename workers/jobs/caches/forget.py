"""The worker "forget": caches forget the images that they hide, and end to hide them.

`workers.jobs.caches.purge` has them hidden, at once, and emits these events for two seconds later, when no response
from before is on its way any more. A cache that fails goes on hiding the images, and is asked again. Every event can be
repeated.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from storage.events import MediaForget
from storage.postgres.database import Database
from storage.stores.media import contents
from workers.caches.port import HiddenImages
from workers.caches.purger import Purger
from workers.handlers import EventHandler, on
from workers.jobs.caches.purge import Purgers, ask_each, hidden, open_purgers, retry_delay
from workers.jobs.context import Handlers, WorkerContext


@asynccontextmanager
async def open_handlers(context: WorkerContext) -> AsyncIterator[Handlers]:
    """Yield the handlers of the queue "forget"."""
    async with open_purgers(context, "forget") as purgers:
        yield ForgetHandlers(context.db, purgers).handlers()


class ForgetHandlers:
    """Handlers of the queue "forget"."""

    def __init__(self, db: Database, purgers: Purgers, *, clock: Callable[[], float] = time.time) -> None:
        self._db = db
        self._purgers = purgers
        self._clock = clock

    def handlers(self) -> Mapping[str, EventHandler]:
        """Return the handler of each topic."""
        return on(MediaForget, self.forget)

    async def forget(self, event: MediaForget) -> None:
        """Have caches forget images; emit the event again for those that fail."""
        outcomes: dict[str, bool] = {}

        async def forget(purger: Purger) -> None:
            if purger.name in event.caches:
                outcomes[purger.name] = await self._forget(purger, event)

        await self._purgers.ask_all(forget)
        failed = [name for name, succeeded in outcomes.items() if not succeeded]
        if failed:
            async with self._db.transaction() as tx:
                tx.emit(replace(event, caches=failed), after=retry_delay(self._clock() - event.at))

    async def _forget(self, purger: Purger, event: MediaForget) -> bool:
        # Also what is public again: the cache hides it still. A hook hides nothing.
        sha256s = await hidden(self._db, event.sha256s) if purger is self._purgers.hook else event.sha256s
        return not sha256s or await purger.forget(await self._images(sha256s))

    async def _images(self, sha256s: Sequence[str]) -> list[HiddenImages]:
        shown = await ask_each(lambda sha256: contents.is_shown(self._db, sha256), sha256s)
        return [HiddenImages(sha256=sha256, signed=not still) for sha256, still in zip(sha256s, shown, strict=True)]
