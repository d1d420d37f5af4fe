"""Compute the hashes of photos from before there were hashes; later ones get them when their images are made."""

from __future__ import annotations

import asyncio
from collections import Counter

from server.composition.backends import open_stores
from server.composition.embedded import reachable_backends
from server.config.settings import Settings
from storage.blobs.keys import original_key, poster_key
from storage.blobs.port import Blobs
from storage.blobs.variants import Variant
from storage.errors import NotFoundError
from storage.media_types import VIDEO_TYPES
from storage.models import Photo, PhotoItem, PhotoState
from storage.perceptual_hashes import MediaHash
from storage.postgres import migrate
from storage.postgres.database import Database, Queryable
from storage.stores.photos import media_hashes, photos
from storage.stores.photos.photo_items import pictures_of
from workers.images.decode import ImageRejectedError
from workers.images.limits import DecoderLimits
from workers.images.pool import Decoder
from workers.jobs.media.images import hash_of, local_file

_PAGE = 1000  # ids of one statement
_SMALL = (Variant(side=320, square=False, format="jpg"),)


async def compute(settings: Settings, *, processes: int) -> Counter[str]:
    """Compute what is missing; return the number of photos by outcome: "computed", "unavailable" or "deleted".

    It can be interrupted and repeated at any point. A photo is "unavailable" while an original is missing or cannot be
    decoded any more, and "deleted" if it was deleted meanwhile.
    """
    outcomes: Counter[str] = Counter()
    section = settings.worker
    limits = DecoderLimits(
        deadline=section.decode_deadline, memory=section.decode_memory, max_pixels=settings.upload.max_pixels
    )
    async with reachable_backends(settings) as resolved, open_stores(resolved) as stores:
        await migrate.check(stores.db)
        decoder = Decoder(processes=processes, limits=limits)
        work = _Work(stores.db, stores.blobs, decoder)
        try:
            after = 0
            while page := await media_hashes.missing(stores.db, after=after, limit=_PAGE):
                for start in range(0, len(page), processes):
                    outcomes.update(await asyncio.gather(*map(work.compute, page[start : start + processes])))
                after = page[-1]
        finally:
            await decoder.close()
    return outcomes


class _Work:
    def __init__(self, db: Database, blobs: Blobs, decoder: Decoder) -> None:
        self._db = db
        self._blobs = blobs
        self._decoder = decoder

    async def compute(self, photo_id: int) -> str:
        """Compute and store the hashes of one photo; return the outcome."""
        photo = await _ready(self._db, photo_id)
        if photo is None:
            return "deleted"
        try:
            hashes = [await self._hash(picture) for picture in pictures_of(photo)]
        except (NotFoundError, FileNotFoundError, ImageRejectedError):
            return "unavailable"
        async with self._db.transaction() as tx:
            # The lock keeps off a deletion, also of single pictures, which would leave hashes behind.
            await photos.lock_author(tx, photo_id)
            photo = await _ready(tx, photo_id)
            if photo is None:
                return "deleted"
            present = {picture.sha256 for picture in pictures_of(photo)}
            await media_hashes.store(tx, photo_id, [one for one in hashes if one.sha256 in present])
        return "computed"

    async def _hash(self, picture: PhotoItem) -> MediaHash:
        of_video = picture.content_type in VIDEO_TYPES
        key = poster_key(picture.sha256) if of_video else original_key(picture.sha256)
        async with local_file(self._blobs, key) as path:
            return hash_of(picture.sha256, await self._decoder.variants(path, _SMALL))


async def _ready(db: Queryable, photo_id: int) -> Photo | None:
    photo = (await photos.load(db, [photo_id])).get(photo_id)
    return photo if photo is not None and photo.state is PhotoState.READY else None
