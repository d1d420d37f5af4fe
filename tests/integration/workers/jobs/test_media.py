"""Uploads become photos or are refused, and deletions take away exactly what nothing points to."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.blobs.file import FileBlobs
from storage.blobs.port import Blob, Blobs, original_key, variant_key
from storage.events import PhotoDeleted, PhotoUploaded
from storage.models import Photo, PhotoState, User
from storage.postgres.database import Database
from storage.stores import photos
from tests.support.community import exif_of, person, topics
from tests.support.originals import post
from tests.support.pictures import jpeg_with_metadata, photograph
from workers.errors import Retry
from workers.images.pool import Decoder
from workers.jobs.media import MediaHandlers

pytestmark = pytest.mark.engines

ROCKET = photograph("rocket").read_bytes()


class Studio:
    """One person, a blob store and the handlers."""

    def __init__(self, database: Database, blobs: Blobs, decoder: Decoder, author: User) -> None:
        self.database = database
        self.blobs = blobs
        self.author = author
        self.media = MediaHandlers(database, blobs, decoder)

    async def upload(self, data: bytes) -> Photo:
        """Post a photo, as the API does."""
        return await post(self.database, self.blobs, self.author, data)

    async def process(self, photo: Photo) -> Photo | None:
        """Handle the upload and return the photo as it stands then."""
        await self.media.uploaded(PhotoUploaded(photo_id=photo.id, author_id=self.author.id))
        return (await photos.load(self.database, [photo.id])).get(photo.id)

    async def delete(self, photo: Photo) -> None:
        """Delete the photo's row."""
        async with self.database.transaction() as tx:
            await photos.delete(tx, photo.id, author_id=self.author.id)

    async def clean(self, photo: Photo) -> None:
        """Handle the deletion."""
        await self.media.deleted(PhotoDeleted(photo_id=photo.id, author_id=self.author.id, sha256=photo.sha256))

    async def stored(self, photo: Photo) -> set[str]:
        """Return which of a photo's blobs exist."""
        keys = {"original": original_key(photo.sha256)}
        keys |= {name: variant_key(photo.sha256, name) for name in ("thumb", "feed")}
        return {name for name, key in keys.items() if await self.blobs.exists(key)}


class RemoteBlobs(FileBlobs):
    """A store whose objects are no local files, like one behind a network."""

    async def open(self, key: str) -> Blob:
        """Return an object without a path."""
        return dataclasses.replace(await super().open(key), path=None)


@pytest.fixture
async def decoder() -> AsyncIterator[Decoder]:
    """A decoder of two processes."""
    decoder = Decoder(processes=2)
    yield decoder
    await decoder.close()


@pytest.fixture
async def studio(database: Database, tmp_path: Path, decoder: Decoder) -> Studio:
    """A studio with an empty file store."""
    return Studio(database, FileBlobs(tmp_path), decoder, await person(database, "ann"))


async def test_becomes_ready(studio: Studio) -> None:
    """An upload becomes a ready photo with its upright size, a placeholder, both variants, and EXIF for its owner."""
    photo = await studio.upload(jpeg_with_metadata(6))
    ready = await studio.process(photo)
    assert ready is not None
    assert (ready.state, ready.width, ready.height) == (PhotoState.READY, 40, 60)
    assert ready.placeholder
    assert await studio.stored(photo) == {"original", "thumb", "feed"}
    exif = await exif_of(studio.database, photo)
    assert exif is not None
    assert exif["GPS"]["GPSLatitudeRef"] == "N"
    variant = await studio.blobs.open(variant_key(photo.sha256, "thumb"))
    assert variant.content_type == "image/jpeg"
    assert b"Optics" not in b"".join([chunk async for chunk in variant.chunks()])


async def test_store_without_files(database: Database, tmp_path: Path, decoder: Decoder) -> None:
    """An original that lies elsewhere is fetched for the decoder."""
    studio = Studio(database, RemoteBlobs(tmp_path), decoder, await person(database, "ann"))
    ready = await studio.process(await studio.upload(ROCKET))
    assert ready is not None
    assert (ready.state, ready.width) == (PhotoState.READY, 640)


async def test_refused(studio: Studio) -> None:
    """A cut-off picture ends rejected with the reason, and its owner's event goes out."""
    photo = await studio.upload(ROCKET[:30_000])
    rejected = await studio.process(photo)
    assert rejected is not None
    assert (rejected.state, rejected.reason) == (PhotoState.REJECTED, "the picture is damaged or cut off")
    assert await studio.stored(photo) == {"original"}
    assert (await topics(studio.database))[-1] == "photo.rejected"


async def test_repeated(studio: Studio) -> None:
    """Deliveries of one upload, at once or later, make one photo ready once."""
    photo = await studio.upload(ROCKET)
    await asyncio.gather(*(studio.process(photo) for _ in range(3)))
    await studio.process(photo)
    assert (await topics(studio.database)).count("photo.ready") == 1
    assert await studio.stored(photo) == {"original", "thumb", "feed"}


async def test_missing_original(studio: Studio) -> None:
    """While the original is missing another delivery is asked for; with it the photo becomes ready."""
    photo = await studio.upload(ROCKET)
    await studio.blobs.delete(original_key(photo.sha256))
    with pytest.raises(Retry, match="original is missing"):
        await studio.process(photo)
    await studio.blobs.put(original_key(photo.sha256), ROCKET, content_type="image/jpeg")
    ready = await studio.process(photo)
    assert ready is not None
    assert ready.state is PhotoState.READY


async def test_deleted_before(studio: Studio) -> None:
    """An upload that was deleted before its turn leaves nothing behind."""
    photo = await studio.upload(ROCKET)
    await studio.delete(photo)
    assert await studio.process(photo) is None
    await studio.clean(photo)
    assert await studio.stored(photo) == set()


async def test_deleted_while_decoding(studio: Studio, decoder: Decoder) -> None:
    """An upload that is deleted, and cleaned up after, while it is decoded leaves nothing behind."""
    photo = await studio.upload(ROCKET)

    class Slow(Decoder):
        async def variants(self, original: Path) -> object:  # type: ignore[override]
            decoded = await decoder.variants(original)
            await studio.delete(photo)
            await studio.clean(photo)
            return decoded

    studio.media = MediaHandlers(studio.database, studio.blobs, Slow())
    assert await studio.process(photo) is None
    assert await studio.stored(photo) == set()


async def test_delete(studio: Studio) -> None:
    """A deletion takes original and variants away, and can be repeated."""
    photo = await studio.upload(ROCKET)
    await studio.process(photo)
    await studio.delete(photo)
    await studio.clean(photo)
    assert await studio.stored(photo) == set()
    await studio.clean(photo)


async def test_shared_content(studio: Studio) -> None:
    """What another photo shows too stays until that is deleted as well."""
    first, second = await studio.upload(ROCKET), await studio.upload(ROCKET)
    await studio.process(first)
    await studio.delete(first)
    await studio.clean(first)
    assert await studio.stored(second) == {"original", "thumb", "feed"}
    ready = await studio.process(second)
    assert ready is not None
    assert ready.state is PhotoState.READY
    await studio.delete(second)
    await studio.clean(second)
    assert await studio.stored(second) == set()


async def test_topics(studio: Studio) -> None:
    """The handlers are those of the queue's topics."""
    assert set(studio.media.handlers()) == {"photo.uploaded", "photo.deleted"}
