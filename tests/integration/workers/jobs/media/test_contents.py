"""A crash between any two steps of an upload, of its processing and of a removal, on real stores.

Each test ends a process at one step, lets the janitor run at once and after the grace period, and checks that
everything is whole or nothing is left.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from server.actions.posting import StoredPicture, finalise, store
from storage.blobs.file import FileBlobs
from storage.blobs.keys import original_key
from storage.blobs.port import BlobInfo
from storage.blobs.variants import Variant
from storage.cache.counters import CounterCache
from storage.errors import InvalidValueError, UnavailableError
from storage.events import PhotoDeleted, PhotoUploaded
from storage.limits.revocations import Revocations
from storage.models import Photo, PhotoState, User
from storage.postgres.database import Database
from storage.redis.client import open_redis
from storage.stores.media import contents
from storage.stores.photos import photo_deletion, photos
from tests.support.community import new_user
from tests.support.eventually import DEADLINE
from tests.support.originals import (
    DETAILS,
    LEASES_AGE,
    NOTHING,
    REMOVALS_AGE,
    CrashError,
    CrashingBlobs,
    PoolWatchingBlobs,
    Remains,
    post,
    remains,
    staged,
)
from workers.broker.routing import queues_of
from workers.images.decode import Decoded
from workers.images.pool import Decoder
from workers.jobs.media.contents import REMOVAL_TIMEOUT, ContentRemover
from workers.jobs.media.media import MediaHandlers
from workers.jobs.upkeep.counter_repair import CounterRepair
from workers.jobs.upkeep.janitor import Janitor

pytestmark = pytest.mark.engines

DATA = b"\xff\xd8\xff original"
GRACE = contents.LEASE_TTL + contents.REMOVAL_STALE
WHOLE = Remains(files=1, contents=("stored",), leases=0, photos=1)
READY = Remains(files=3, contents=("stored",), leases=0, photos=1)


class InstantDecoder(Decoder):
    """A decoder that returns made-up variants at once."""

    def __init__(self, exif: dict[str, Any] | None = None) -> None:
        super().__init__(processes=1)
        self._exif = exif or {}

    async def variants(self, original: Path, variants: Sequence[Variant] = (), *, rights: bool = False) -> Decoded:
        """Return two small variants."""
        files = {"1080.jpg": b"feed", "320.jpg": b"thumb"}
        return Decoded(
            variants=files, width=4, height=3, placeholder="p", exif=self._exif, texts={}, hdr=False, motion=False
        )


class Scene:
    """One author, a whole file store, and the processes that come after a crash."""

    def __init__(self, database: Database, root: Path, author: User) -> None:
        self.database = database
        self.root = root
        self.blobs = FileBlobs(root)
        self.author = author

    async def post(self) -> Photo:
        """Post the photo."""
        return await post(self.database, self.blobs, self.author, DATA)

    async def process(self, photo: Photo, blobs: FileBlobs | None = None, **decoder: Any) -> None:
        """Handle the photo's upload, on a store that may crash."""
        handlers = MediaHandlers(self.database, blobs or self.blobs, InstantDecoder(**decoder))
        await handlers.uploaded(PhotoUploaded(photo_id=photo.id, author_id=self.author.id))

    async def delete(self, photo: Photo, blobs: FileBlobs | None = None) -> None:
        """Delete the photo and handle the deletion, on a store that may crash."""
        async with self.database.transaction() as tx:
            await photo_deletion.delete(tx, photo.id, author_id=self.author.id)
        handlers = MediaHandlers(self.database, blobs or self.blobs, InstantDecoder())
        await handlers.deleted(PhotoDeleted(photo_id=photo.id, author_id=self.author.id, sha256=photo.sha256))

    async def tidy(self, after: timedelta = timedelta()) -> Remains:
        """Let the janitor sweep contents and temporary files some time later, and return what is left."""
        await self.database.fetch(LEASES_AGE, after)
        await self.database.fetch(REMOVALS_AGE, after)
        redis = open_redis("redis://unused")
        counters = CounterRepair(self.database, CounterCache(self.database, redis))
        janitor = Janitor(self.database, self.blobs, Revocations(self.database, redis, ttl=900), counters)
        await janitor.remove_contents()
        for path in self.blobs.temporary.glob("*"):
            os.utime(path, (path.stat().st_mtime - after.total_seconds(),) * 2)
        await janitor.sweep_blobs()
        return await self.remains()

    async def remains(self) -> Remains:
        """Return what is there."""
        return await remains(self.database, self.blobs)


@pytest.fixture
async def scene(database: Database, tmp_path: Path) -> Scene:
    """A scene with empty stores."""
    return Scene(database, tmp_path / "blobs", await new_user(database, "ann"))


@pytest.fixture
async def narrow(database_dsn: str) -> AsyncIterator[Database]:
    """A database whose pool has one connection."""
    database = await Database.connect(database_dsn, routes=queues_of, min_size=1, max_size=1)
    yield database
    await database.close()


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("moment", ["before", "during", "after", "finalising"])
async def test_crash_during_an_upload(scene: Scene, tmp_path: Path, moment: str, shared: bool) -> None:
    """An upload that ends before its commit leaves nothing after the grace period, and harms no photo of the bytes."""
    others = WHOLE if shared else NOTHING
    if shared:
        await scene.post()
    source = tmp_path / "upload"
    source.write_bytes(DATA)
    original = staged(DATA, source)

    async def upload() -> None:
        lease = await store(scene.database, CrashingBlobs(scene.root, moment), original)
        async with scene.database.transaction() as tx:
            await finalise(
                tx, [StoredPicture(staged=original, lease=lease)], author_id=scene.author.id, details=DETAILS
            )
            raise CrashError

    with pytest.raises(CrashError):
        await upload()
    # The janitor must not touch it before the grace period: this is how an upload in progress looks.
    before = await scene.remains()
    assert (before.leases, before.photos) == (1, others.photos)
    assert await scene.tidy() == before
    assert await scene.tidy(GRACE) == others
    await scene.post()
    assert (await scene.remains()).photos == others.photos + 1


async def test_crash_after_an_upload(scene: Scene) -> None:
    """An upload that is committed is whole, and stays so whatever the janitor does."""
    await scene.post()
    assert await scene.tidy() == WHOLE
    assert await scene.tidy(GRACE) == WHOLE


MEDIA_STEPS = [("before", 0), ("during", 0), ("before", 1), ("after", 1), ("finalising", 9)]


@pytest.mark.parametrize(("moment", "at"), MEDIA_STEPS)
async def test_crash_while_variants_are_written(scene: Scene, moment: str, at: int) -> None:
    """Processing that ends at any step is completed by the next delivery."""
    photo = await scene.post()
    await _crash_while_processing(scene, photo, moment, at)
    assert (await scene.tidy()).photos == 1
    await scene.process(photo)
    assert await scene.tidy(GRACE) == READY
    assert (await photos.load(scene.database, [photo.id]))[photo.id].state is PhotoState.READY


@pytest.mark.parametrize(("moment", "at"), MEDIA_STEPS)
async def test_deletion_after_a_crash_while_variants_are_written(scene: Scene, moment: str, at: int) -> None:
    """A photo that is deleted after its processing ended at any step leaves nothing after the grace period."""
    photo = await scene.post()
    await _crash_while_processing(scene, photo, moment, at)
    await scene.delete(photo)
    await scene.process(photo)
    assert await scene.tidy(GRACE) == NOTHING


async def _crash_while_processing(scene: Scene, photo: Photo, moment: str, at: int) -> None:
    blobs = CrashingBlobs(scene.root, moment, at)
    if moment == "finalising":
        # The transaction fails at the EXIF, which comes after the photo's own row.
        with pytest.raises(InvalidValueError):
            await scene.process(photo, blobs, exif={"not": object()})
    else:
        with pytest.raises(CrashError):
            await scene.process(photo, blobs)


class AbsentBlobs(FileBlobs):
    """A store that is away."""

    async def list(self, prefix: str) -> AsyncIterator[BlobInfo]:
        """Fail at the end."""
        async for info in super().list(prefix):
            yield info
        raise UnavailableError("blobs", "away")


async def test_a_removal_that_found_no_store_is_repeated(scene: Scene) -> None:
    """The repeated job completes it without the janitor, and the bytes can be uploaded again."""
    photo = await scene.post()
    with pytest.raises(UnavailableError, match="away"):
        await scene.delete(photo, AbsentBlobs(scene.root))
    assert (await scene.remains()).contents == ("deleting",)
    assert await ContentRemover(scene.database, scene.blobs).remove(photo.sha256)
    assert await scene.remains() == NOTHING
    await scene.process(await scene.post())
    assert await scene.remains() == READY


@pytest.mark.parametrize(("moment", "at"), [("before", 0), ("after", 0), ("after", 1), ("before", 2), ("after", 2)])
async def test_crash_during_a_removal(scene: Scene, moment: str, at: int) -> None:
    """A removal that ends at any step is completed by the janitor, and until then the bytes cannot be uploaded."""
    photo = await scene.post()
    await scene.process(photo)
    with pytest.raises(CrashError):
        await scene.delete(photo, CrashingBlobs(scene.root, moment, at))
    assert (await scene.tidy()).contents == ("deleting",)
    with pytest.raises(UnavailableError, match="being removed"):
        await store(scene.database, scene.blobs, staged(DATA), removal_deadline=0.05)
    assert await scene.tidy(GRACE) == NOTHING
    await scene.process(await scene.post())
    assert await scene.remains() == READY


async def test_a_sweep_counts_what_it_removes(scene: Scene) -> None:
    """Contents of expired leases and removals that were not finished count; those that are in use do not."""
    remover = ContentRemover(scene.database, scene.blobs)
    assert await remover.sweep() == 0
    await store(scene.database, scene.blobs, staged(b"\xff\xd8\xff unfinished upload"))
    deleted = await scene.post()
    with pytest.raises(CrashError):
        await scene.delete(deleted, CrashingBlobs(scene.root, "before"))
    used = b"\xff\xd8\xff another photo"
    photo = await post(scene.database, scene.blobs, scene.author, used)
    assert not await remover.remove(photo.sha256)
    await store(scene.database, scene.blobs, staged(used))
    await scene.database.fetch(LEASES_AGE, GRACE)
    await scene.database.fetch(REMOVALS_AGE, GRACE)
    assert await remover.sweep() == 2
    assert (await scene.remains()).contents == ("stored",)


def test_a_removal_ends_before_another_process_takes_it_over() -> None:
    """Otherwise two processes would delete, and the second one what was stored after the end of the first."""
    assert contents.REMOVAL_STALE.total_seconds() >= 2 * REMOVAL_TIMEOUT


async def test_upload_during_a_removal(scene: Scene) -> None:
    """An upload that meets a removal of the same bytes waits for its end, and then stores them again."""
    photo = await scene.post()
    async with scene.database.transaction() as tx:
        await photo_deletion.delete(tx, photo.id, author_id=scene.author.id)
        removal = await contents.begin_removal(tx, photo.sha256)
    assert removal is not None
    posting = asyncio.create_task(scene.post())
    await scene.blobs.delete([original_key(photo.sha256)])
    assert not posting.done()
    async with scene.database.transaction() as tx:
        await contents.end_removal(tx, removal)
    await posting
    assert await scene.remains() == WHOLE


async def test_removal_during_an_upload(scene: Scene) -> None:
    """A deletion of the last photo does not remove the bytes that another upload has just stored."""
    photo = await scene.post()
    lease = await store(scene.database, scene.blobs, staged(DATA))
    await scene.delete(photo)
    async with scene.database.transaction() as tx:
        await finalise(
            tx, [StoredPicture(staged=staged(DATA), lease=lease)], author_id=scene.author.id, details=DETAILS
        )
    assert await scene.remains() == WHOLE


async def test_deletion_while_variants_are_written(scene: Scene) -> None:
    """A photo that is deleted while its variants are written leaves nothing, without the janitor."""
    photo = await scene.post()

    class Deleting(FileBlobs):
        async def put(self, key: str, data: bytes | AsyncIterator[bytes], *, content_type: str) -> None:
            await super().put(key, data, content_type=content_type)
            if "320" in key:
                await scene.delete(photo)
                assert (await scene.remains()).contents == ("stored",)

    await scene.process(photo, Deleting(scene.root))
    assert await scene.remains() == NOTHING


async def test_uploads_and_deletions_at_once(scene: Scene) -> None:
    """Many uploads and deletions of the same bytes at once leave every remaining photo with its original."""

    async def come_and_go(stays: bool) -> None:
        photo = await scene.post()
        if not stays:
            await scene.delete(photo)

    for stays in (0, 3):
        await asyncio.gather(*(come_and_go(number < stays) for number in range(24)))
        expected = Remains(files=1, contents=("stored",), leases=0, photos=stays) if stays else NOTHING
        assert await scene.tidy(GRACE) == expected


async def test_an_overtaken_upload_is_refused(scene: Scene) -> None:
    """An upload whose lease has expired, and whose original was removed, creates no photo."""
    lease = await store(scene.database, scene.blobs, staged(DATA))
    assert await scene.tidy(GRACE) == NOTHING
    with pytest.raises(UnavailableError, match="took too long"):
        async with scene.database.transaction() as tx:
            await finalise(
                tx, [StoredPicture(staged=staged(DATA), lease=lease)], author_id=scene.author.id, details=DETAILS
            )
    assert await scene.remains() == NOTHING


class HangingBlobs(FileBlobs):
    """A store that does not answer."""

    async def put(self, key: str, data: bytes | AsyncIterator[bytes], *, content_type: str) -> None:
        """Wait for ever."""
        await asyncio.Event().wait()

    async def delete(self, keys: Iterable[str]) -> None:
        """Wait for ever."""
        await asyncio.Event().wait()


async def test_a_store_that_does_not_answer(scene: Scene) -> None:
    """Uploads and removals give up long before another process may take their content over."""
    hanging = HangingBlobs(scene.root)
    with pytest.raises(UnavailableError, match="not stored within"):
        await store(scene.database, hanging, staged(DATA), timeout=0.01)
    assert await scene.tidy(GRACE) == NOTHING
    photo = await scene.post()
    async with scene.database.transaction() as tx:
        await photo_deletion.delete(tx, photo.id, author_id=scene.author.id)
    with pytest.raises(UnavailableError, match="not deleted within"):
        await ContentRemover(scene.database, hanging, timeout=0.01).remove(photo.sha256)
    assert await scene.tidy(GRACE) == NOTHING


async def test_blobs_are_never_touched_while_a_connection_is_held(
    scene: Scene, narrow: Database, tmp_path: Path
) -> None:
    """An upload, its processing and its removal do all blob operations while the pool has all its connections."""
    blobs = PoolWatchingBlobs(tmp_path / "blobs", narrow)
    watched = Scene(narrow, tmp_path / "blobs", scene.author)
    source = tmp_path / "upload"
    source.write_bytes(DATA)
    async with asyncio.timeout(DEADLINE):
        lease = await store(narrow, blobs, staged(DATA, source))
        async with narrow.transaction() as tx:
            photo = await finalise(
                tx, [StoredPicture(staged=staged(DATA), lease=lease)], author_id=scene.author.id, details=DETAILS
            )
        await watched.process(photo, blobs)
        await watched.delete(photo, blobs)
    assert blobs.operations == ["put_file", "put", "put", "list", "delete", "delete"]
    assert await watched.remains() == NOTHING
