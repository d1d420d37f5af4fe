"""The worker "video": a video becomes a photo that plays, apart from all other photos, and goes with it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from server.administration.media_check import MediaCheck
from storage.blobs.file import FileBlobs
from storage.blobs.keys import original_key, poster_key, variant_key
from storage.blobs.variants import VariantRegistry
from storage.cache.variant_states import VariantState, VariantStates
from storage.events import PhotoDeleted, PhotoUploaded, VariantWanted, VideoUnscanned, VideoUploaded, VideoWanted
from storage.models import Photo, PhotoState, User
from storage.postgres.database import Database
from storage.render.photo import photo_json
from storage.stores.media import variants
from storage.stores.media.variants import StoredVariant
from storage.stores.photos import media_hashes, photo_contents, photo_deletion, photo_processing, photos
from tests.support.community import new_user
from tests.support.objects import has
from tests.support.originals import NOTHING, post, remains
from tests.support.pictures import photograph
from tests.support.videos import video
from workers.errors import Retry
from workers.images.decode import ImageRejectedError
from workers.images.pool import Decoder
from workers.jobs.media.media import MediaHandlers
from workers.jobs.media.scans import ScanGate
from workers.jobs.media.variants import VariantHandlers
from workers.jobs.media.video import VideoHandlers
from workers.registry import WORKERS
from workers.scanning.port import ScanUnavailableError
from workers.videos.pool import MadeVideo, VideoDecoder

pytestmark = pytest.mark.engines

TOPICS = """
SELECT topic FROM outbox WHERE (topic LIKE 'video%' OR topic LIKE 'photo.%ed') AND queue <> 'webhooks' ORDER BY id"""


@dataclass
class Counted(VideoDecoder):
    """Decoder processes, and how many videos they were given."""

    made: int = 0
    results: dict[Path, MadeVideo] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__()

    async def make(self, original: Path) -> MadeVideo:
        """Make a video."""
        self.made += 1
        return await super().make(original)


class Remembered(VariantStates):
    """The states, without Redis."""

    def __init__(self) -> None:
        self.known: dict[str, VariantState] = {}

    async def begin(self, key: str) -> None:
        """Remember that a variant is being made."""
        self.known[key] = VariantState.WANTED

    async def finish(self, keys: Iterable[str], state: VariantState) -> None:
        """Remember what became of variants."""
        self.known.update(dict.fromkeys(keys, state))


@dataclass
class Scene:
    """An author, the handlers of the queue "video", and those of photos."""

    database: Database
    blobs: FileBlobs
    states: Remembered
    author: User
    decoder: Counted
    images: Decoder

    @property
    def videos(self) -> VideoHandlers:
        """The handlers of videos."""
        return VideoHandlers(self.database, self.blobs, self.decoder, VariantRegistry(), self.states)

    @property
    def variants(self) -> VariantHandlers:
        """The handlers of variants."""
        return VariantHandlers(self.database, self.blobs, self.images, VariantRegistry(), self.states)

    async def upload(self, data: bytes | None = None) -> Photo:
        """Upload a video and process it."""
        photo = await post(self.database, self.blobs, self.author, data or video(turns=1))
        await self.process(photo)
        return await self.reload(photo)

    async def process(self, photo: Photo) -> None:
        """Handle the event of an uploaded video."""
        await self.videos.uploaded(VideoUploaded(photo_id=photo.id, author_id=self.author.id))

    async def reload(self, photo: Photo) -> Photo:
        """Return the photo as it is now."""
        return (await photos.load(self.database, [photo.id]))[photo.id]

    async def has(self, photo: Photo, *names: str) -> bool:
        """Return whether these variants are stored."""
        return all([await has(self.blobs, variant_key(photo.sha256, 1, name)) for name in names])


@pytest.fixture
async def scene(database: Database, tmp_path: Path) -> AsyncIterator[Scene]:
    """A scene without photos."""
    decoder, images = Counted(), Decoder(processes=1)
    author = await new_user(database, "ann")
    yield Scene(database, FileBlobs(tmp_path), Remembered(), author, decoder, images)
    await decoder.close()
    await images.close()


async def test_a_video_becomes_a_photo_that_plays(scene: Scene) -> None:
    """It has the size of its poster, the images of every photo, and `video` in its JSON."""
    photo = await scene.upload()
    assert (photo.state, photo.width, photo.height, photo.motion) == (PhotoState.READY, 48, 64, None)
    assert photo.placeholder
    assert await scene.has(photo, "320.jpg", "320.webp", "1080.jpg", "1080.webp", "video.mp4")
    shown = json.loads(photo_json(photo, VariantRegistry(), liked=False))
    stored = await scene.blobs.head(variant_key(photo.sha256, 1, "video.mp4"))
    assert shown["video"] == {
        "url": f"/media/r1/{photo.sha256}/video.mp4",
        "width": 48,
        "height": 64,
        "duration": pytest.approx(1, abs=0.05),
        "bytes": stored.size,
    }
    assert stored.content_type == "video/mp4"
    assert [one.sha256 for one in await media_hashes.of_photo(scene.database, photo.id)] == [photo.sha256]
    assert "video" not in shown["images"]
    assert [size["width"] for size in shown["images"]["sizes"]] == [48, 48]
    assert await photo_contents.is_video(scene.database, photo.sha256)


async def test_a_picture_has_no_video(scene: Scene) -> None:
    """Its field is null."""
    photo = await post(scene.database, scene.blobs, scene.author, photograph().read_bytes())
    assert json.loads(photo_json(photo, VariantRegistry(), liked=False))["video"] is None
    await MediaHandlers(scene.database, scene.blobs, scene.images).uploaded(
        PhotoUploaded(photo_id=photo.id, author_id=scene.author.id)
    )
    assert json.loads(photo_json(await scene.reload(photo), VariantRegistry(), liked=False))["video"] is None
    assert not await photo_contents.is_video(scene.database, photo.sha256)


async def test_videos_have_a_queue_of_their_own(scene: Scene) -> None:
    """A video goes to the queue "video", whose process runs nothing else, and no photo waits behind it."""
    first = await post(scene.database, scene.blobs, scene.author, video())
    await post(scene.database, scene.blobs, scene.author, photograph().read_bytes())
    assert [row["topic"] for row in await scene.database.fetch(TOPICS)] == ["video.uploaded", "photo.uploaded"]
    (spec,) = (spec for spec in WORKERS if "video.uploaded" in spec.topics and spec.name != "webhooks")
    assert (spec.role, [other.name for other in WORKERS if other.role == spec.role]) == ("video", ["video"])
    assert (await scene.reload(first)).state is PhotoState.PROCESSING


async def test_a_photo_is_ready_while_a_video_of_the_same_author_is_decoded(scene: Scene) -> None:
    """The decoders of videos are others than those of photos."""
    started, go_on = asyncio.Event(), asyncio.Event()

    class Slow(VideoDecoder):
        async def make(self, original: Path) -> MadeVideo:
            started.set()
            await go_on.wait()
            raise ImageRejectedError("late")

    film = await post(scene.database, scene.blobs, scene.author, video())
    still = await post(scene.database, scene.blobs, scene.author, photograph().read_bytes())
    slow = VideoHandlers(scene.database, scene.blobs, Slow(), VariantRegistry(), scene.states)
    task = asyncio.create_task(slow.uploaded(VideoUploaded(photo_id=film.id, author_id=scene.author.id)))
    await started.wait()
    media = MediaHandlers(scene.database, scene.blobs, scene.images)
    await media.uploaded(PhotoUploaded(photo_id=still.id, author_id=scene.author.id))
    assert (await scene.reload(still)).state is PhotoState.READY
    assert (await scene.reload(film)).state is PhotoState.PROCESSING
    go_on.set()
    await task
    assert (await scene.reload(film)).reason == "late"


async def test_a_video_that_cannot_be_decoded_is_rejected(scene: Scene) -> None:
    """With the reason, and nothing is left of it once it is deleted."""
    photo = await scene.upload(b"\0\0\0\x18ftypisom\0\0\2\0isommp41")
    assert (photo.state, photo.reason) == (PhotoState.REJECTED, "the video is damaged or cut off")
    await _delete(scene, photo)


async def test_a_deleted_video_leaves_nothing(scene: Scene) -> None:
    """Neither the original, nor the one that is played, nor poster and images."""
    photo = await scene.upload()
    await scene.variants.wanted(VariantWanted(sha256=photo.sha256, recipe=1, name="640.jpg"))
    assert await scene.has(photo, "640.jpg")
    await _delete(scene, photo)


async def test_a_video_that_is_deleted_while_it_is_made_leaves_nothing(scene: Scene) -> None:
    """The lease kept its removal off, and the worker removes it."""
    photo = await post(scene.database, scene.blobs, scene.author, video())

    class Deleting(Counted):
        async def make(self, original: Path) -> MadeVideo:
            made = await super().make(original)
            async with scene.database.transaction() as tx:
                await photo_deletion.delete(tx, photo.id, author_id=scene.author.id)
            return made

    deleting = Deleting()
    handlers = VideoHandlers(scene.database, scene.blobs, deleting, VariantRegistry(), scene.states)
    await handlers.uploaded(VideoUploaded(photo_id=photo.id, author_id=scene.author.id))
    await deleting.close()
    assert await remains(scene.database, scene.blobs) == NOTHING


async def test_an_event_can_be_repeated(scene: Scene) -> None:
    """A second delivery decodes nothing."""
    photo = await scene.upload()
    await scene.process(photo)
    assert scene.decoder.made == 1


async def test_a_missing_original_is_tried_again(scene: Scene) -> None:
    """It may come back; otherwise an operator finds the event among the dead letters."""
    photo = await post(scene.database, scene.blobs, scene.author, video())
    await scene.blobs.delete([original_key(photo.sha256)])
    with pytest.raises(Retry):
        await scene.process(photo)


async def test_a_lost_video_is_made_again(scene: Scene) -> None:
    """On request, once for several events, with the same bytes; and the state is published."""
    photo = await scene.upload()
    key = variant_key(photo.sha256, 1, "video.mp4")
    before = (await scene.blobs.head(key)).size
    await scene.blobs.delete([key])
    event, handlers = VideoWanted(sha256=photo.sha256, recipe=1), scene.videos
    await handlers.wanted(VideoWanted(sha256=photo.sha256, recipe=2))
    assert scene.decoder.made == 1
    await asyncio.gather(handlers.wanted(event), handlers.wanted(event))
    assert scene.decoder.made == 2
    assert (await scene.blobs.head(key)).size == before
    assert scene.states.known[f"{photo.sha256}/video.mp4"] is VariantState.MADE


async def test_images_are_made_of_the_poster(scene: Scene) -> None:
    """A requested image needs no FFmpeg; a poster that was lost is asked for, and then the image is made."""
    photo = await scene.upload()
    await scene.variants.wanted(VariantWanted(sha256=photo.sha256, recipe=1, name="640.avif"))
    assert await scene.has(photo, "640.avif")
    await scene.blobs.delete([poster_key(photo.sha256)])
    await scene.database.fetch("DELETE FROM outbox")
    await scene.variants.wanted(VariantWanted(sha256=photo.sha256, recipe=1, name="640.webp"))
    assert [row["topic"] for row in await scene.database.fetch("SELECT topic FROM outbox")] == ["video.wanted"]
    assert not await scene.has(photo, "640.webp")
    await scene.videos.wanted(VideoWanted(sha256=photo.sha256, recipe=1))
    await scene.variants.wanted(VariantWanted(sha256=photo.sha256, recipe=1, name="640.webp"))
    assert await scene.has(photo, "640.webp")


async def test_a_rebuild_makes_everything_again(scene: Scene) -> None:
    """First what is played and the poster, then the images; and `media verify` finds nothing wrong."""
    photo = await scene.upload()
    assert await scene.videos.make_missing(photo.sha256) == "present"
    prefix = f"variant/{photo.sha256[:2]}/{photo.sha256}/"
    await scene.blobs.delete([info.key async for info in scene.blobs.list(prefix)])
    assert await scene.videos.make_missing(photo.sha256) == "made"
    assert await scene.variants.make_missing(photo.sha256) == "made"
    assert await scene.has(photo, "video.mp4", "320.jpg", "1080.webp")
    report = await MediaCheck(scene.database, scene.blobs, mend=True).run()
    assert not report.differences


async def test_a_video_that_is_refused_later_is_not_tried_for_a_day(scene: Scene) -> None:
    """Its original was damaged in the store."""
    data = video()
    photo = await scene.upload(data)
    await scene.blobs.delete([variant_key(photo.sha256, 1, "video.mp4"), original_key(photo.sha256)])
    await scene.blobs.put(original_key(photo.sha256), b"damaged", content_type="video/mp4")
    await scene.videos.wanted(VideoWanted(sha256=photo.sha256, recipe=1))
    assert scene.states.known[f"{photo.sha256}/video.mp4"] is VariantState.REFUSED
    refused = StoredVariant(sha256=photo.sha256, recipe=1, name="video.mp4")
    assert await variants.is_refused(scene.database, refused)
    # Once it can be made, nothing is left of that which would have it deleted as unused.
    await scene.blobs.put(original_key(photo.sha256), data, content_type="video/mp4")
    await scene.videos.wanted(VideoWanted(sha256=photo.sha256, recipe=1))
    assert not await scene.database.fetch("SELECT 1 FROM variants")


async def test_a_stuck_video_is_queued_again_as_a_video(scene: Scene) -> None:
    """By the janitor."""
    photo = await post(scene.database, scene.blobs, scene.author, video())
    await scene.database.fetch("DELETE FROM outbox")
    await scene.database.fetch("UPDATE photos SET created_at = now() - interval '2 hours' WHERE id = $1", photo.id)
    async with scene.database.transaction() as tx:
        await photo_processing.requeue_stuck(tx, older_than=timedelta(hours=1), younger_than=timedelta(days=1))
    assert [row["topic"] for row in await scene.database.fetch(TOPICS)] == ["video.uploaded"]


async def _delete(scene: Scene, photo: Photo) -> None:
    async with scene.database.transaction() as tx:
        await photo_deletion.delete(tx, photo.id, author_id=scene.author.id)
    await MediaHandlers(scene.database, scene.blobs, scene.images).deleted(
        PhotoDeleted(photo_id=photo.id, author_id=scene.author.id, sha256=photo.sha256)
    )
    assert await remains(scene.database, scene.blobs) == NOTHING


class Scan:
    """A scanner without an answer, or one that lets every file pass."""

    down = True

    async def matches(self, path: Path, *, sha256: str, content_type: str) -> bool:
        """Let the file pass, or raise."""
        assert path.exists()
        assert (len(sha256), content_type) == (64, "video/mp4")
        if self.down:
            raise ScanUnavailableError("it hangs")
        return False


async def test_a_video_waits_for_its_scan(scene: Scene) -> None:
    """Without an answer nothing is made of a video, and it is scanned again by an event of its own queue."""
    service = Scan()
    handlers = VideoHandlers(
        scene.database,
        scene.blobs,
        scene.decoder,
        VariantRegistry(),
        scene.states,
        gate=ScanGate(scene.database, scene.blobs, service),
    )
    photo = await post(scene.database, scene.blobs, scene.author, video(turns=1))
    await handlers.uploaded(VideoUploaded(photo_id=photo.id, author_id=scene.author.id))
    assert (await scene.reload(photo)).state is PhotoState.PROCESSING
    assert [row["topic"] for row in await scene.database.fetch(TOPICS)][-1] == "video.unscanned"
    service.down = False
    event = VideoUnscanned(photo_id=photo.id, author_id=scene.author.id)
    await handlers.handlers()[event.topic](event)
    assert (await scene.reload(photo)).state is PhotoState.READY
