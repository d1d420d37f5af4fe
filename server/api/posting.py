"""Post photos: `POST /photos`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import orjson
from aiohttp import web

from server.actions.posting import POST_QUOTA, PhotoDetails, StagedPhoto, finalise, store_pictures
from server.api.photo_serializer import PhotoSerializer
from server.api.staging import UploadStaging, staged
from server.edge.api_request import ApiRequest
from server.edge.endpoint import BodyFormat, Endpoint
from server.edge.idempotency import Idempotency
from server.edge.photo_requests import PhotoFromUpload, PhotoMetadata
from server.edge.photo_responses import PhotoResponse
from server.edge.problem import bad_field
from server.identity.new_accounts import UPLOADS
from server.identity.rate_limiter import RateLimiter
from server.media.uploads import UploadReceiver
from storage.blobs.port import Blobs
from storage.holds import HoldPolicy
from storage.postgres.database import Database, Transaction

_SINGLE_FIELDS = ("caption", "alt_text", "location", "taken_at", "audience", "sensitive")


class UploadApi:
    """`POST /photos`: a form with the file, or JSON that names uploads."""

    def __init__(
        self,
        *,
        db: Database,
        blobs: Blobs,
        limiter: RateLimiter,
        receiver: UploadReceiver,
        staging: UploadStaging,
        idempotency: Idempotency,
        serializer: PhotoSerializer,
        hold: HoldPolicy,
    ) -> None:
        self._db = db
        self._blobs = blobs
        self._limiter = limiter
        self._receiver = receiver
        self._staging = staging
        self._idempotency = idempotency
        self._serializer = serializer
        self._hold = hold

    def endpoints(self) -> list[Endpoint]:
        """Return the route table of this resource."""
        return [
            Endpoint(
                method="POST",
                path="/photos",
                handler=self.upload,
                summary="Post a photo: upload an image in one request, or name up to ten that were uploaded before",
                tag="photos",
                quota=POST_QUOTA,
                new_account_quota=UPLOADS,
                stores=True,
                body=PhotoMetadata,
                body_format=BodyFormat.MULTIPART,
                json_body=PhotoFromUpload,
                status=201,
                response=PhotoResponse,
                errors=(404, 408, 413, 415),
                idempotent=True,
            )
        ]

    async def upload(self, request: ApiRequest) -> web.Response:
        """Handle `POST /photos`."""
        if request.http.content_type == BodyFormat.JSON.value:
            return await self._post_uploads(request)
        async with self._receiver.receive(request.http, videos=True) as upload:
            metadata = _metadata(upload.texts)
            fingerprint = upload.sha256.encode() + orjson.dumps(metadata.model_dump())
            # A repeated request gets the stored response before its bytes are stored. Of simultaneous ones each may
            # store the same bytes, but only one creates the photo.
            replayed = await self._idempotency.replay(request, fingerprint)
            if replayed is not None:
                return replayed
            pictures = [(staged(upload), metadata.alt_text)]
            return await self._create(request, fingerprint, pictures, _details(metadata))

    async def _post_uploads(self, request: ApiRequest) -> web.Response:
        form = await request.body(PhotoFromUpload)
        fingerprint = orjson.dumps(form.model_dump())
        replayed = await self._idempotency.replay(request, fingerprint)
        if replayed is not None:
            return replayed
        viewer_id, items = request.viewer.user_id, form.pictures
        if len(items) > 1:
            # One was charged before the body was read.
            request.report_rate_limit(await self._limiter.charge_user(POST_QUOTA, viewer_id, len(items) - 1))
        pictures = await self._staging.stage(viewer_id, items)
        response = await self._create(
            request,
            fingerprint,
            [(picture.original, picture.item.alt_text) for picture in pictures],
            _details(form),
            upload_ids=[item.upload_id for item in items],
        )
        self._staging.record(pictures)
        return response

    async def _create(
        self,
        request: ApiRequest,
        fingerprint: bytes,
        pictures: Sequence[tuple[StagedPhoto, str]],
        details: PhotoDetails,
        *,
        upload_ids: Sequence[int] = (),
    ) -> web.Response:
        stored = await store_pictures(self._db, self._blobs, pictures)

        async def create_photo(tx: Transaction) -> bytes:
            photo = await finalise(
                tx,
                stored,
                author_id=request.viewer.user_id,
                details=details,
                upload_ids=upload_ids,
                hold=self._hold,
            )
            return self._serializer.serialize_new(photo)

        return await self._idempotency.create(request, fingerprint, create_photo)


def _details(metadata: PhotoMetadata) -> PhotoDetails:
    return PhotoDetails(
        caption=metadata.caption,
        tags=metadata.tags,
        location=metadata.location,
        taken_at=datetime.fromisoformat(metadata.taken_at) if metadata.taken_at else None,
        audience=metadata.audience,
        sensitive=metadata.sensitive,
    )


def _metadata(texts: dict[str, list[str]]) -> PhotoMetadata:
    values: dict[str, object] = dict(texts)
    for name in _SINGLE_FIELDS:
        given = texts.get(name)
        if given is not None and len(given) > 1:
            raise bad_field(name, "Send this field only once.", status=422)
        if given is not None:
            values[name] = given[0]
    return PhotoMetadata.model_validate(values)
