"""Make the variants of avatars and banners, show them, and remove those that are not used any more."""

from __future__ import annotations

from collections.abc import Mapping

from storage.events import ProfileImageRemoved, ProfileImageUploaded
from storage.models import ProfileImageKind
from storage.postgres.database import Database
from storage.stores import contents, profile_images
from workers.handlers import EventHandler, on
from workers.images.decode import ImageRejectedError
from workers.jobs.contents import ContentRemover
from workers.jobs.images import ImageMaker
from workers.jobs.scans import ScanGate


class ProfileImageHandlers:
    """Handlers of avatars and banners in the queue "media"."""

    def __init__(self, db: Database, maker: ImageMaker, remover: ContentRemover, gate: ScanGate) -> None:
        self._db = db
        self._maker = maker
        self._remover = remover
        self._gate = gate

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

    async def removed(self, event: ProfileImageRemoved) -> None:
        """Remove an image's blobs unless something else has the same content."""
        await self._remover.remove(event.sha256)
