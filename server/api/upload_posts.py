"""Create photos, each once for an idempotency key: of a form's file, or of files that were uploaded before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import orjson

from server.actions.posting import POST_QUOTA, PhotoDetails, StagedPhoto, finalise, store_pictures
from server.api.photo_serializer import PhotoSerializer
from server.api.staging import UploadStaging
from server.edge.idempotency import Created, Creation, Idempotency
from server.edge.photo_requests import PhotoFromUpload, PhotoMetadata
from server.identity.rate_limiter import RateLimiter
from server.identity.rate_limits import Charge
from storage.blobs.port import Blobs
from storage.holds import HoldPolicy
from storage.postgres.database import Database, Transaction


class UploadPosts:
    """Creation of photos; the responses have the JSON of the photo."""

    def __init__(
        self,
        *,
        db: Database,
        blobs: Blobs,
        limiter: RateLimiter,
        staging: UploadStaging,
        idempotency: Idempotency,
        serializer: PhotoSerializer,
        hold: HoldPolicy,
    ) -> None:
        self._db = db
        self._blobs = blobs
        self._limiter = limiter
        self._staging = staging
        self._idempotency = idempotency
        self._serializer = serializer
        self._hold = hold

    async def post(self, creation: Creation, form: PhotoFromUpload, report: Callable[[Charge], None]) -> Created:
        """Create the photo of uploads; `report` gets the charge of all pictures but the first.

        Raises as `UploadStaging.stage`, `store_pictures`, `finalise` and `Idempotency.create`.
        """
        content = orjson.dumps(form.model_dump())
        replayed = await self.replay(creation, content)
        if replayed is not None:
            return replayed
        items = form.pictures
        if len(items) > 1:
            # One was charged before the body was read.
            report(await self._limiter.charge_user(POST_QUOTA, creation.user_id, len(items) - 1))
        pictures = await self._staging.stage(creation.user_id, items)
        created = await self.create(
            creation,
            content,
            [(picture.original, picture.item.alt_text) for picture in pictures],
            details_of(form),
            upload_ids=[item.upload_id for item in items],
        )
        self._staging.record(pictures)
        return created

    async def replay(self, creation: Creation, content: bytes) -> Created | None:
        """Return the response to an earlier request with the same key, or None; see `Idempotency.replay`."""
        return await self._idempotency.replay(creation, content)

    async def create(
        self,
        creation: Creation,
        content: bytes,
        pictures: Sequence[tuple[StagedPhoto, str]],
        details: PhotoDetails,
        *,
        upload_ids: Sequence[int] = (),
    ) -> Created:
        """Store the originals of the pictures, which have their alternative texts with them, and create the photo."""
        stored = await store_pictures(self._db, self._blobs, pictures)

        async def create_photo(tx: Transaction) -> bytes:
            photo = await finalise(
                tx,
                stored,
                author_id=creation.user_id,
                details=details,
                upload_ids=upload_ids,
                hold=self._hold,
            )
            return self._serializer.serialize_new(photo)

        return await self._idempotency.create(creation, content, create_photo)


def details_of(metadata: PhotoMetadata) -> PhotoDetails:
    """Return the author's description of a new photo."""
    return PhotoDetails(
        caption=metadata.caption,
        tags=metadata.tags,
        location=metadata.location,
        taken_at=datetime.fromisoformat(metadata.taken_at) if metadata.taken_at else None,
        audience=metadata.audience,
        sensitive=metadata.sensitive,
    )
