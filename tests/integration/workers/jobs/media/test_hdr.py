"""Photos with gain maps in the workers: recorded for each picture, and stored in its JPEGs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from storage.blobs.file import FileBlobs
from storage.blobs.keys import variant_key
from storage.blobs.variants import VariantRegistry
from storage.events import PhotoUploaded
from storage.postgres.database import Database
from storage.render.photo import photo_json
from storage.stores.photos import photos
from tests.support.community import new_user
from tests.support.originals import post_several
from tests.support.pictures import photograph
from tests.support.ultra_hdr import PIXEL, described, ultra_hdr
from workers.images.pool import Decoder
from workers.jobs.media.media import MediaHandlers

pytestmark = pytest.mark.engines


async def test_each_picture_says_whether_it_has_a_gain_map(database: Database, tmp_path: Path) -> None:
    """The photo's own picture and the others are recorded, and the stored JPEG has the gain map."""
    author, blobs, decoder = await new_user(database, "ann"), FileBlobs(tmp_path), Decoder(processes=1)
    photo = await post_several(
        database, blobs, author, ultra_hdr(described(**PIXEL)), photograph("temple").read_bytes()
    )
    try:
        await MediaHandlers(database, blobs, decoder).uploaded(PhotoUploaded(photo_id=photo.id, author_id=author.id))
    finally:
        await decoder.close()
    photo = (await photos.load(database, [photo.id]))[photo.id]
    assert [photo.hdr, *(item.hdr for item in photo.items)] == [True, True, False]
    shown = json.loads(photo_json(photo, VariantRegistry(), liked=False))
    assert [each["images"]["hdr"] for each in (shown, *shown["items"])] == [True, True, False]
    blob = await blobs.open(variant_key(photo.sha256, 1, "320.jpg"))
    assert b"urn:iso:std:iso:ts:21496:-1" in b"".join([chunk async for chunk in blob.chunks()])
