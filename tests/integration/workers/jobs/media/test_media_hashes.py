"""The hashes of pictures: stored when a photo becomes ready, removed with it, and computed for earlier photos."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from server.administration.media_hashes import compute
from server.config.settings import Settings
from storage.blobs.file import FileBlobs
from storage.blobs.keys import original_key
from storage.postgres.database import Database
from storage.stores.photos import media_hashes, photo_item_edits
from storage.stores.photos.photo_item_edits import ItemEdit
from tests.integration.workers.jobs.media.test_media import Scene, decoder, scene
from tests.support.originals import post, post_several
from tests.support.pictures import photograph
from workers.images.decode import decode

__all__ = ["decoder", "scene"]

pytestmark = pytest.mark.engines

ROCKET, CAT = photograph("rocket").read_bytes(), photograph("cat").read_bytes()


def sha256_of(data: bytes) -> str:
    """Return the SHA-256 of an original."""
    return hashlib.sha256(data).hexdigest()


async def test_a_ready_photo_has_the_hashes_of_its_pictures(scene: Scene) -> None:
    """Each picture has the PDQ that the decoder returned; a photo in processing has none, and a deleted one neither."""
    photo = await post_several(scene.database, scene.blobs, scene.author, ROCKET, CAT)
    assert await media_hashes.of_photo(scene.database, photo.id) == []
    await scene.process(photo)
    found = {one.sha256: one for one in await media_hashes.of_photo(scene.database, photo.id)}
    assert {sha256: (one.pdq, one.quality) for sha256, one in found.items()} == {
        sha256_of(data): (decoded.pdq, decoded.pdq_quality)
        for data, decoded in ((ROCKET, decode(ROCKET)), (CAT, decode(CAT)))
    }
    assert all(one.comparable for one in found.values())
    await scene.delete(photo)
    assert await media_hashes.of_photo(scene.database, photo.id) == []


async def test_the_hash_of_a_removed_picture_is_removed(scene: Scene) -> None:
    """A picture that is removed from its photo leaves no hash."""
    photo = await post_several(scene.database, scene.blobs, scene.author, ROCKET, CAT)
    await scene.process(photo)
    async with scene.database.transaction() as tx:
        await photo_item_edits.edit(
            tx, photo.id, author_id=scene.author.id, items=[ItemEdit(sha256=sha256_of(CAT), alt_text=None)]
        )
    assert [one.sha256 for one in await media_hashes.of_photo(scene.database, photo.id)] == [sha256_of(CAT)]


async def test_a_rejected_photo_has_no_hashes(scene: Scene) -> None:
    """What cannot be shown is not compared."""
    photo = await post_several(scene.database, scene.blobs, scene.author, ROCKET, ROCKET[:30_000])
    await scene.process(photo)
    assert await media_hashes.of_photo(scene.database, photo.id) == []


async def test_earlier_photos_get_hashes(
    scene: Scene, database: Database, database_dsn: str, valkey_url: str, tmp_path: Path
) -> None:
    """The command computes what is missing, once; a lost original is counted, and the others are computed."""
    assert isinstance(scene.blobs, FileBlobs)
    made = [
        await post_several(database, scene.blobs, scene.author, ROCKET, CAT),
        await post(database, scene.blobs, scene.author, photograph("temple").read_bytes()),
    ]
    for photo in made:
        await scene.process(photo)
    before = [await media_hashes.of_photo(database, photo.id) for photo in made]
    await database.fetch("DELETE FROM media_hashes")
    await post(database, scene.blobs, scene.author, ROCKET)  # in processing
    settings = Settings().with_values("database", url=database_dsn).with_values("redis", url=valkey_url)
    settings = settings.with_values("blobs", url=f"file:{tmp_path}")
    temple = original_key(made[1].sha256)
    data = (tmp_path / temple).read_bytes()
    await scene.blobs.delete([temple])
    assert await compute(settings, processes=2) == {"computed": 1, "unavailable": 1}
    await scene.blobs.put(temple, data, content_type="image/jpeg")
    assert await compute(settings, processes=1) == {"computed": 1}
    after = [await media_hashes.of_photo(database, photo.id) for photo in made]
    assert [sorted(one, key=lambda each: each.sha256) for one in after] == [
        sorted(one, key=lambda each: each.sha256) for one in before
    ]
    assert await compute(settings, processes=1) == {}
