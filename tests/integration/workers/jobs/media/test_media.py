"""The media worker makes variants or rejects a photo, and removes contents that no photo uses."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from storage.blobs.file import FileBlobs
from storage.blobs.keys import original_key, variant_key
from storage.blobs.port import Blob, Blobs
from storage.blobs.variants import Variant, VariantRegistry
from storage.events import PhotoDeleted, PhotoUploaded
from storage.models import LocationMetadata, Photo, PhotoState, User
from storage.postgres.database import Database
from storage.stores.accounts import account_fields
from storage.stores.photos import photo_deletion, photos
from tests.support.community import exif_of, new_user, topics
from tests.support.eventually import eventually
from tests.support.objects import has
from tests.support.originals import post
from tests.support.pictures import jpeg_with_metadata, photograph
from tests.support.texts_in_files import file_with_xmp, xmp_packet
from workers.errors import Retry
from workers.images.decode import Decoded, ImageRejectedError
from workers.images.pool import Decoder
from workers.jobs.media.media import MediaHandlers

pytestmark = pytest.mark.engines

ALL = {"original", *VariantRegistry().eager}
ROCKET = photograph("rocket").read_bytes()


class Scene:
    """One author, a blob store and the handlers."""

    def __init__(self, database: Database, blobs: Blobs, decoder: Decoder, author: User) -> None:
        self.database = database
        self.blobs = blobs
        self.author = author
        self.media = MediaHandlers(database, blobs, decoder)

    async def upload(self, data: bytes) -> Photo:
        """Post a photo, as the API does."""
        return await post(self.database, self.blobs, self.author, data)

    async def process(self, photo: Photo) -> Photo | None:
        """Handle the upload and return the photo as it is then."""
        await self.media.uploaded(PhotoUploaded(photo_id=photo.id, author_id=self.author.id))
        return (await photos.load(self.database, [photo.id])).get(photo.id)

    async def delete(self, photo: Photo) -> None:
        """Delete the photo's row."""
        async with self.database.transaction() as tx:
            await photo_deletion.delete(tx, photo.id, author_id=self.author.id)

    async def clean(self, photo: Photo) -> None:
        """Handle the deletion."""
        await self.media.deleted(PhotoDeleted(photo_id=photo.id, author_id=self.author.id, sha256=photo.sha256))

    async def stored(self, photo: Photo) -> set[str]:
        """Return which of a photo's blobs exist."""
        keys = {"original": original_key(photo.sha256)}
        keys |= {one.name: variant_key(photo.sha256, 1, one.name) for one in VariantRegistry().eager_variants}
        return {name for name, key in keys.items() if await has(self.blobs, key)}


class RemoteBlobs(FileBlobs):
    """A store without local files, like one behind a network."""

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
async def scene(database: Database, tmp_path: Path, decoder: Decoder) -> Scene:
    """A scene with an empty file store."""
    return Scene(database, FileBlobs(tmp_path), decoder, await new_user(database, "ann"))


async def test_becomes_ready(scene: Scene) -> None:
    """An upload becomes a ready photo with its upright size, a placeholder, eager variants, and EXIF for its owner."""
    photo = await scene.upload(jpeg_with_metadata(6))
    ready = await scene.process(photo)
    assert ready is not None
    assert (ready.state, ready.width, ready.height) == (PhotoState.READY, 40, 60)
    assert ready.placeholder
    assert await scene.stored(photo) == ALL
    exif = await exif_of(scene.database, photo)
    assert exif is not None
    assert exif["Make"] == "PicShare Optics"
    assert "location" not in exif
    variant = await scene.blobs.open(variant_key(photo.sha256, 1, "320.jpg"))
    assert variant.content_type == "image/jpeg"
    assert b"Optics" not in b"".join([chunk async for chunk in variant.chunks()])


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        (LocationMetadata.COARSE, {"latitude": 52.51, "longitude": 13.37}),
        (LocationMetadata.EXACT, {"latitude": 52.508472, "longitude": 13.37}),
    ],
)
async def test_a_position_is_stored_if_the_author_asks_for_it(
    scene: Scene, setting: LocationMetadata, expected: object
) -> None:
    """The setting at the time of processing counts."""
    photo = await scene.upload(jpeg_with_metadata(6))
    async with scene.database.transaction() as tx:
        await account_fields.update(tx, scene.author.id, location_metadata=setting)
    await scene.process(photo)
    assert (await exif_of(scene.database, photo) or {})["location"] == expected


async def test_store_without_files(database: Database, tmp_path: Path, decoder: Decoder) -> None:
    """An original without a local file is copied for the decoder."""
    scene = Scene(database, RemoteBlobs(tmp_path), decoder, await new_user(database, "ann"))
    ready = await scene.process(await scene.upload(ROCKET))
    assert ready is not None
    assert (ready.state, ready.width) == (PhotoState.READY, 640)


async def test_refused(scene: Scene) -> None:
    """A truncated image is rejected with the reason and an event."""
    photo = await scene.upload(ROCKET[:30_000])
    rejected = await scene.process(photo)
    assert rejected is not None
    assert (rejected.state, rejected.reason) == (PhotoState.REJECTED, "the picture is damaged or cut off")
    assert await scene.stored(photo) == {"original"}
    assert (await topics(scene.database))[-1] == "photo.rejected"


async def test_repeated(scene: Scene) -> None:
    """Repeated deliveries of one upload, concurrent or later, mark the photo as ready once."""
    photo = await scene.upload(ROCKET)
    await asyncio.gather(*(scene.process(photo) for _ in range(3)))
    await scene.process(photo)
    assert (await topics(scene.database)).count("photo.ready") == 1
    assert await scene.stored(photo) == ALL


async def test_missing_original(scene: Scene) -> None:
    """A missing original is a `Retry`; once it is there, the photo becomes ready."""
    photo = await scene.upload(ROCKET)
    await scene.blobs.delete([original_key(photo.sha256)])
    with pytest.raises(Retry, match="original is missing"):
        await scene.process(photo)
    await scene.blobs.put(original_key(photo.sha256), ROCKET, content_type="image/jpeg")
    ready = await scene.process(photo)
    assert ready is not None
    assert ready.state is PhotoState.READY


async def test_deleted_before(scene: Scene) -> None:
    """A photo that is deleted before it is processed leaves nothing."""
    photo = await scene.upload(ROCKET)
    await scene.delete(photo)
    assert await scene.process(photo) is None
    await scene.clean(photo)
    assert await scene.stored(photo) == set()


async def test_deleted_while_decoding(scene: Scene, decoder: Decoder) -> None:
    """A photo whose deletion is handled while it is decoded leaves nothing."""
    photo = await scene.upload(ROCKET)

    class Slow(Decoder):
        async def variants(self, original: Path, variants: Sequence[Variant] = (), *, rights: bool = False) -> Decoded:
            decoded = await decoder.variants(original, variants)
            await scene.delete(photo)
            await scene.clean(photo)
            return decoded

    scene.media = MediaHandlers(scene.database, scene.blobs, Slow())
    assert await scene.process(photo) is None
    assert await scene.stored(photo) == set()


@pytest.mark.parametrize("decodes", [True, False])
async def test_the_content_is_leased_while_it_is_decoded(scene: Scene, decoder: Decoder, *, decodes: bool) -> None:
    """A removal in between is kept off, and made up for when the photo turns out to be deleted; no lease is left."""
    photo = await scene.upload(ROCKET)
    leases = "SELECT count(*) FROM content_leases"

    class Slow(Decoder):
        async def variants(self, original: Path, variants: Sequence[Variant] = (), *, rights: bool = False) -> Decoded:
            await eventually(lambda: scene.database.fetchval(leases))
            await scene.delete(photo)
            await scene.clean(photo)
            if decodes:
                return await decoder.variants(original, variants)
            raise ImageRejectedError("the picture is damaged")

    scene.media = MediaHandlers(scene.database, scene.blobs, Slow())
    assert await scene.process(photo) is None
    assert await scene.stored(photo) == set()
    assert await scene.database.fetchval(leases) == 0


async def test_a_rejected_photo_keeps_its_original(scene: Scene, decoder: Decoder) -> None:
    """No lease is left, so that its deletion removes the original."""
    photo = await scene.upload(ROCKET[:30_000])
    await scene.process(photo)
    assert await scene.stored(photo) == {"original"}
    assert await scene.database.fetchval("SELECT count(*) FROM content_leases") == 0
    await scene.delete(photo)
    await scene.clean(photo)
    assert await scene.stored(photo) == set()


async def test_delete(scene: Scene) -> None:
    """A deletion removes the original and the variants, and can be repeated."""
    photo = await scene.upload(ROCKET)
    await scene.process(photo)
    await scene.delete(photo)
    await scene.clean(photo)
    assert await scene.stored(photo) == set()
    await scene.clean(photo)


async def test_shared_content(scene: Scene) -> None:
    """Blobs that another photo uses as well stay until that is deleted."""
    first, second = await scene.upload(ROCKET), await scene.upload(ROCKET)
    await scene.process(first)
    await scene.delete(first)
    await scene.clean(first)
    assert await scene.stored(second) == ALL
    ready = await scene.process(second)
    assert ready is not None
    assert ready.state is PhotoState.READY
    await scene.delete(second)
    await scene.clean(second)
    assert await scene.stored(second) == set()


async def test_topics(scene: Scene) -> None:
    """The handlers are those of the queue's topics."""
    assert set(scene.media.handlers()) == {
        "photo.uploaded",
        "photo.unscanned",
        "photo.deleted",
        "photo.item_removed",
        "profile_image.uploaded",
        "profile_image.removed",
    }


async def test_texts_of_the_file_are_suggested(scene: Scene) -> None:
    """The decoder reads them in its sandbox; what a camera writes into each file, and what is not readable, is none."""
    written = file_with_xmp("JPEG", xmp_packet(alt_text="A dog on a beach", description="OLYMPUS DIGITAL CAMERA"))
    bomb = file_with_xmp("WEBP", xmp_packet(head='<!DOCTYPE x [<!ENTITY a "b">]>', description="&a;"))
    for data, expected in ((written, {"alt_text": "A dog on a beach"}), (bomb, {})):
        photo = await scene.upload(data)
        ready = await scene.process(photo)
        assert ready is not None
        assert ready.state is PhotoState.READY
        own = await photos.get(scene.database, photo.id, viewer_id=scene.author.id)
        assert own.suggestions == expected
