"""Uploads of images that a list has: found before they are shown, once, with the list and the numbers."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence

import pytest
from PIL import Image

from storage.abuse import AbuseAction, FindingKind, HashEntries
from storage.events import PhotoUploaded
from storage.models import PhotoState
from storage.reports import Category, SubjectKind
from storage.stores.moderation import findings, hash_lists
from storage.stores.moderation.findings import RecordedFinding
from tests.integration.workers.jobs.media.test_media import Scene, decoder, scene
from tests.support.originals import post_several
from tests.support.pictures import photograph
from workers.images.decode import decode
from workers.images.pool import Decoder
from workers.jobs.media.media import MediaHandlers

__all__ = ["decoder", "scene"]

pytestmark = pytest.mark.engines

ROCKET, CAT = photograph("rocket").read_bytes(), photograph("cat").read_bytes()


class Counted:
    """Findings that were counted."""

    def __init__(self) -> None:
        self.found: list[tuple[str, str, str]] = []

    def abuse_found(self, *, kind: str, rule: str, action: str) -> None:
        """Count a finding."""
        self.found.append((kind, rule, action))


async def load(
    scene: Scene, name: str, action: AbuseAction, *, images: Sequence[str] = (), originals: Sequence[str] = ()
) -> None:
    """Load a list."""
    async with scene.database.transaction() as tx:
        list_id = await hash_lists.create(tx, name, action, Category.NUDITY)
        await hash_lists.add(tx, list_id, HashEntries(images=images, originals=originals))


async def found(scene: Scene) -> list[RecordedFinding]:
    """Return the findings about the author, the newest first."""
    return await findings.of_account(scene.database, scene.author.id, limit=9)


def mirrored(data: bytes) -> bytes:
    """Return a photograph mirrored, smaller, and with a strong compression."""
    image, buffer = Image.open(io.BytesIO(data)), io.BytesIO()
    image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).resize((400, 267)).save(buffer, "JPEG", quality=50)
    return buffer.getvalue()


async def test_a_copy_is_found(scene: Scene, decoder: Decoder) -> None:
    """A mirrored, smaller and compressed copy of a listed image is a finding with the numbers, and counted once."""
    listed, counted = decode(ROCKET).pdq, Counted()
    await load(scene, "known", AbuseAction.HOLD, images=[listed])
    scene.media = MediaHandlers(scene.database, scene.blobs, decoder, metrics=counted)
    photo = await scene.upload(mirrored(ROCKET))
    await scene.process(photo)
    await scene.process(photo)
    (one,) = await found(scene)
    finding = one.finding
    assert (finding.kind, finding.rule, finding.action) == (FindingKind.LISTED_IMAGE, "known", AbuseAction.HOLD)
    assert (finding.subject, finding.subject_id, finding.account_id) == (
        SubjectKind.PHOTO,
        photo.id,
        scene.author.id,
    )
    assert (finding.facts["matched"], finding.facts["entry"]) == ("pdq", listed)
    assert 0 < finding.facts["distance"] <= 31
    assert counted.found == [("listed_image", "known", "hold")]


async def test_other_photos_are_not_found(scene: Scene) -> None:
    """A photo that no list has becomes ready as ever."""
    await load(scene, "known", AbuseAction.HIDE, images=[decode(ROCKET).pdq])
    ready = await scene.process(await scene.upload(CAT))
    assert ready is not None
    assert ready.state is PhotoState.READY
    assert await found(scene) == []


async def test_a_picture_of_several_is_found_by_its_original(scene: Scene) -> None:
    """Each list has a finding of its own; it names the picture."""
    sha256 = hashlib.sha256(CAT).hexdigest()
    await load(scene, "files", AbuseAction.CASE, originals=[sha256])
    await load(scene, "images", AbuseAction.HIDE, images=[decode(ROCKET).pdq])
    photo = await post_several(scene.database, scene.blobs, scene.author, ROCKET, CAT)
    await scene.media.uploaded(PhotoUploaded(photo_id=photo.id, author_id=scene.author.id))
    facts = {one.finding.rule: one.finding.facts for one in await found(scene)}
    assert facts["files"] == {"picture": sha256, "matched": "sha256", "entry": sha256}
    assert facts["images"]["picture"] == hashlib.sha256(ROCKET).hexdigest()
    assert facts["images"]["distance"] == 0
