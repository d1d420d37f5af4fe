"""The comparison of the database with the blob store, and what it mends."""

from __future__ import annotations

import hashlib
import os
from datetime import timedelta
from pathlib import Path

import pytest

from server.administration.media_check import MediaCheck
from server.administration.media_report import Fault, Report
from storage.blobs.file import FileBlobs
from storage.blobs.keys import original_key, variant_key
from storage.models import User
from storage.postgres.database import Database
from storage.stores.media import contents
from storage.stores.media.contents import LEASE_TTL
from tests.support.community import new_user
from tests.support.objects import has
from tests.support.originals import post, post_several

pytestmark = pytest.mark.engines


class Scene:
    """Five photos in a file store, all written long ago."""

    def __init__(self, db: Database, folder: Path, author: User) -> None:
        self.db = db
        self.folder = folder
        self.blobs = FileBlobs(folder)
        self.author = author
        self.shas: list[str] = []

    async def fill(self) -> None:
        """Post the photos, and store a variant of each."""
        for number in range(5):
            await self.post(b"\xff\xd8\xff" + bytes([number]) * 1000)
        self.age()

    async def post(self, data: bytes) -> str:
        """Post a photo with one variant."""
        await post(self.db, self.blobs, self.author, data)
        sha256 = hashlib.sha256(data).hexdigest()
        await self.blobs.put(variant_key(sha256, 1, "320.jpg"), b"\xff\xd8\xffvariant", content_type="image/jpeg")
        self.shas.append(sha256)
        return sha256

    def age(self) -> None:
        """Make all objects older than a lease lasts."""
        for path in self.folder.rglob("*"):
            moment = path.stat().st_mtime - (LEASE_TTL + timedelta(minutes=1)).total_seconds()
            os.utime(path, (moment, moment))

    async def delete_photo(self, sha256: str) -> None:
        """Delete the photo's row alone, as a restored backup may lack it."""
        async with self.db.transaction() as tx:
            await tx.execute("DELETE FROM photos WHERE sha256 = $1", sha256)

    async def delete_row(self, sha256: str) -> None:
        """Delete the row of a content."""
        async with self.db.transaction() as tx:
            await tx.execute("DELETE FROM contents WHERE sha256 = $1", sha256)

    async def check(self, *, mend: bool = False, sample: int | None = None) -> Report:
        """Run a check."""
        return await MediaCheck(self.db, self.blobs, mend=mend, page=2).run(sample=sample)

    async def found(self, *, mend: bool = False) -> dict[str, tuple[Fault, bool]]:
        """Run a check and return the fault of each content, and whether it was mended."""
        report = await self.check(mend=mend)
        assert report.ok == all(item.mended for item in report.differences)
        return {item.sha256: (item.fault, item.mended) for item in report.differences}


@pytest.fixture
async def scene(database: Database, tmp_path: Path) -> Scene:
    """The scene."""
    scene = Scene(database, tmp_path / "blobs", await new_user(database, "ada"))
    await scene.fill()
    return scene


async def test_nothing_is_wrong(scene: Scene) -> None:
    """Everything is compared and read, and no difference is found."""
    report = await scene.check()
    assert (report.rows, report.originals, report.with_variants, report.read) == (5, 5, 5, 5)
    assert report.ok
    assert report.differences == []


async def test_each_fault_is_found_and_changes_nothing(scene: Scene) -> None:
    """Without --mend, faults are reported each time; only mending would change something."""
    lost, unneeded, unknown, orphan, rotten = scene.shas
    await scene.blobs.delete([original_key(lost)])
    await scene.delete_photo(unneeded)
    await scene.delete_row(unneeded)
    await scene.delete_row(unknown)
    await scene.delete_photo(orphan)
    await scene.delete_row(orphan)
    await scene.blobs.delete([original_key(orphan)])
    path = scene.folder / original_key(rotten)
    path.write_bytes(b"\xff\xd8\xff" + bytes(1000))
    scene.age()
    expected = {
        lost: (Fault.NO_OBJECT, False),
        unneeded: (Fault.NO_ROW, False),
        unknown: (Fault.NO_ROW, False),
        orphan: (Fault.NO_ORIGINAL, False),
        rotten: (Fault.WRONG_HASH, False),
    }
    assert await scene.found() == expected
    assert await scene.found() == expected


async def test_an_object_without_a_use_is_deleted(scene: Scene) -> None:
    """An original that no image needs is deleted with its variants; one that an image needs gets its row back."""
    unneeded, needed = scene.shas[:2]
    for sha256 in (unneeded, needed):
        await scene.delete_row(sha256)
    await scene.delete_photo(unneeded)
    assert await scene.found(mend=True) == {unneeded: (Fault.NO_ROW, True), needed: (Fault.NO_ROW, True)}
    assert not await has(scene.blobs, original_key(unneeded))
    assert not await has(scene.blobs, variant_key(unneeded, 1, "320.jpg"))
    row = await contents.find(scene.db, needed)
    assert row is not None
    assert (row.size, row.content_type, row.state) == (1003, "image/jpeg", "stored")
    assert await has(scene.blobs, variant_key(needed, 1, "320.jpg"))
    assert await scene.found() == {}


async def test_every_picture_of_a_photo_needs_its_original(scene: Scene) -> None:
    """An original of a picture that is not the first one gets its row back, too, and is not deleted."""
    pictures = [b"\xff\xd8\xff" + bytes([number]) * 500 for number in (7, 8)]
    photo = await post_several(scene.db, scene.blobs, scene.author, *pictures)
    scene.age()
    second = photo.items[1].sha256
    await scene.delete_row(second)
    assert await scene.found(mend=True) == {second: (Fault.NO_ROW, True)}
    assert await has(scene.blobs, original_key(second))
    assert await scene.found() == {}


async def test_variants_without_an_original_are_deleted(scene: Scene) -> None:
    """They are deleted if no image needs them."""
    orphan, needed = scene.shas[:2]
    for sha256 in (orphan, needed):
        await scene.delete_row(sha256)
        await scene.blobs.delete([original_key(sha256)])
    await scene.delete_photo(orphan)
    assert await scene.found(mend=True) == {orphan: (Fault.NO_ORIGINAL, True), needed: (Fault.NO_ORIGINAL, False)}
    assert not await has(scene.blobs, variant_key(orphan, 1, "320.jpg"))
    assert await has(scene.blobs, variant_key(needed, 1, "320.jpg"))
    assert await contents.find(scene.db, orphan) is None


async def test_a_row_without_a_use_is_deleted(scene: Scene) -> None:
    """A row without its object is deleted if no image needs it; otherwise only a backup helps."""
    unneeded, needed = scene.shas[:2]
    await scene.delete_photo(unneeded)
    await scene.blobs.delete([original_key(unneeded), original_key(needed)])
    assert await scene.found(mend=True) == {unneeded: (Fault.NO_OBJECT, True), needed: (Fault.NO_OBJECT, False)}
    assert await contents.find(scene.db, unneeded) is None
    assert await contents.find(scene.db, needed) is not None


async def test_a_wrong_size_is_found_without_reading(scene: Scene) -> None:
    """A shortened original is found by its size."""
    (scene.folder / original_key(scene.shas[0])).write_bytes(b"\xff\xd8\xff")
    report = await scene.check(sample=0)
    assert [item.fault for item in report.differences] == [Fault.WRONG_SIZE]
    assert report.read == 0


async def test_an_upload_under_way_is_left_alone(scene: Scene) -> None:
    """Neither a young object without a row nor a row whose object is not stored yet is a fault."""
    young = b"\xff\xd8\xff" + b"young"
    sha256 = hashlib.sha256(young).hexdigest()
    await scene.blobs.put(original_key(sha256), young, content_type="image/jpeg")
    await contents.acquire(scene.db, sha256="ab" * 32, size=1, content_type="image/jpeg")
    assert await scene.found() == {}
    assert await scene.found(mend=True) == {}
    assert await has(scene.blobs, original_key(sha256))


@pytest.mark.parametrize("sample", [1, 3, 5, 100])
async def test_a_sample(scene: Scene, sample: int) -> None:
    """Only so many originals are read, each once, wherever the sample begins."""
    assert (await scene.check(sample=sample)).read == min(sample, 5)
