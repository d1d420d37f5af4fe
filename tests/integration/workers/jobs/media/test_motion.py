"""Animations in the workers: the photo is ready at once, and the image with all frames is made behind it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from storage.blobs.file import FileBlobs
from storage.blobs.keys import variant_key
from storage.blobs.variants import VariantRegistry
from storage.cache.variant_states import VariantStates
from storage.events import PhotoDeleted, PhotoUploaded, VariantWanted
from storage.models import Photo, PhotoState, User
from storage.postgres.database import Database
from storage.render.photo import photo_json
from storage.stores.photos import photo_contents, photo_deletion, photos
from tests.support.animations import animated, frames_of
from tests.support.community import new_user
from tests.support.objects import has
from tests.support.originals import NOTHING, post, post_several, remains
from tests.support.pictures import photograph
from workers.images.pool import Decoder
from workers.jobs.media.media import MediaHandlers
from workers.jobs.media.variants import VariantHandlers

pytestmark = pytest.mark.engines

EMITTED = "SELECT count(*) FROM outbox WHERE topic = 'variant.wanted'"


@dataclass
class Scene:
    """An author, and the handlers of both queues with one decoder."""

    database: Database
    blobs: FileBlobs
    author: User
    media: MediaHandlers
    variants: VariantHandlers

    async def upload(self, data: bytes) -> Photo:
        """Upload a photo and process it."""
        photo = await post(self.database, self.blobs, self.author, data)
        await self.media.uploaded(PhotoUploaded(photo_id=photo.id, author_id=self.author.id))
        return (await photos.load(self.database, [photo.id]))[photo.id]

    async def motion(self, photo: Photo) -> bytes | None:
        """Return the image with all frames, if there is one."""
        key = variant_key(photo.sha256, 1, "motion.webp")
        if not await has(self.blobs, key):
            return None
        return b"".join([chunk async for chunk in (await self.blobs.open(key)).chunks()])


@pytest.fixture
async def scene(database: Database, redis: Any, tmp_path: Path) -> AsyncIterator[Scene]:
    """A scene without photos."""
    decoder, blobs, registry = Decoder(processes=1), FileBlobs(tmp_path), VariantRegistry()
    variants = VariantHandlers(database, blobs, decoder, registry, VariantStates(redis))
    yield Scene(database, blobs, await new_user(database, "ann"), MediaHandlers(database, blobs, decoder), variants)
    await decoder.close()


async def test_an_animation_is_ready_before_its_motion(scene: Scene) -> None:
    """The photo does not wait for its frames, which another worker makes without a request; they go with the photo."""
    photo = await scene.upload(animated("GIF"))
    assert (photo.state, photo.motion) == (PhotoState.READY, "webp")
    assert await scene.motion(photo) is None
    assert await scene.database.fetchval(EMITTED) == 1
    await scene.variants.wanted(VariantWanted(sha256=photo.sha256, recipe=1, name="motion.webp"))
    assert len(frames_of(await scene.motion(photo) or b"")) == 3
    async with scene.database.transaction() as tx:
        await photo_deletion.delete(tx, photo.id, author_id=scene.author.id)
    await scene.media.deleted(PhotoDeleted(photo_id=photo.id, author_id=scene.author.id, sha256=photo.sha256))
    assert await remains(scene.database, scene.blobs) == NOTHING


async def test_each_picture_of_a_photo_may_move(scene: Scene) -> None:
    """Of several pictures those that are animations have a motion, whatever their place is."""
    still, moving = photograph().read_bytes(), animated("WEBP")
    photo = await post_several(scene.database, scene.blobs, scene.author, still, moving)
    await scene.media.uploaded(PhotoUploaded(photo_id=photo.id, author_id=scene.author.id))
    photo = (await photos.load(scene.database, [photo.id]))[photo.id]
    assert [photo.motion, *(item.motion for item in photo.items)] == [None, None, "webp"]
    assert await scene.database.fetchval(EMITTED) == 1
    assert await photo_contents.is_animation(scene.database, photo.items[1].sha256)
    assert not await photo_contents.is_animation(scene.database, photo.sha256)
    shown = json.loads(photo_json(photo, VariantRegistry(), liked=False))
    assert ["motion" in each["images"] for each in (shown, *shown["items"])] == [False, False, True]


async def test_a_still_photo_has_no_motion(scene: Scene) -> None:
    """Nothing more happens for a still photo."""
    photo = await scene.upload(photograph().read_bytes())
    assert photo.motion is None
    assert await scene.database.fetchval(EMITTED) == 0
    assert await scene.variants.make_missing(photo.sha256) == "present"


async def test_a_rebuild_makes_the_motion(scene: Scene) -> None:
    """A rebuild makes the image with all frames of an animation, and then has nothing left to do."""
    photo = await scene.upload(animated("PNG"))
    assert await scene.variants.make_missing(photo.sha256) == "made"
    assert await scene.motion(photo) is not None
    assert await scene.variants.make_missing(photo.sha256) == "present"
    await scene.blobs.delete([variant_key(photo.sha256, 1, "320.jpg"), variant_key(photo.sha256, 1, "motion.webp")])
    assert await scene.variants.make_missing(photo.sha256) == "made"
    assert await scene.motion(photo) is not None
