"""Originals are scanned before anything is made of them: what matches is kept and never shown, and nothing is lost."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from storage import events
from storage.blobs.keys import original_key
from storage.events import PhotoUploaded
from storage.models import PhotoState
from storage.reports import FIRST, Category, SubjectKind
from storage.stores.media import contents, quarantine
from storage.stores.moderation import cases, findings
from storage.stores.photos import photo_contents
from tests.integration.workers.jobs.media.test_media import Scene, decoder, scene
from tests.support.community import new_user, topics
from tests.support.objects import has
from tests.support.originals import post, post_several
from tests.support.pictures import photograph
from workers.errors import Retry
from workers.images.pool import Decoder
from workers.jobs.media.contents import ContentRemover
from workers.jobs.media.media import MediaHandlers
from workers.jobs.media.scans import REASON, ScanGate
from workers.scanning.port import ScanUnavailableError

__all__ = ["decoder", "scene"]

pytestmark = pytest.mark.engines

ROCKET, CAT = photograph("rocket").read_bytes(), photograph("cat").read_bytes()


class Service:
    """A scanner that names certain files, or is down; it counts scans and results."""

    def __init__(self, *named: bytes, down: bool = False) -> None:
        self.named = named
        self.down = down
        self.asked: list[str] = []
        self.results: list[str] = []

    async def matches(self, path: Path, *, sha256: str, content_type: str) -> bool:
        """Return whether a file is named."""
        assert content_type == "image/jpeg"
        self.asked.append(sha256)
        if self.down:
            raise ScanUnavailableError("it hangs", retry_after=1000.0)
        return path.read_bytes() in self.named

    def file_scanned(self, *, result: str) -> None:
        """Count a result."""
        self.results.append(result)


def scanned_by(scene: Scene, decoder: Decoder, service: Service) -> Service:
    """Let a service scan what the scene uploads from now on."""
    gate = ScanGate(scene.database, scene.blobs, service, service)
    scene.media = MediaHandlers(scene.database, scene.blobs, decoder, gate=gate)
    return service


async def work_off(scene: Scene, topic: str) -> int:
    """Handle the events of a topic that are in the outbox, as if they were due; return their number."""
    handlers = scene.media.handlers()
    rows = await scene.database.fetch(
        "DELETE FROM outbox WHERE topic = $1 AND queue = 'media' RETURNING topic, body", topic
    )
    for row in rows:
        await handlers[row["topic"]](events.decode(row["topic"], row["body"]))
    return len(rows)


async def opened(scene: Scene) -> Sequence[tuple[SubjectKind, int, Category, float]]:
    """Return the open cases: subject, category, priority."""
    found = await cases.queue(scene.database, limit=9)
    return [(one.subject_kind, one.subject_id, one.category, one.priority) for one in found]


async def test_a_pass(scene: Scene, decoder: Decoder) -> None:
    """What the service lets pass is published, and scanned once; its content has no lease afterwards."""
    service = scanned_by(scene, decoder, Service())
    photo = await scene.upload(ROCKET)
    ready = await scene.process(photo)
    assert ready is not None
    assert ready.state is PhotoState.READY
    assert (service.asked, service.results) == ([photo.sha256], ["pass"])
    assert await opened(scene) == []
    assert await scene.database.fetchval("SELECT count(*) FROM content_leases") == 0


async def test_a_match(scene: Scene, decoder: Decoder) -> None:
    """A match is rejected with a neutral reason; nothing is made of it, and its case comes before all others."""
    service = scanned_by(scene, decoder, Service(ROCKET))
    photo = await scene.upload(ROCKET)
    rejected = await scene.process(photo)
    assert rejected is not None
    assert (rejected.state, rejected.reason) == (PhotoState.REJECTED, REASON)
    assert await scene.stored(photo) == {"original"}
    assert await opened(scene) == [(SubjectKind.PHOTO, photo.id, Category.CHILD_SAFETY, FIRST)]
    assert service.results == ["match"]
    (found,) = await findings.of_account(scene.database, scene.author.id, limit=9)
    assert found.finding.facts == {"picture": photo.sha256, "pictures": 1}
    assert "photo.ready" not in await topics(scene.database)
    assert not await contents.is_shown(scene.database, photo.sha256)
    # No image is made of it on request either.
    assert await contents.lease_stored(scene.database, photo.sha256) is None


async def test_a_match_is_kept_until_it_is_released(scene: Scene, decoder: Decoder) -> None:
    """Neither the deletion of the photo nor the janitor removes the original, until an operator releases it."""
    scanned_by(scene, decoder, Service(ROCKET))
    photo = await scene.upload(ROCKET)
    await scene.process(photo)
    await scene.delete(photo)
    await scene.clean(photo)
    remover = ContentRemover(scene.database, scene.blobs)
    await remover.sweep()
    assert await scene.stored(photo) == {"original"}
    (kept,) = await quarantine.page(scene.database, after="", limit=9)
    assert (kept.sha256, kept.size, kept.content_type) == (photo.sha256, len(ROCKET), "image/jpeg")
    async with scene.database.transaction() as tx:
        assert await quarantine.release(tx, photo.sha256)
        assert not await quarantine.release(tx, photo.sha256)
    assert await remover.sweep() == 1
    assert await scene.stored(photo) == set()
    assert await quarantine.page(scene.database, after="", limit=9) == []


async def test_another_upload_of_a_match(scene: Scene, decoder: Decoder) -> None:
    """A file in quarantine is not accepted again, although the service does not answer."""
    service = scanned_by(scene, decoder, Service(ROCKET))
    await scene.process(await scene.upload(ROCKET))
    service.down = True
    again = await scene.upload(ROCKET)
    rejected = await scene.process(again)
    assert rejected is not None
    assert rejected.state is PhotoState.REJECTED
    assert len(service.asked) == 1
    assert len(await opened(scene)) == 2


async def test_earlier_copies_are_hidden(scene: Scene, decoder: Decoder) -> None:
    """Photos with the same file that were published before the service was asked are hidden, each with a case."""
    other = await new_user(scene.database, "bob")
    copy = await post(scene.database, scene.blobs, other, ROCKET)
    await scene.media.uploaded(PhotoUploaded(photo_id=copy.id, author_id=other.id))
    assert await contents.is_public(scene.database, copy.sha256)
    scanned_by(scene, decoder, Service(ROCKET))
    photo = await scene.upload(ROCKET)
    await scene.process(photo)
    assert await photo_contents.shown_with(scene.database, photo.sha256) == []
    assert not await contents.is_public(scene.database, copy.sha256)
    assert not await contents.is_shown(scene.database, copy.sha256)
    assert {subject_id for _, subject_id, _, _ in await opened(scene)} == {copy.id, photo.id}
    assert "media.purge" in await topics(scene.database)


async def test_one_of_several_pictures(scene: Scene, decoder: Decoder) -> None:
    """One picture of several is enough to reject the photo, and only that picture is in quarantine."""
    scanned_by(scene, decoder, Service(CAT))
    photo = await post_several(scene.database, scene.blobs, scene.author, ROCKET, CAT)
    rejected = await scene.process(photo)
    assert rejected is not None
    assert rejected.state is PhotoState.REJECTED
    (kept,) = await quarantine.page(scene.database, after="", limit=9)
    assert kept.sha256 == photo.items[1].sha256


async def test_a_service_that_is_down(scene: Scene, decoder: Decoder) -> None:
    """While the service gives no answer a photo waits, however often it is asked for; then it is published."""
    service = scanned_by(scene, decoder, Service(down=True))
    photo = await scene.upload(ROCKET)
    waiting = await scene.process(photo)
    for _ in range(20):
        assert waiting is not None
        assert waiting.state is PhotoState.PROCESSING
        assert await scene.stored(photo) == {"original"}
        assert await work_off(scene, "photo.unscanned") == 1
    assert set(service.results) == {"unavailable"}
    seconds = await scene.database.fetchval(
        "SELECT extract(epoch FROM available_at - now())::float8 FROM outbox WHERE topic = 'photo.unscanned'"
    )
    assert 0 < seconds <= 60
    service.down = False
    assert await work_off(scene, "photo.unscanned") == 1
    assert await contents.is_public(scene.database, photo.sha256)
    assert await work_off(scene, "photo.unscanned") == 0


@pytest.mark.parametrize(
    "inner", [Service(), Service(ROCKET), Service(down=True)], ids=["pass", "match", "unavailable"]
)
async def test_a_photo_deleted_while_it_is_scanned(scene: Scene, decoder: Decoder, inner: Service) -> None:
    """Its file is kept if it matches, and removed otherwise."""
    photo = await scene.upload(ROCKET)

    class Slow(Service):
        async def matches(self, path: Path, *, sha256: str, content_type: str) -> bool:
            await scene.delete(photo)
            await scene.clean(photo)
            return await super().matches(path, sha256=sha256, content_type=content_type)

    service = scanned_by(scene, decoder, Slow(*inner.named, down=inner.down))
    with suppress(Retry):  # of the decoder: the original is gone; the next delivery finds no photo
        await scene.process(photo)
    assert service.asked == [photo.sha256]
    assert await scene.process(photo) is None
    assert await has(scene.blobs, original_key(photo.sha256)) is bool(inner.named)


async def test_an_original_that_is_missing(scene: Scene, decoder: Decoder) -> None:
    """It may come back, so its event is retried."""
    scanned_by(scene, decoder, Service())
    photo = await scene.upload(ROCKET)
    await scene.blobs.delete([original_key(photo.sha256)])
    with pytest.raises(Retry):
        await scene.process(photo)
