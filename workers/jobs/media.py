"""Handle uploads and deletions: originals become variants, and what no photo points to is removed.

Blobs are named by their content, so several photos may share them. Whoever stores or removes blobs holds
the content's lock (`storage.blobs.port.hold_content`): a deletion waits for uploads of the same bytes and
then sees their rows. Every handler can be repeated at any point.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import structlog

from storage.blobs.port import Blobs, hold_content, original_key, variant_key
from storage.errors import NotFoundError
from storage.events import PhotoDeleted, PhotoUploaded
from storage.models import Photo, PhotoState
from storage.postgres.database import Database
from storage.stores import photos
from workers.errors import Retry
from workers.images.decode import VARIANTS, Decoded, ImageRejectedError
from workers.images.pool import Decoder
from workers.jobs.context import Handlers, WorkerContext
from workers.jobs.handlers import EventHandler, on

log = structlog.get_logger(__name__)


@asynccontextmanager
async def open_handlers(context: WorkerContext) -> AsyncIterator[Handlers]:
    """Yield the handlers of the queue "media", with one decoder process for each job at once."""
    decoder = Decoder(processes=context.concurrency, limits=context.decoder_limits)
    try:
        await decoder.start()
        yield MediaHandlers(context.db, context.blobs, decoder).handlers()
    finally:
        await decoder.close()


class MediaHandlers:
    """Make variants and take blobs away; the queue "media"."""

    def __init__(self, db: Database, blobs: Blobs, decoder: Decoder) -> None:
        self._db = db
        self._blobs = blobs
        self._decoder = decoder

    def handlers(self) -> Mapping[str, EventHandler]:
        """Return the handler of each topic."""
        return {**on(PhotoUploaded, self.uploaded), **on(PhotoDeleted, self.deleted)}

    async def uploaded(self, event: PhotoUploaded) -> None:
        """Make an original's variants and let the photo be seen, or say why it cannot be.

        Raises `Retry` while the original is missing: another attempt may find it, and in the end the event
        stands among the dead letters for somebody to look at.
        """
        photo = (await photos.load(self._db, [event.photo_id])).get(event.photo_id)
        if photo is None or photo.state is not PhotoState.PROCESSING:
            return
        try:
            async with self._local(photo.sha256) as path:
                decoded = await self._decoder.variants(path)
        except (NotFoundError, FileNotFoundError) as error:
            raise Retry("the original is missing") from error
        except ImageRejectedError as error:
            async with self._db.transaction() as tx:
                await photos.mark_rejected(tx, photo.id, reason=str(error))
            return
        if not await self._publish(photo, decoded):
            # The photo was deleted meanwhile, or another delivery was faster: leave nothing that is not needed.
            await self._remove_unreferenced(photo.sha256)

    async def deleted(self, event: PhotoDeleted) -> None:
        """Remove a deleted photo's blobs unless another photo shows the same."""
        await self._remove_unreferenced(event.sha256)

    async def _publish(self, photo: Photo, decoded: Decoded) -> bool:
        async with self._db.transaction() as tx:
            await hold_content(tx, photo.sha256)
            await asyncio.gather(
                *(
                    self._blobs.put(variant_key(photo.sha256, name), data, content_type="image/jpeg")
                    for name, data in decoded.variants.items()
                )
            )
            return await photos.mark_ready(
                tx,
                photo.id,
                width=decoded.width,
                height=decoded.height,
                placeholder=decoded.placeholder,
                exif=decoded.exif,
            )

    async def _remove_unreferenced(self, sha256: str) -> None:
        async with self._db.transaction() as tx:
            await hold_content(tx, sha256, alone=True)
            if await photos.is_referenced(tx, sha256):
                return
            keys = [*(variant_key(sha256, name) for name in VARIANTS), original_key(sha256)]
            await asyncio.gather(*(self._blobs.delete(key) for key in keys))
        log.info("blobs_removed", sha256=sha256)

    @asynccontextmanager
    async def _local(self, sha256: str) -> AsyncIterator[Path]:
        """Lend the original as a local file: the store's own, or a copy for as long as it is needed."""
        blob = await self._blobs.open(original_key(sha256))
        if blob.path is not None:
            yield blob.path
            return
        with tempfile.TemporaryDirectory(prefix="picshare-") as folder:
            path = Path(folder) / sha256
            with path.open("wb") as file:
                async for chunk in blob.chunks():
                    await asyncio.to_thread(file.write, chunk)
            yield path
