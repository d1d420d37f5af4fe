"""Let a service scan originals before anything is made of them; nothing is published that it has not let through.

An original that it names is put into quarantine before anything else, so that it is kept although its photo is
rejected. While the service gives no answer, the image waits: its event is emitted again, however often.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import structlog

from storage.abuse import AbuseAction, Finding, FindingKind
from storage.blobs.keys import original_key
from storage.blobs.port import Blobs
from storage.errors import NotFoundError
from storage.event import Event
from storage.events import PhotoUnscanned, ProfileImageUploaded, VideoUnscanned
from storage.media_types import VIDEO_TYPES
from storage.models import Photo
from storage.postgres.database import Database
from storage.postgres.outbox import LONGEST_AFTER
from storage.reports import Category, SubjectKind
from storage.stores.media import contents, profile_images, quarantine
from storage.stores.media.profile_images import ProfileImage
from storage.stores.photos import photo_contents, photo_processing
from storage.stores.photos.photo_items import pictures_of
from workers.errors import Retry
from workers.jobs.context import WorkerContext
from workers.jobs.media.contents import ContentRemover
from workers.jobs.media.images import local_file
from workers.jobs.metrics import FindingMetrics, NoFindingMetrics
from workers.jobs.moderation.findings import FindingRecorder
from workers.outbound.client import OutboundClient
from workers.outbound.policy import TRUSTED
from workers.scanning.http_scanner import CIRCUIT, HttpScanner
from workers.scanning.port import NoScanMetrics, ScanMetrics, Scanner, ScanUnavailableError

# What the author reads. It says neither that nor by what a file was found.
REASON = "this file cannot be accepted"
RULE = "media.scan"
_PAUSE = 10.0  # seconds until a service without an answer is asked again

log = structlog.get_logger(__name__)


class ScanGate:
    """Decides whether an image may be processed; without a scanner each one may."""

    def __init__(
        self,
        db: Database,
        blobs: Blobs,
        scanner: Scanner | None = None,
        metrics: ScanMetrics | None = None,
        findings: FindingMetrics | None = None,
    ) -> None:
        self._db = db
        self._blobs = blobs
        self._scanner = scanner
        self._metrics = metrics or NoScanMetrics()
        self._recorder = FindingRecorder(findings or NoFindingMetrics())
        self._remover = ContentRemover(db, blobs)

    async def lets_photo(self, photo: Photo) -> bool:
        """Return whether a photo may be processed; otherwise it is rejected, or its event is emitted later."""
        if self._scanner is None:
            return True
        subject = {"photo_id": photo.id, "author_id": photo.author.id}
        event = VideoUnscanned(**subject) if photo.content_type in VIDEO_TYPES else PhotoUnscanned(**subject)
        pictures = [(picture.sha256, picture.content_type) for picture in pictures_of(photo)]
        found = await self._scan(self._scanner, pictures, later=event)
        if not found:
            return found is not None
        async with self._db.transaction() as tx:
            await self._recorder.record(
                tx, _finding(AbuseAction.CASE, SubjectKind.PHOTO, photo.id, photo.author.id, found)
            )
            await photo_processing.mark_rejected(tx, photo.id, reason=REASON)
        for sha256 in found:
            await self._hide_copies(sha256)
        return False

    async def lets_profile_image(self, image: ProfileImage) -> bool:
        """Return whether an avatar or a banner may be processed, as `lets_photo` does."""
        if self._scanner is None:
            return True
        event = ProfileImageUploaded(user_id=image.user_id, kind=image.kind.value, sha256=image.sha256)
        found = await self._scan(self._scanner, [(image.sha256, image.content_type)], later=event)
        if not found:
            return found is not None
        async with self._db.transaction() as tx:
            await self._recorder.record(
                tx, _finding(AbuseAction.CASE, SubjectKind.USER, image.user_id, image.user_id, found)
            )
            await profile_images.mark_rejected(tx, image.user_id, image.kind, image.sha256, reason=REASON)
        await self._hide_copies(image.sha256)
        return False

    async def _scan(
        self, scanner: Scanner, pictures: Sequence[tuple[str, str]], *, later: Event
    ) -> Sequence[str] | None:
        """Return the originals that match; with None the service has given no answer, and the event comes later."""
        try:
            return [sha256 for sha256, kind in pictures if await self._matches(scanner, sha256, kind)]
        except ScanUnavailableError as error:
            self._metrics.file_scanned(result="unavailable")
            log.warning("scan_waits", topic=later.topic, error=str(error))
            # Not all at the same moment, when there are many.
            pause = min(max(_PAUSE, error.retry_after) * random.uniform(1.0, 1.5), LONGEST_AFTER)
            async with self._db.transaction() as tx:
                tx.emit(later, after=pause)
            return None

    async def _matches(self, scanner: Scanner, sha256: str, content_type: str) -> bool:
        if await quarantine.has(self._db, sha256):
            return True
        # The lease keeps the original until it is in quarantine, even if its photo is deleted meanwhile.
        lease = await contents.lease_stored(self._db, sha256)
        if lease is None:
            raise Retry("the original is being removed")
        matches = False
        try:
            async with local_file(self._blobs, original_key(sha256)) as path:
                matches = await scanner.matches(path, sha256=sha256, content_type=content_type)
        except (NotFoundError, FileNotFoundError) as error:
            raise Retry("the original is missing") from error
        finally:
            async with self._db.transaction() as tx:
                if matches:
                    await quarantine.add(tx, sha256)
                await contents.release(tx, lease)
            if not matches and not await contents.is_referenced(self._db, sha256):
                # It was deleted meanwhile, and its removal was kept off by the lease.
                await self._remover.remove(sha256)
        self._metrics.file_scanned(result="match" if matches else "pass")
        if matches:
            log.error("scan_matched", sha256=sha256)
        return matches

    async def _hide_copies(self, sha256: str) -> None:
        """Hide the photos with the same original that were published before; each has a case of its own."""
        for photo_id, author_id in await photo_contents.shown_with(self._db, sha256):
            async with self._db.transaction() as tx:
                await self._recorder.record(
                    tx, _finding(AbuseAction.HIDE, SubjectKind.PHOTO, photo_id, author_id, [sha256])
                )


@asynccontextmanager
async def open_gate(context: WorkerContext) -> AsyncIterator[ScanGate]:
    """Yield the gate of a worker, with a client for the service if there is one."""
    if context.scan is None:
        yield ScanGate(context.db, context.blobs)
        return
    # The address is the operator's, so it may be one of the own network.
    async with OutboundClient(TRUSTED, name="scan") as client:
        scanner = HttpScanner(context.scan, client, context.circuits.circuit("scan", CIRCUIT))
        yield ScanGate(context.db, context.blobs, scanner, context.scan_metrics, context.finding_metrics)


def _finding(
    action: AbuseAction, subject: SubjectKind, subject_id: int, account_id: int, originals: Sequence[str]
) -> Finding:
    return Finding(
        kind=FindingKind.SCAN_MATCH,
        account_id=account_id,
        subject=subject,
        subject_id=subject_id,
        action=action,
        category=Category.CHILD_SAFETY,
        rule=RULE,
        key=f"{FindingKind.SCAN_MATCH}:{subject_id}:{originals[0]}",
        facts={"picture": originals[0], "pictures": len(originals)},
    )
