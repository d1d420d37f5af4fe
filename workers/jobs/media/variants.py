"""The worker "variants": makes image variants that were requested and are not stored, with decoders of its own.

So requests for rare variants, however many, delay no upload, and the API decodes nothing. Of an eager variant, which an
earlier version or another recipe has not made, all eager ones of the original are made. Every event can be repeated.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

import structlog

from storage.blobs.keys import original_key, poster_key, variant_key
from storage.blobs.port import Blobs
from storage.blobs.variants import MOTION, Variant, VariantRegistry
from storage.cache.variant_states import VariantState, VariantStates
from storage.errors import NotFoundError, UnavailableError
from storage.events import VariantWanted, VideoWanted
from storage.media_types import VIDEO_TYPES
from storage.postgres.database import Database
from storage.stores.media import contents, variants
from storage.stores.photos import photo_contents
from workers.handlers import EventHandler, on
from workers.images.decode import ImageRejectedError
from workers.images.pool import Decoder
from workers.jobs.context import Handlers, WorkerContext
from workers.jobs.media.contents import ContentRemover
from workers.jobs.media.images import local_file, put_variants
from workers.jobs.metrics import NoVariantMetrics, VariantMetrics

log = structlog.get_logger(__name__)


@asynccontextmanager
async def open_handlers(context: WorkerContext) -> AsyncIterator[Handlers]:
    """Yield the handler of the queue "variants"; its decoders start with the first event."""
    decoder = Decoder(processes=context.concurrency, limits=context.decoder_limits, metrics=context.decoder_metrics)
    try:
        yield VariantHandlers(
            context.db,
            context.blobs,
            decoder,
            context.variants,
            context.variant_states,
            metrics=context.variant_metrics,
        ).handlers()
    finally:
        await decoder.close()


class VariantHandlers:
    """Handlers of the queue "variants"."""

    def __init__(
        self,
        db: Database,
        blobs: Blobs,
        decoder: Decoder,
        registry: VariantRegistry,
        states: VariantStates,
        *,
        metrics: VariantMetrics | None = None,
    ) -> None:
        self._db = db
        self._blobs = blobs
        self._decoder = decoder
        self._registry = registry
        self._states = states
        self._metrics = metrics or NoVariantMetrics()
        self._remover = ContentRemover(db, blobs)
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def handlers(self) -> Mapping[str, EventHandler]:
        """Return the handler of each topic."""
        return on(VariantWanted, self.wanted)

    async def wanted(self, event: VariantWanted) -> None:
        """Make a variant unless it is stored, and publish what became of it."""
        variant = self._registry.find(event.name)
        if variant is None or variant.video or event.recipe != self._registry.recipe:
            return  # of a process with other settings
        group = self._group(variant)
        # Of several events for the same variants the first one makes them. They are rare: an event is repeated after
        # a crash, or when its claim in Redis is lost.
        async with self._turn(f"{event.sha256}/{group[0].name}"):
            missing = [each for each in group if not await self._is_stored(event.sha256, each)]
            if missing:
                await self._publish(self._states.begin(f"{event.sha256}/{event.name}"))
                state = await self._make(event, missing)
            else:
                state = VariantState.MADE
        await self._publish(self._states.finish([f"{event.sha256}/{each.name}" for each in group], state))

    async def make_missing(self, sha256: str) -> str:
        """Make what is missing of the variants that are made without a request: the eager ones, and the motion.

        Return "present", or the `VariantState`.
        """
        groups: list[Sequence[Variant]] = [self._registry.eager_variants]
        if await photo_contents.is_animation(self._db, sha256):
            groups.append([MOTION])
        states = []
        for group in groups:
            missing = [each for each in group if not await self._is_stored(sha256, each)]
            if missing:
                event = VariantWanted(sha256=sha256, recipe=self._registry.recipe, name=missing[0].name)
                states.append(await self._make(event, missing))
        return next((state for state in states if state is not VariantState.MADE), "made" if states else "present")

    def _group(self, variant: Variant) -> Sequence[Variant]:
        eager = self._registry.eager_variants
        return eager if variant in eager else [variant]

    def _turn(self, key: str) -> asyncio.Lock:
        return self._turns.setdefault(key, asyncio.Lock())

    async def _is_stored(self, sha256: str, variant: Variant) -> bool:
        try:
            await self._blobs.head(variant_key(sha256, self._registry.recipe, variant.name))
        except NotFoundError:
            return False
        return True

    async def _publish(self, change: Awaitable[None]) -> None:
        """Change the state in Redis; without Redis the processes that wait look into the store."""
        try:
            await change
        except UnavailableError as error:
            log.warning("variant_state_not_published", error=str(error))

    async def _make(self, event: VariantWanted, missing: Sequence[Variant]) -> VariantState:
        lease = await contents.lease_stored(self._db, event.sha256)
        if lease is None:
            return VariantState.UNAVAILABLE  # the content is being removed
        try:
            return await self._make_leased(event, missing)
        finally:
            async with self._db.transaction() as tx:
                await contents.release(tx, lease)
            if not await contents.is_referenced(self._db, event.sha256):
                # The last photo was deleted meanwhile, and the removal of the content was kept off by the lease.
                await self._remover.remove(event.sha256)

    async def _make_leased(self, event: VariantWanted, missing: Sequence[Variant]) -> VariantState:
        started = time.perf_counter()
        rights = await contents.publishes_rights(self._db, event.sha256)
        content = await contents.find(self._db, event.sha256)
        of_video = content is not None and content.content_type in VIDEO_TYPES
        source = poster_key(event.sha256) if of_video else original_key(event.sha256)
        try:
            async with local_file(self._blobs, source) as path:
                files = await self._decoder.make(path, missing, rights=rights)
        except (NotFoundError, FileNotFoundError):
            if of_video:
                # It was lost, and the original has it. Another worker makes it again.
                await self._want_video(event)
                return VariantState.UNAVAILABLE
            log.error("original_missing", sha256=event.sha256)  # noqa: TRY400 - a loss, not a fault of this program
            return VariantState.UNAVAILABLE
        except ImageRejectedError as error:
            log.warning("variant_refused", sha256=event.sha256, name=event.name, reason=str(error))
            await self._record(event.sha256, {variant.name: 0 for variant in missing})
            return VariantState.REFUSED
        self._metrics.variant_encoded(format=missing[0].format, seconds=time.perf_counter() - started)
        lazy = {name: len(data) for name, data in files.items() if name not in self._registry.eager}
        await self._record(event.sha256, lazy)
        await put_variants(self._blobs, self._registry, event.sha256, files)
        if rights and not await contents.publishes_rights(self._db, event.sha256):
            # They were withheld meanwhile, and the variants that were there before have been deleted.
            return await self._make_leased(event, missing)
        return VariantState.MADE

    async def _want_video(self, event: VariantWanted) -> None:
        async with self._db.transaction() as tx:
            tx.emit(VideoWanted(sha256=event.sha256, recipe=event.recipe))

    async def _record(self, sha256: str, sizes: Mapping[str, int]) -> None:
        if sizes:
            async with self._db.transaction() as tx:
                await variants.record(tx, sha256, recipe=self._registry.recipe, sizes=sizes)
