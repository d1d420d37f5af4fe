"""Handle uploads and deletions of photos: make an original's variants, and remove contents that no photo uses.

Blobs are named by their content, so several photos may share them. Variants are written under a lease of the content
(`storage.stores.media.contents`), which keeps a deletion of the same content from removing them. Every handler can be
repeated at any point.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from storage.blobs.port import Blobs
from storage.blobs.variants import MOTION, VariantRegistry
from storage.events import PhotoDeferred, PhotoDeleted, PhotoItemRemoved, PhotoUnscanned, PhotoUploaded, VariantWanted
from storage.models import Photo, PhotoItem, PhotoState
from storage.postgres.database import Database
from storage.stores.media import contents
from storage.stores.media.contents import Lease
from storage.stores.moderation import hash_lists
from storage.stores.photos import media_hashes, photo_exif, photo_processing, photos
from storage.stores.photos.photo_items import DecodedItem, pictures_of
from storage.suggestions import suggestions
from workers.handlers import EventHandler, on
from workers.images.decode import Decoded, ImageRejectedError
from workers.images.pool import Decoder
from workers.jobs.context import Handlers, WorkerContext
from workers.jobs.media.contents import ContentRemover
from workers.jobs.media.images import ImageMaker, hash_of
from workers.jobs.media.listed_images import record_matches
from workers.jobs.media.profile_images import ProfileImageHandlers
from workers.jobs.media.scans import ScanGate, open_gate
from workers.jobs.metrics import FindingMetrics, NoFindingMetrics
from workers.jobs.moderation.findings import FindingRecorder


@asynccontextmanager
async def open_handlers(context: WorkerContext) -> AsyncIterator[Handlers]:
    """Yield the handlers of the queue "media", with one decoder process for each job at once."""
    decoder = Decoder(processes=context.concurrency, limits=context.decoder_limits, metrics=context.decoder_metrics)
    try:
        await decoder.start()
        metrics = context.finding_metrics
        async with open_gate(context) as gate:
            yield MediaHandlers(context.db, context.blobs, decoder, context.variants, metrics, gate=gate).handlers()
    finally:
        await decoder.close()


class MediaHandlers:
    """Handlers of the queue "media", and of the queue "deferred".

    An author has one photo in "media" at a time, so that others find a free decoder; "deferred" has the next ones.
    """

    def __init__(
        self,
        db: Database,
        blobs: Blobs,
        decoder: Decoder,
        variants: VariantRegistry | None = None,
        metrics: FindingMetrics | None = None,
        *,
        gate: ScanGate | None = None,
    ) -> None:
        self._db = db
        self._recorder = FindingRecorder(metrics or NoFindingMetrics())
        self._variants = variants or VariantRegistry()
        self._maker = ImageMaker(db, blobs, decoder, self._variants)
        self._remover = ContentRemover(db, blobs)
        self._gate = gate or ScanGate(db, blobs)

    def handlers(self) -> Mapping[str, EventHandler]:
        """Return the handler of each topic."""
        profile_images = ProfileImageHandlers(self._db, self._maker, self._remover, self._gate, self._recorder)
        return {
            **on(PhotoUploaded, self.uploaded),
            **on(PhotoUnscanned, self.deferred),
            **on(PhotoDeleted, self.deleted),
            **on(PhotoItemRemoved, self.item_removed),
            **profile_images.handlers(),
        }

    async def uploaded(self, event: PhotoUploaded) -> None:
        """Process a photo, or defer it if its author has an earlier one in processing; see `_process`."""
        # The upload has decided already, but uploads at the same moment do not see each other. The oldest one stays,
        # whatever the order of the events.
        photo, is_later = await asyncio.gather(
            self._in_processing(event.photo_id),
            photos.has_earlier_in_processing(self._db, event.photo_id, author_id=event.author_id),
        )
        if photo is None:
            return
        if is_later:
            async with self._db.transaction() as tx:
                tx.emit(PhotoDeferred(photo_id=photo.id, author_id=photo.author.id))
            return
        await self._process(photo)

    async def deferred(self, event: PhotoDeferred | PhotoUnscanned) -> None:
        """Process a photo that was deferred, or has waited for its scan; see `_process`."""
        photo = await self._in_processing(event.photo_id)
        if photo is not None:
            await self._process(photo)

    async def _in_processing(self, photo_id: int) -> Photo | None:
        photo = (await photos.load(self._db, [photo_id])).get(photo_id)
        return photo if photo is not None and photo.state is PhotoState.PROCESSING else None

    async def _process(self, photo: Photo) -> None:
        """Make the variants of all pictures and mark the photo as ready, or reject it with the reason."""
        if not await self._gate.lets_photo(photo):
            return
        pictures = pictures_of(photo)
        # The lease is needed when the variants are stored; taken meanwhile, it costs no time.
        decoded, leases = await asyncio.gather(
            self._decode(photo, pictures), self._lease(pictures), return_exceptions=True
        )
        if isinstance(leases, BaseException):
            raise leases
        if isinstance(decoded, ImageRejectedError):
            await self._reject(photo, str(decoded), leases)
            return
        if isinstance(decoded, BaseException):
            # The lease stays until it expires, and then the content is removed if nothing has it: a removal that came
            # in between has been kept off.
            raise decoded
        # Only contents of a deleted photo can be in removal, and then the variants are not needed.
        if len(leases) == len(pictures):
            for sha256, result in decoded.items():
                await self._maker.store(sha256, result)
        await self._publish(photo, decoded, leases)

    async def _decode(self, photo: Photo, pictures: Sequence[PhotoItem]) -> dict[str, Decoded]:
        """Return the decoded pictures by hash; raise `ImageRejectedError`, which names the picture among several."""
        decoded: dict[str, Decoded] = {}
        for number, picture in enumerate(pictures, 1):
            try:
                decoded[picture.sha256] = await self._maker.decode(picture.sha256, author_id=photo.author.id)
            except ImageRejectedError as error:
                if not photo.items:
                    raise
                raise ImageRejectedError(f"picture {number} of {len(pictures)}: {error}") from error
        return decoded

    async def _reject(self, photo: Photo, reason: str, leases: Sequence[Lease]) -> None:
        async with self._db.transaction() as tx:
            rejected = await photo_processing.mark_rejected(tx, photo.id, reason=reason)
            for lease in leases:
                await contents.release(tx, lease)
        if not rejected:
            await self._remove_unused(pictures_of(photo))

    async def deleted(self, event: PhotoDeleted) -> None:
        """Remove a deleted photo's blobs unless another photo has the same content."""
        for sha256 in (event.sha256, *event.items):
            await self._remover.remove(sha256)

    async def item_removed(self, event: PhotoItemRemoved) -> None:
        """Remove the blobs of a removed picture unless another one has the same content."""
        await self._remover.remove(event.sha256)

    async def _lease(self, pictures: Sequence[PhotoItem]) -> list[Lease]:
        """Lease the contents that are not being removed, in the order of their hashes."""
        ordered = sorted(pictures, key=lambda picture: picture.sha256)
        async with self._db.transaction() as tx:
            leases = [
                await contents.acquire(tx, sha256=picture.sha256, size=picture.bytes, content_type=picture.content_type)
                for picture in ordered
            ]
        return [lease for lease in leases if lease is not None]

    async def _publish(self, photo: Photo, decoded: Mapping[str, Decoded], leases: Sequence[Lease]) -> None:
        first = decoded[photo.sha256]
        hashes = [hash_of(sha256, result) for sha256, result in decoded.items()]
        matches = await hash_lists.matches(self._db, hashes)
        async with self._db.transaction() as tx:
            # Before the photo is ready, so that one that is to be held is not shown for a moment.
            await record_matches(tx, self._recorder, matches, photo_id=photo.id, author_id=photo.author.id)
            ready = await photo_processing.mark_ready(
                tx,
                photo.id,
                width=first.width,
                height=first.height,
                placeholder=first.placeholder,
                exif=first.exif,
                suggestions=_suggestions(photo, first),
                taken_at=photo_exif.taken_at(first.exif),
                hdr=first.hdr,
                motion=_motion(first),
                items=[_item(item.sha256, decoded[item.sha256]) for item in photo.items],
            )
            for sha256 in (sha256 for sha256, result in decoded.items() if ready and result.motion):
                # Its frames take seconds, in which no photo waits: another worker makes it, before it is requested.
                tx.emit(VariantWanted(sha256=sha256, recipe=self._variants.recipe, name=MOTION.name))
            if ready:
                await media_hashes.store(tx, photo.id, hashes)
            for lease in leases:
                await contents.release(tx, lease)
        if not ready:
            await self._remove_unused(pictures_of(photo))

    async def _remove_unused(self, pictures: Sequence[PhotoItem]) -> None:
        """Remove the contents of a photo that is not in processing any more, unless something has them.

        It was deleted meanwhile, and its removal was kept off by the leases; or another delivery of the event was
        faster, and the photo needs them.
        """
        for sha256 in {picture.sha256 for picture in pictures}:
            await self._remover.remove(sha256)


def _item(sha256: str, decoded: Decoded) -> DecodedItem:
    return DecodedItem(
        sha256=sha256,
        width=decoded.width,
        height=decoded.height,
        placeholder=decoded.placeholder,
        exif=decoded.exif,
        hdr=decoded.hdr,
        motion=_motion(decoded),
    )


def _suggestions(photo: Photo, first: Decoded) -> dict[str, str]:
    """Return what is suggested for a photo; for several pictures it is the caption, from the first one."""
    found = suggestions(first.texts)
    return {name: text for name, text in found.items() if name == "caption" or not photo.items}


def _motion(decoded: Decoded) -> str | None:
    return MOTION.format if decoded.motion else None
