"""Make the variants of avatars and banners, show them, and remove those that are not used any more."""

from __future__ import annotations

from collections.abc import Mapping

from storage.abuse import AbuseAction
from storage.events import ProfileImageRemoved, ProfileImageUploaded
from storage.models import ProfileImageKind
from storage.postgres.database import Database
from storage.stores.media import contents, profile_images
from storage.stores.media.profile_images import ProfileImage
from storage.stores.moderation import hash_lists
from workers.handlers import EventHandler, on
from workers.images.decode import Decoded, ImageRejectedError
from workers.jobs.media.contents import ContentRemover
from workers.jobs.media.images import ImageMaker, hash_of
from workers.jobs.media.listed_images import record_profile_matches
from workers.jobs.media.scans import ScanGate
from workers.jobs.moderation.findings import FindingRecorder

# A profile image is not shown to its user alone for a while, as a photo is.
_WITHHOLDING = frozenset({AbuseAction.HOLD, AbuseAction.HIDE})
_REASON = "it resembles an image that is not allowed here"


class ProfileImageHandlers:
    """Handlers of avatars and banners in the queue "media"."""

    def __init__(
        self, db: Database, maker: ImageMaker, remover: ContentRemover, gate: ScanGate, recorder: FindingRecorder
    ) -> None:
        self._db = db
        self._maker = maker
        self._remover = remover
        self._gate = gate
        self._recorder = recorder

    def handlers(self) -> Mapping[str, EventHandler]:
        """Return the handler of each topic."""
        return {**on(ProfileImageUploaded, self.uploaded), **on(ProfileImageRemoved, self.removed)}

    async def uploaded(self, event: ProfileImageUploaded) -> None:
        """Make the variants and show the image, or reject it with the reason; the image before it stays."""
        kind = ProfileImageKind(event.kind)
        image = await profile_images.in_processing(self._db, event.user_id, kind, event.sha256)
        if image is None or not await self._gate.lets_profile_image(image):
            return
        try:
            decoded = await self._maker.decode(image.sha256, author_id=image.user_id)
        except ImageRejectedError as error:
            async with self._db.transaction() as tx:
                await profile_images.mark_rejected(tx, image.user_id, kind, image.sha256, reason=str(error))
            return
        if await self._is_listed(image, decoded):
            return
        lease = await contents.acquire(self._db, sha256=image.sha256, size=image.bytes, content_type=image.content_type)
        # Only an image that was replaced or removed can be in removal.
        if lease is None:
            return
        await self._maker.store(image.sha256, decoded)
        async with self._db.transaction() as tx:
            shown = await profile_images.mark_ready(tx, image.user_id, kind, image.sha256)
            await contents.release(tx, lease)
        if not shown:
            # It was removed meanwhile, and its removal was kept off by the lease; or another delivery of the event was
            # faster, and the image is in use.
            await self._remover.remove(image.sha256)

    async def _is_listed(self, image: ProfileImage, decoded: Decoded) -> bool:
        """Record that an image is in lists of known images; reject it, and return True, if one withholds it."""
        matches = await hash_lists.matches(self._db, [hash_of(image.sha256, decoded)])
        withheld = any(match.action in _WITHHOLDING for match in matches)
        if matches:
            async with self._db.transaction() as tx:
                await record_profile_matches(tx, self._recorder, matches, user_id=image.user_id)
                if withheld:
                    await profile_images.mark_rejected(tx, image.user_id, image.kind, image.sha256, reason=_REASON)
        return withheld

    async def removed(self, event: ProfileImageRemoved) -> None:
        """Remove an image's blobs unless something else has the same content."""
        await self._remover.remove(event.sha256)
