"""The worker "video": makes of a video the one that is played, its poster and its images, with decoders of its own.

So a video, which takes up to two minutes, delays neither photos nor requested variants. Every handler can be repeated
at any point.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from weakref import WeakValueDictionary

import structlog

from storage.blobs.keys import original_key, poster_key, variant_key
from storage.blobs.port import Blobs
from storage.blobs.variants import VIDEO, VariantRegistry
from storage.cache.variant_states import VariantState, VariantStates
from storage.errors import NotFoundError, UnavailableError
from storage.events import VideoUnscanned, VideoUploaded, VideoWanted
from storage.models import PhotoState, Video
from storage.postgres.database import Database
from storage.stores.media import contents, variants
from storage.stores.media.variants import StoredVariant
from storage.stores.moderation import hash_lists
from storage.stores.photos import media_hashes, photo_processing, photos
from workers.errors import Retry
from workers.handlers import EventHandler, on
from workers.images.decode import Decoded, ImageRejectedError
from workers.jobs.context import Handlers, WorkerContext
from workers.jobs.media.contents import ContentRemover
from workers.jobs.media.images import hash_of, local_file, put_variants
from workers.jobs.media.listed_images import record_matches
from workers.jobs.media.scans import ScanGate, open_gate
from workers.jobs.metrics import FindingMetrics, NoFindingMetrics
from workers.jobs.moderation.findings import FindingRecorder
from workers.videos.pool import MadeVideo, VideoDecoder

log = structlog.get_logger(__name__)


@asynccontextmanager
async def open_handlers(context: WorkerContext) -> AsyncIterator[Handlers]:
    """Yield the handlers of the queue "video"; its decoders start with the first video."""
    decoder = VideoDecoder(
        processes=context.concurrency,
        videos=context.video_limits,
        images=context.decoder_limits,
        metrics=context.decoder_metrics,
    )
    try:
        async with open_gate(context) as gate:
            handlers = VideoHandlers(
                context.db,
                context.blobs,
                decoder,
                context.variants,
                context.variant_states,
                metrics=context.finding_metrics,
                gate=gate,
            )
            yield handlers.handlers()
    finally:
        await decoder.close()


class VideoHandlers:
    """Handlers of the queue "video"."""

    def __init__(
        self,
        db: Database,
        blobs: Blobs,
        decoder: VideoDecoder,
        registry: VariantRegistry,
        states: VariantStates,
        *,
        metrics: FindingMetrics | None = None,
        gate: ScanGate | None = None,
    ) -> None:
        self._db = db
        self._recorder = FindingRecorder(metrics or NoFindingMetrics())
        self._blobs = blobs
        self._decoder = decoder
        self._registry = registry
        self._states = states
        self._remover = ContentRemover(db, blobs)
        self._gate = gate or ScanGate(db, blobs)
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def handlers(self) -> Mapping[str, EventHandler]:
        """Return the handler of each topic."""
        return {
            **on(VideoUploaded, self.uploaded),
            **on(VideoUnscanned, self.uploaded),
            **on(VideoWanted, self.wanted),
        }

    async def uploaded(self, event: VideoUploaded | VideoUnscanned) -> None:
        """Make what is shown of a video and mark its photo as ready, or reject it with the reason."""
        photo = (await photos.load(self._db, [event.photo_id])).get(event.photo_id)
        if photo is None or photo.state is not PhotoState.PROCESSING or not await self._gate.lets_photo(photo):
            return
        try:
            made = await self._made(photo.sha256)
            images = await self._images(made)
        except (NotFoundError, FileNotFoundError) as error:
            raise Retry("the original is missing") from error
        except ImageRejectedError as error:
            async with self._db.transaction() as tx:
                await photo_processing.mark_rejected(tx, photo.id, reason=str(error))
            return
        lease = await contents.acquire(self._db, sha256=photo.sha256, size=photo.bytes, content_type=photo.content_type)
        # Only the content of a deleted photo can be in removal, and then nothing is needed.
        if lease is None:
            return
        await self._store(photo.sha256, made)
        await put_variants(self._blobs, self._registry, photo.sha256, images.variants)
        found = hash_of(photo.sha256, images)
        matches = await hash_lists.matches(self._db, [found])
        async with self._db.transaction() as tx:
            await record_matches(tx, self._recorder, matches, photo_id=photo.id, author_id=photo.author.id)
            ready = await photo_processing.mark_ready(
                tx,
                photo.id,
                width=images.width,
                height=images.height,
                placeholder=images.placeholder,
                exif=None,
                video=_played(made),
            )
            if ready:
                await media_hashes.store(tx, photo.id, [found])
            await contents.release(tx, lease)
        if not ready:
            # The photo was deleted meanwhile, and its removal was kept off by the lease; or another delivery of the
            # event was faster, and the photo needs its content.
            await self._remover.remove(photo.sha256)

    async def wanted(self, event: VideoWanted) -> None:
        """Make the video that is played and the poster again, unless they are stored, and publish what became of it."""
        if event.recipe != self._registry.recipe:
            return  # of a process with other settings
        key, state = f"{event.sha256}/{VIDEO.name}", VariantState.MADE
        # Requests repeat the event while the video is being made, which takes longer than they wait.
        async with self._turns.setdefault(event.sha256, asyncio.Lock()):
            if not await self._are_stored(event.sha256):
                await self._publish(self._states.begin(key))
                state = await self._make_again(event.sha256)
        await self._publish(self._states.finish([key], state))

    async def make_missing(self, sha256: str) -> str:
        """Make what is missing besides images; return "present", or the `VariantState`."""
        return "present" if await self._are_stored(sha256) else await self._make_again(sha256)

    async def _make_again(self, sha256: str) -> VariantState:
        lease = await contents.lease_stored(self._db, sha256)
        if lease is None:
            return VariantState.UNAVAILABLE  # the content is being removed
        try:
            await self._store(sha256, await self._made(sha256))
        except (NotFoundError, FileNotFoundError):
            log.error("original_missing", sha256=sha256)  # noqa: TRY400 - a loss, not a fault of this program
            return VariantState.UNAVAILABLE
        except ImageRejectedError as error:
            log.warning("variant_refused", sha256=sha256, name=VIDEO.name, reason=str(error))
            async with self._db.transaction() as tx:
                await variants.record(tx, sha256, recipe=self._registry.recipe, sizes={VIDEO.name: 0})
            return VariantState.REFUSED
        else:
            # A row of an earlier refusal would have the janitor delete the video as unused some day.
            refused = StoredVariant(sha256=sha256, recipe=self._registry.recipe, name=VIDEO.name)
            async with self._db.transaction() as tx:
                await variants.forget(tx, refused, days=-1)
            return VariantState.MADE
        finally:
            async with self._db.transaction() as tx:
                await contents.release(tx, lease)
            if not await contents.is_referenced(self._db, sha256):
                # The last photo was deleted meanwhile, and the removal of the content was kept off by the lease.
                await self._remover.remove(sha256)

    async def _made(self, sha256: str) -> MadeVideo:
        async with local_file(self._blobs, original_key(sha256)) as path:
            return await self._decoder.make(path)

    async def _images(self, made: MadeVideo) -> Decoded:
        with tempfile.TemporaryDirectory(prefix="picshare-") as folder:
            path = Path(folder) / "poster.jpg"
            path.write_bytes(made.poster)
            return await self._decoder.images.variants(path, self._registry.eager_variants)

    async def _store(self, sha256: str, made: MadeVideo) -> None:
        """Store the video that is played and the poster, under a lease of the content that the caller holds."""
        await self._blobs.put(poster_key(sha256), made.poster, content_type="image/jpeg")
        await put_variants(self._blobs, self._registry, sha256, {VIDEO.name: made.file})

    async def _are_stored(self, sha256: str) -> bool:
        try:
            for key in (poster_key(sha256), variant_key(sha256, self._registry.recipe, VIDEO.name)):
                await self._blobs.head(key)
        except NotFoundError:
            return False
        return True

    async def _publish(self, change: Awaitable[None]) -> None:
        """Change the state in Redis; without Redis the processes that wait look into the store."""
        try:
            await change
        except UnavailableError as error:
            log.warning("variant_state_not_published", error=str(error))


def _played(made: MadeVideo) -> Video:
    return Video(width=made.width, height=made.height, duration=made.seconds, bytes=len(made.file))
