"""Change one's avatar and banner.

An upload is stored like a photo's original, under a lease (`server.actions.photos`). The image appears once the worker
has made its variants; until then the one before it is shown.
"""

from __future__ import annotations

from dataclasses import dataclass

from server.actions.posting import StagedPhoto, store
from storage.blobs.port import Blobs
from storage.models import ProfileImageKind, ProfileImageState, User
from storage.postgres.database import Database
from storage.stores.accounts import users
from storage.stores.media import contents, profile_images

REPLACE_QUOTA = "uploads"
REMOVE_QUOTA = "writes"


@dataclass(frozen=True, kw_only=True, slots=True)
class ProfileImageStatus:
    """The state of the newest upload of a kind, None if there is none, and the user with the image that is shown."""

    state: ProfileImageState | None
    reason: str | None
    user: User


class ProfileImageActions:
    """Changes of the viewer's own avatar and banner; all raise `NotFoundError` once the account is deleted."""

    def __init__(self, db: Database, blobs: Blobs) -> None:
        self._db = db
        self._blobs = blobs

    async def replace(self, viewer_id: int, kind: ProfileImageKind, staged: StagedPhoto) -> ProfileImageStatus:
        """Store an image and have it processed, in place of an earlier upload that is not shown yet.

        Raises `UnavailableError` if the store does not answer in time.
        """
        lease = await store(self._db, self._blobs, staged)
        async with self._db.transaction() as tx:
            await contents.complete(tx, lease)
            await profile_images.create(
                tx,
                user_id=viewer_id,
                kind=kind,
                sha256=staged.sha256,
                content_type=staged.content_type,
                size=staged.size,
            )
        return await self.status(viewer_id, kind)

    async def status(self, viewer_id: int, kind: ProfileImageKind) -> ProfileImageStatus:
        """Return the state of the newest upload."""
        newest = await profile_images.newest(self._db, viewer_id, kind)
        return ProfileImageStatus(
            state=None if newest is None else newest.state,
            reason=None if newest is None else newest.reason,
            user=await users.get(self._db, viewer_id),
        )

    async def remove(self, viewer_id: int, kind: ProfileImageKind) -> None:
        """Remove the image and an upload that is not shown yet, if there are any."""
        async with self._db.transaction() as tx:
            await profile_images.remove(tx, viewer_id, kind)
