"""Photos of several pictures in the queue "media": ready together, rejected for one of them, and removed with all."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pytest

from storage.blobs.file import FileBlobs
from storage.blobs.keys import original_key, variant_key
from storage.blobs.variants import Variant, VariantRegistry
from storage.events import PhotoDeleted, PhotoItemRemoved
from storage.models import Photo, PhotoState
from storage.postgres.database import Database
from storage.stores.photos import photo_item_edits, photos
from storage.stores.photos.photo_item_edits import ItemEdit
from tests.integration.workers.jobs.media.test_media import ALL, Scene, decoder, scene
from tests.support.community import topics
from tests.support.objects import has
from tests.support.originals import NOTHING, post, post_several, remains
from tests.support.pictures import encoded, halves, jpeg_with_metadata, photograph
from workers.images.decode import Decoded
from workers.images.pool import Decoder
from workers.jobs.media.contents import ContentRemover
from workers.jobs.media.media import MediaHandlers

__all__ = ["decoder", "scene"]

pytestmark = pytest.mark.engines

SIDEWAYS = jpeg_with_metadata(6)  # 60 × 40 pixels, upright 40 × 60
ROCKET = photograph("rocket").read_bytes()
SMALL = encoded(halves(30, 20))
CUT_OFF = ROCKET[:30_000]


async def stored(scene: Scene, data: bytes) -> set[str]:
    """Return which blobs of an original exist."""
    sha256 = hashlib.sha256(data).hexdigest()
    keys = {"original": original_key(sha256)}
    keys |= {one.name: variant_key(sha256, 1, one.name) for one in VariantRegistry().eager_variants}
    return {name for name, key in keys.items() if await has(scene.blobs, key)}


async def clean(scene: Scene, photo: Photo) -> None:
    """Delete a photo and handle the deletion."""
    await scene.delete(photo)
    others = [item.sha256 for item in photo.items[1:]]
    await scene.media.deleted(
        PhotoDeleted(photo_id=photo.id, author_id=scene.author.id, sha256=photo.sha256, items=others)
    )


async def test_all_pictures_become_ready_together(scene: Scene) -> None:
    """Each picture has its upright size, placeholder, variants and EXIF, and the photo those of the first."""
    photo = await post_several(scene.database, scene.blobs, scene.author, SIDEWAYS, ROCKET, SMALL)
    ready = await scene.process(photo)
    assert ready is not None
    assert ready.state is PhotoState.READY
    assert [(item.width, item.height) for item in ready.items] == [(40, 60), (640, 427), (30, 20)]
    assert (ready.width, ready.height, ready.placeholder) == (40, 60, ready.items[0].placeholder)
    assert len({item.placeholder for item in ready.items} - {None}) == 3
    assert [await stored(scene, data) for data in (SIDEWAYS, ROCKET, SMALL)] == [ALL, ALL, ALL]
    exif = await scene.database.fetchval("SELECT exif FROM photo_items WHERE photo_id = $1 AND position = 0", photo.id)
    assert exif["Make"] == "PicShare Optics"
    assert "location" not in exif
    assert (await topics(scene.database)).count("photo.ready") == 1
    assert await scene.database.fetchval("SELECT count(*) FROM content_leases") == 0


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_one_bad_picture_rejects_the_photo(scene: Scene, place: int) -> None:
    """The reason names the picture; nothing is public, and the deletion removes everything."""
    pictures = [SIDEWAYS, SMALL]
    pictures.insert(place, CUT_OFF)
    photo = await post_several(scene.database, scene.blobs, scene.author, *pictures)
    rejected = await scene.process(photo)
    assert rejected is not None
    assert (rejected.state, rejected.reason) == (
        PhotoState.REJECTED,
        f"picture {place + 1} of 3: the picture is damaged or cut off",
    )
    assert await scene.process(photo) == rejected
    assert (await topics(scene.database)).count("photo.rejected") == 1
    await clean(scene, photo)
    assert isinstance(scene.blobs, FileBlobs)
    assert await remains(scene.database, scene.blobs) == NOTHING


async def test_a_deletion_removes_what_no_other_photo_needs(scene: Scene) -> None:
    """Of the pictures of a deleted photo those stay that another photo has."""
    photo = await post_several(scene.database, scene.blobs, scene.author, SIDEWAYS, ROCKET, SMALL)
    await scene.process(photo)
    other = await post(scene.database, scene.blobs, scene.author, ROCKET)
    await clean(scene, photo)
    assert [await stored(scene, data) for data in (SIDEWAYS, ROCKET, SMALL)] == [set(), ALL, set()]
    await clean(scene, other)
    assert await stored(scene, ROCKET) == set()


async def test_deleted_while_decoding(scene: Scene, decoder: Decoder) -> None:
    """A photo whose deletion is handled while its last picture is decoded leaves nothing."""
    photo = await post_several(scene.database, scene.blobs, scene.author, SIDEWAYS, ROCKET)

    class Slow(Decoder):
        async def variants(self, original: Path, variants: Sequence[Variant] = (), *, rights: bool = False) -> Decoded:
            decoded = await decoder.variants(original, variants)
            if original.name == photo.items[1].sha256:
                await clean(scene, photo)
            return decoded

    scene.media = MediaHandlers(scene.database, scene.blobs, Slow())
    assert await scene.process(photo) is None
    assert isinstance(scene.blobs, FileBlobs)
    assert await remains(scene.database, scene.blobs) == NOTHING


async def test_the_sweep_keeps_the_contents_of_all_pictures(scene: Scene) -> None:
    """A lease that a crash has left is swept, and the content of a picture stays until its photo is deleted."""
    photo = await post_several(scene.database, scene.blobs, scene.author, SIDEWAYS, ROCKET)
    await _leave_lease(scene.database, photo)
    assert await ContentRemover(scene.database, scene.blobs).sweep() == 0
    assert await stored(scene, ROCKET) == {"original"}
    assert (await photos.load(scene.database, [photo.id]))[photo.id].items == photo.items


async def _leave_lease(database: Database, photo: Photo) -> None:
    await database.fetchval(
        "INSERT INTO content_leases (id, sha256, expires_at) VALUES (1, $1, now() - interval '1 hour')",
        photo.items[1].sha256,
    )


async def test_a_removed_picture_leaves_nothing(scene: Scene) -> None:
    """The content of a picture that is removed from its photo is removed unless another photo has it."""
    photo = await post_several(scene.database, scene.blobs, scene.author, SIDEWAYS, ROCKET, SMALL)
    await scene.process(photo)
    other = await post(scene.database, scene.blobs, scene.author, SMALL)
    author_id = scene.author.id
    async with scene.database.transaction() as tx:
        await photo_item_edits.edit(tx, photo.id, author_id=author_id, items=[ItemEdit(sha256=photo.items[1].sha256)])
    for item in photo.items:
        await scene.media.item_removed(PhotoItemRemoved(photo_id=photo.id, author_id=author_id, sha256=item.sha256))
    assert [await stored(scene, data) for data in (SIDEWAYS, ROCKET, SMALL)] == [set(), ALL, ALL]
    assert (await photos.load(scene.database, [other.id]))[other.id].state is PhotoState.PROCESSING
