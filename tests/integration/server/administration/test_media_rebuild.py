"""Making the variants of a recipe for all contents."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from server.administration.media_rebuild import rebuild
from server.config.settings import Settings
from storage.blobs.file import FileBlobs
from storage.blobs.keys import original_key, poster_key, variant_key
from storage.blobs.variants import VariantRegistry
from storage.postgres.database import Database
from storage.stores.media import contents, quarantine
from tests.support.community import new_user
from tests.support.objects import has
from tests.support.originals import post
from tests.support.pictures import photograph
from tests.support.videos import video

pytestmark = pytest.mark.engines

PHOTO = photograph().read_bytes()
BROKEN = b"\xff\xd8\xff no image"


async def test_a_recipe_is_prepared(database: Database, database_dsn: str, valkey_url: str, tmp_path: Path) -> None:
    """The eager variants of each original are stored under the number of the recipe, and made once.

    An original that cannot be decoded, or is lost, is counted and does not end the work.
    """
    blobs, author = FileBlobs(tmp_path), await new_user(database, "ada")
    for data in (PHOTO, BROKEN):
        await post(database, blobs, author, data)
    settings = Settings().with_values("database", url=database_dsn).with_values("redis", url=valkey_url)
    settings = settings.with_values("blobs", url=f"file:{tmp_path}")
    assert await rebuild(settings, recipe=2, processes=2) == {"made": 1, "refused": 1}
    sha256 = hashlib.sha256(PHOTO).hexdigest()
    for name in VariantRegistry().eager:
        assert await has(blobs, variant_key(sha256, 2, name))
        assert not await has(blobs, variant_key(sha256, 1, name))
    assert (await rebuild(settings, recipe=2, processes=1))["present"] == 1
    await blobs.delete([variant_key(sha256, 2, "320.webp"), original_key(hashlib.sha256(BROKEN).hexdigest())])
    assert await rebuild(settings, recipe=2, processes=1) == {"made": 1, "unavailable": 1}
    assert await has(blobs, variant_key(sha256, 2, "320.webp"))


async def test_only_what_is_stored_and_not_withheld_can_be_missing(
    database: Database, database_dsn: str, valkey_url: str, tmp_path: Path
) -> None:
    """Neither a failed upload nor an original in quarantine is a loss, so the command does not fail because of them."""
    blobs, author = FileBlobs(tmp_path), await new_user(database, "ada")
    await post(database, blobs, author, PHOTO)
    assert await contents.acquire(database, sha256="f" * 64, size=9, content_type="image/jpeg") is not None
    async with database.transaction() as tx:
        await quarantine.add(tx, hashlib.sha256(PHOTO).hexdigest())
    settings = Settings().with_values("database", url=database_dsn).with_values("redis", url=valkey_url)
    settings = settings.with_values("blobs", url=f"file:{tmp_path}")
    assert await rebuild(settings, recipe=2, processes=1) == {"quarantined": 1}


async def test_a_video_is_prepared(database: Database, database_dsn: str, valkey_url: str, tmp_path: Path) -> None:
    """What is played, the poster, and the images that are made of it; once."""
    blobs, data = FileBlobs(tmp_path), video()
    await post(database, blobs, await new_user(database, "ada"), data)
    settings = Settings().with_values("database", url=database_dsn).with_values("redis", url=valkey_url)
    settings = settings.with_values("blobs", url=f"file:{tmp_path}")
    assert await rebuild(settings, recipe=2, processes=1) == {"made": 1}
    sha256 = hashlib.sha256(data).hexdigest()
    for key in (poster_key(sha256), *(variant_key(sha256, 2, name) for name in ("video.mp4", "320.jpg", "1080.webp"))):
        assert await has(blobs, key)
    assert await rebuild(settings, recipe=2, processes=1) == {"present": 1}
    await blobs.delete([variant_key(sha256, 2, "video.mp4")])
    assert await rebuild(settings, recipe=2, processes=1) == {"made": 1}
