"""Handle uploads and deletions of photos: make an original's variants, and remove contents that no photo uses.

Blobs are named by their content, so several photos may share them. Variants are written under a lease of the content
(`storage.stores.contents`), which keeps a deletion of the same content from removing them. Every handler can be
repeated at any point.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from storage.blobs.port import Blobs, original_key, variant_key
from storage.errors import NotFoundError
from storage.events import PhotoDeferred, PhotoDeleted, PhotoUploaded
from storage.models import Photo, PhotoState
from storage.postgres.database import Database
from storage.stores import contents, photos
from storage.stores.contents import Lease
from workers.errors import Retry
from workers.handlers import EventHandler, on
from workers.images.decode import Decoded, ImageRejectedError
from workers.images.pool import Decoder
from workers.jobs.contents import ContentRemover
from workers.jobs.context import Handlers, WorkerContext


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
    """Handlers of the queue "media", and of the queue "deferred".

    An author has one photo in "media" at a time, so that others find a free decoder; "deferred" has the next ones.
    """

    def __init__(self, db: Database, blobs: Blobs, decoder: Decoder) -> None:
        self._db = db
        self._blobs = blobs
        self._decoder = decoder
        self._remover = ContentRemover(db, blobs)

    def handlers(self) -> Mapping[str, EventHandler]:
        """Return the handler of each topic."""
        return {**on(PhotoUploaded, self.uploaded), **on(PhotoDeleted, self.deleted)}

    async def uploaded(self, event: PhotoUploaded) -> None:
        """Process a photo, or defer it if its author has an earlier one in processing; see `_process`."""
        photo = await self._in_processing(event.photo_id)
        if photo is None:
            return
        # The upload has decided already, but uploads at the same moment do not see each other. The oldest one stays,
        # whatever the order of the events.
        if await photos.has_earlier_in_processing(self._db, photo):
            async with self._db.transaction() as tx:
                tx.emit(PhotoDeferred(photo_id=photo.id, author_id=photo.author.id))
            return
        await self._process(photo)

    async def deferred(self, event: PhotoDeferred) -> None:
        """Process a photo that was deferred; see `_process`."""
        photo = await self._in_processing(event.photo_id)
        if photo is not None:
            await self._process(photo)

    async def _in_processing(self, photo_id: int) -> Photo | None:
        photo = (await photos.load(self._db, [photo_id])).get(photo_id)
        return photo if photo is not None and photo.state is PhotoState.PROCESSING else None

    async def _process(self, photo: Photo) -> None:
        """Make the variants and mark the photo as ready, or reject it with the reason.

        Raises `Retry` while the original is missing: it may come back, and otherwise the event ends among the dead
        letters, where an operator sees it.
        """
        try:
            async with self._local(photo.sha256) as path:
                decoded = await self._decoder.variants(path)
        except (NotFoundError, FileNotFoundError) as error:
            raise Retry("the original is missing") from error
        except ImageRejectedError as error:
            async with self._db.transaction() as tx:
                await photos.mark_rejected(tx, photo.id, reason=str(error))
            return
        async with self._db.transaction() as tx:
            lease = await contents.acquire(tx, sha256=photo.sha256, size=photo.bytes, content_type=photo.content_type)
        # Only the content of a deleted photo can be in removal, and then the variants are not needed.
        if lease is not None:
            await self._store(photo, decoded)
            await self._publish(photo, decoded, lease)

    async def deleted(self, event: PhotoDeleted) -> None:
        """Remove a deleted photo's blobs unless another photo has the same content."""
        await self._remover.remove(event.sha256)

    async def _store(self, photo: Photo, decoded: Decoded) -> None:
        puts = (
            self._blobs.put(variant_key(photo.sha256, name), data, content_type="image/jpeg")
            for name, data in decoded.variants.items()
        )
        # An error is raised only after all writes have ended. A write that continues after its job has failed might
        # outlive the lease.
        for outcome in await asyncio.gather(*puts, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome

    async def _publish(self, photo: Photo, decoded: Decoded, lease: Lease) -> None:
        async with self._db.transaction() as tx:
            ready = await photos.mark_ready(
                tx,
                photo.id,
                width=decoded.width,
                height=decoded.height,
                placeholder=decoded.placeholder,
                exif=decoded.exif,
            )
            await contents.release(tx, lease)
        if not ready:
            # The photo was deleted meanwhile, and its removal was kept off by the lease; or another delivery of the
            # event was faster, and the photo needs the variants.
            await self._remover.remove(photo.sha256)

    @asynccontextmanager
    async def _local(self, sha256: str) -> AsyncIterator[Path]:
        """Yield the original as a local file: the store's own, or a temporary copy."""
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
