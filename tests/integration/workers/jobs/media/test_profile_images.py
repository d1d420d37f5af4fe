"""Avatars and banners: they appear once processed, replace each other, and are removed with all that they stored."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from server.actions.posting import StagedPhoto
from server.actions.profile_images import ProfileImageActions
from storage import events
from storage.abuse import AbuseAction, HashEntries
from storage.blobs.file import FileBlobs
from storage.blobs.keys import original_key, variant_key
from storage.errors import NotFoundError
from storage.models import ProfileImageKind, ProfileImageState, User
from storage.postgres.database import Database
from storage.reports import FIRST, Category, SubjectKind
from storage.stores.accounts import users
from storage.stores.media import contents, profile_images, quarantine
from storage.stores.moderation import cases, hash_lists
from tests.support.community import new_user, topics
from tests.support.objects import has
from tests.support.originals import post
from tests.support.pictures import photograph
from workers.images.pool import Decoder
from workers.jobs.media.media import MediaHandlers
from workers.jobs.media.scans import REASON, ScanGate
from workers.scanning.port import ScanUnavailableError

pytestmark = pytest.mark.engines

AVATAR, BANNER = ProfileImageKind.AVATAR, ProfileImageKind.BANNER
ROCKET, TEMPLE = photograph("rocket").read_bytes(), photograph("temple").read_bytes()
BROKEN = ROCKET[: len(ROCKET) // 2]


def hash_of(data: bytes) -> str:
    """Return the SHA-256 in hex."""
    return hashlib.sha256(data).hexdigest()


class Scene:
    """One user, a blob store, and the worker "media"."""

    def __init__(self, database: Database, root: Path, decoder: Decoder, user: User) -> None:
        self.database = database
        self.blobs = FileBlobs(root)
        self.user = user
        self.actions = ProfileImageActions(database, self.blobs)
        self.media = MediaHandlers(database, self.blobs, decoder)

    async def replace(self, data: bytes, kind: ProfileImageKind = AVATAR) -> ProfileImageState | None:
        """Upload an image and return its state."""
        staged = StagedPhoto(
            source=data, sha256=hash_of(data), size=len(data), content_type="image/jpeg", width=640, height=427
        )
        return (await self.actions.replace(self.user.id, kind, staged)).state

    async def work(self) -> None:
        """Handle the worker's events that are in the outbox."""
        handlers = self.media.handlers()
        for row in await self.database.fetch("SELECT id, topic, body FROM outbox WHERE queue = 'media' ORDER BY id"):
            await handlers[row["topic"]](events.decode(row["topic"], row["body"]))
            await self.database.fetch("DELETE FROM outbox WHERE id = $1", row["id"])

    async def shown(self) -> tuple[str | None, str | None]:
        """Return the hashes of the avatar and the banner that are shown."""
        user = await users.get(self.database, self.user.id)
        return user.avatar_sha256, user.banner_sha256

    async def stored(self, data: bytes) -> bool:
        """Return whether the original and its variants are stored, or false if none of them is."""
        sha256 = hash_of(data)
        keys = [original_key(sha256), variant_key(sha256, 1, "320.jpg"), variant_key(sha256, 1, "1080.webp")]
        found = {await has(self.blobs, key) for key in keys}
        assert len(found) == 1
        return found.pop()


@pytest.fixture
async def scene(database: Database, tmp_path: Path) -> AsyncIterator[Scene]:
    """A scene with a decoder of one process."""
    decoder = Decoder(processes=1)
    yield Scene(database, tmp_path, decoder, await new_user(database, "ann"))
    await decoder.close()


async def test_an_image_is_shown_once_its_variants_are_stored(scene: Scene) -> None:
    """An upload shows nothing before the worker is done, and the account's change is announced then."""
    assert await scene.replace(ROCKET) is ProfileImageState.PROCESSING
    assert await scene.shown() == (None, None)
    assert not await contents.is_public(scene.database, hash_of(ROCKET))
    await scene.work()
    assert await scene.shown() == (hash_of(ROCKET), None)
    assert await scene.stored(ROCKET)
    assert await contents.is_public(scene.database, hash_of(ROCKET))
    assert "user.changed" in await topics(scene.database)


async def test_avatar_and_banner_are_independent(scene: Scene) -> None:
    """Each kind has an image of its own; the same bytes can be both, and stay while one of them does."""
    await scene.replace(ROCKET)
    await scene.replace(ROCKET, BANNER)
    await scene.work()
    assert await scene.shown() == (hash_of(ROCKET), hash_of(ROCKET))
    await scene.actions.remove(scene.user.id, AVATAR)
    await scene.work()
    assert await scene.shown() == (None, hash_of(ROCKET))
    assert await scene.stored(ROCKET)


async def test_an_image_is_replaced(scene: Scene) -> None:
    """The image before stays until the next one is ready, and then its blobs are removed."""
    await scene.replace(ROCKET)
    await scene.work()
    await scene.replace(TEMPLE)
    assert await scene.shown() == (hash_of(ROCKET), None)
    await scene.work()
    assert await scene.shown() == (hash_of(TEMPLE), None)
    await scene.work()
    assert await scene.stored(TEMPLE)
    assert not await scene.stored(ROCKET)


async def test_only_the_newest_upload_counts(scene: Scene) -> None:
    """An upload that was replaced before it was processed is never shown, and its original is removed."""
    await scene.replace(ROCKET)
    await scene.replace(TEMPLE)
    await scene.work()
    assert await scene.shown() == (hash_of(TEMPLE), None)
    assert not await scene.stored(ROCKET)


async def test_a_broken_image_is_rejected(scene: Scene) -> None:
    """A rejection has a reason, and the image before stays."""
    await scene.replace(TEMPLE)
    await scene.work()
    await scene.replace(BROKEN)
    await scene.work()
    status = await scene.actions.status(scene.user.id, AVATAR)
    assert status.state is ProfileImageState.REJECTED
    assert status.reason
    assert await scene.shown() == (hash_of(TEMPLE), None)


async def test_the_image_that_is_shown_can_be_uploaded_again(scene: Scene) -> None:
    """The same bytes are ready at once, and an upload that was not shown yet is given up."""
    await scene.replace(ROCKET)
    await scene.work()
    await scene.replace(TEMPLE)
    assert await scene.replace(ROCKET) is ProfileImageState.READY
    await scene.work()
    assert await scene.shown() == (hash_of(ROCKET), None)
    assert await scene.stored(ROCKET)
    assert not await scene.stored(TEMPLE)


async def test_a_rejected_image_can_be_tried_again(scene: Scene) -> None:
    """The same bytes are processed again after a rejection, which may have had another cause."""
    await scene.replace(BROKEN)
    await scene.work()
    assert await scene.replace(BROKEN) is ProfileImageState.PROCESSING


async def test_removal(scene: Scene) -> None:
    """A removed image is not shown or served any more, nor is an upload that was under way."""
    await scene.replace(ROCKET)
    await scene.work()
    await scene.replace(TEMPLE)
    await scene.actions.remove(scene.user.id, AVATAR)
    await scene.work()
    assert await scene.shown() == (None, None)
    assert not await contents.is_public(scene.database, hash_of(ROCKET))
    assert not await scene.stored(ROCKET)
    assert not await scene.stored(TEMPLE)
    status = await scene.actions.status(scene.user.id, AVATAR)
    assert (status.state, status.reason) == (None, None)


async def test_a_photo_keeps_the_content_of_a_removed_avatar(scene: Scene) -> None:
    """The blobs stay while a photo has the same content."""
    photo = await post(scene.database, scene.blobs, scene.user, ROCKET)
    await scene.replace(ROCKET)
    await scene.work()
    await scene.actions.remove(scene.user.id, AVATAR)
    await scene.work()
    assert photo.sha256 == hash_of(ROCKET)
    assert await scene.stored(ROCKET)


async def test_a_deleted_account_leaves_no_images(scene: Scene) -> None:
    """The images of a deleted account are removed, also one that was in processing, and none can be added."""
    await scene.replace(ROCKET)
    await scene.work()
    await scene.replace(TEMPLE, BANNER)
    async with scene.database.transaction() as tx:
        await users.remove(tx, scene.user.id)
    await scene.work()
    assert not await scene.stored(ROCKET)
    assert not await scene.stored(TEMPLE)
    with pytest.raises(NotFoundError):
        await scene.replace(ROCKET)
    assert await scene.database.fetch("SELECT 1 FROM profile_images") == []


async def test_a_stuck_upload_is_queued_again(scene: Scene) -> None:
    """The event of an upload that was not processed is emitted again."""
    await scene.replace(ROCKET)
    await scene.database.fetch("DELETE FROM outbox")
    async with scene.database.transaction() as tx:
        none = await profile_images.requeue_stuck(tx, older_than=timedelta(hours=1), younger_than=timedelta(hours=2))
        one = await profile_images.requeue_stuck(tx, older_than=timedelta(0), younger_than=timedelta(hours=2))
    assert (none, one) == (0, 1)
    await scene.work()
    assert await scene.shown() == (hash_of(ROCKET), None)


class Scan:
    """A scanner without an answer, or one that names every file."""

    def __init__(self, *, down: bool) -> None:
        self.down = down

    async def matches(self, path: Path, *, sha256: str, content_type: str) -> bool:
        """Name the file, or raise."""
        assert hash_of(path.read_bytes()) == sha256
        assert content_type == "image/jpeg"
        if self.down:
            raise ScanUnavailableError("it hangs")
        return True


async def test_an_image_waits_for_its_scan(scene: Scene) -> None:
    """Without an answer an image is not shown, and scanned again; a match is kept, and a case about the account."""
    service = Scan(down=True)
    decoder = Decoder(processes=1)
    gate = ScanGate(scene.database, scene.blobs, service)
    scene.media = MediaHandlers(scene.database, scene.blobs, decoder, gate=gate)
    await scene.replace(ROCKET)
    for _ in range(3):
        await scene.work()
        assert await scene.shown() == (None, None)
        assert await profile_images.in_processing(scene.database, scene.user.id, AVATAR, hash_of(ROCKET))
    service.down = False
    await scene.work()
    image = await profile_images.newest(scene.database, scene.user.id, AVATAR)
    assert image is not None
    assert (image.state, image.reason) == (ProfileImageState.REJECTED, REASON)
    assert await quarantine.has(scene.database, hash_of(ROCKET))
    (case,) = await cases.queue(scene.database, limit=9)
    assert (case.subject_kind, case.subject_id, case.priority) == (SubjectKind.USER, scene.user.id, FIRST)
    await decoder.close()


@pytest.mark.parametrize("action", AbuseAction)
async def test_a_listed_image_opens_a_case(scene: Scene, action: AbuseAction) -> None:
    """By its original, about the account; unless the list only asks for a case, the image is rejected."""
    async with scene.database.transaction() as tx:
        list_id = await hash_lists.create(tx, "known", action, Category.SPAM)
        await hash_lists.add(tx, list_id, HashEntries(originals=[hash_of(ROCKET)]))
    await scene.replace(TEMPLE)
    await scene.replace(ROCKET, BANNER)
    await scene.work()
    image = await profile_images.newest(scene.database, scene.user.id, BANNER)
    assert image is not None
    shown = action is AbuseAction.CASE
    assert image.state is (ProfileImageState.READY if shown else ProfileImageState.REJECTED)
    assert (image.reason is None) is shown
    assert await scene.shown() == (hash_of(TEMPLE), hash_of(ROCKET) if shown else None)
    (case,) = await cases.queue(scene.database, limit=9)
    assert (case.subject_kind, case.subject_id) == (SubjectKind.USER, scene.user.id)
