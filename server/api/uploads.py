"""Uploads straight to the blob store: announce a file, and receive it where the store has no URLs of its own."""

from __future__ import annotations

from aiohttp import web

from server.actions.uploads import CREATE_QUOTA, UploadActions
from server.edge.api_request import ApiRequest, empty_response, json_response
from server.edge.endpoint import Auth, Endpoint
from server.edge.media_responses import DuplicateResponse, UploadResponse
from server.edge.problem import ProblemError
from server.edge.requests import SignedUploadQuery, UploadAnnouncement
from server.media.body_spool import BodySpool
from server.media.image_checks import UploadLimits, too_large
from server.media.local_uploads import DIGEST, LocalPresigner, sha256_of_digest
from server.media.video_checks import VideoUploadLimits, require_accepted
from storage.blobs.keys import incoming_key
from storage.ids import encode
from storage.media_types import VIDEO_TYPES
from storage.render.timestamps import timestamp


class SignedUploadsApi:
    """`POST /uploads`: a signed request by which the client stores a file itself."""

    def __init__(self, actions: UploadActions, limits: UploadLimits, videos: VideoUploadLimits) -> None:
        self._actions = actions
        self._limits = limits
        self._videos = videos

    def endpoints(self) -> list[Endpoint]:
        """Return the route table of this resource."""
        return [
            Endpoint(
                method="POST",
                path="/uploads",
                handler=self.announce,
                summary="Announce a file and get the request that stores it; then post it with POST /photos",
                tag="uploads",
                quota=CREATE_QUOTA,
                stores=True,
                body=UploadAnnouncement,
                status=201,
                response=UploadResponse,
                other_responses={200: DuplicateResponse},
                errors=(409, 413, 415),
            )
        ]

    async def announce(self, request: ApiRequest) -> web.Response:
        """Handle `POST /uploads`."""
        form, viewer_id = await request.body(UploadAnnouncement), request.viewer.user_id
        require_accepted(form.content_type, self._videos)
        limit = self._videos.max_bytes if form.content_type in VIDEO_TYPES else self._limits.max_bytes
        if form.bytes > limit:
            raise too_large(limit, form.content_type)
        duplicate = await self._actions.duplicate(viewer_id, form.sha256)
        if duplicate is not None:
            return json_response(DuplicateResponse(duplicate_of=encode(duplicate)).to_bytes())
        upload, signed = await self._actions.announce_signed(
            viewer_id, content_type=form.content_type, size=form.bytes, sha256=form.sha256
        )
        response = UploadResponse(
            upload_id=encode(upload.id),
            url=signed.url,
            method="PUT",
            headers=dict(signed.headers),
            expires_at=timestamp(upload.expires_at),
        )
        return json_response(response.to_bytes(), status=201)


class SignedContentApi:
    """`PUT /uploads/<id>/content`: receives a signed upload for a store that has no URLs of its own."""

    def __init__(self, actions: UploadActions, presigner: LocalPresigner, spool: BodySpool) -> None:
        self._actions = actions
        self._presigner = presigner
        self._spool = spool

    def endpoints(self) -> list[Endpoint]:
        """Return the route table of this resource."""
        return [
            Endpoint(
                method="PUT",
                path="/uploads/{id}/content",
                handler=self.receive,
                summary="Store an announced file; the URL and the header fields are those that POST /uploads returned",
                tag="uploads",
                auth=Auth.NONE,
                stores=True,
                query=SignedUploadQuery,
                status=201,
                errors=(403, 408, 409, 413, 422),
            )
        ]

    async def receive(self, request: ApiRequest) -> web.Response:
        """Handle `PUT /uploads/{id}/content`."""
        upload_id, query, headers = request.id(), request.query(SignedUploadQuery), request.http.headers
        content_type = headers.get("Content-Type", "")
        sha256 = sha256_of_digest(headers.get(DIGEST, ""))
        size = request.http.content_length
        if (
            sha256 is None
            or size is None
            or not self._presigner.verify(
                incoming_key(encode(upload_id)),
                expires=query.exp,
                signature=query.sig,
                content_type=content_type,
                size=size,
                sha256=sha256,
            )
        ):
            raise ProblemError(
                403,
                "signature_invalid",
                "The URL has expired, or the request has another type, length or hash than was announced.",
                headers={"Connection": "close"},
            )
        async with self._spool.receive(request.http, limit=size, algorithms=("sha256",)) as received:
            if not received.complete or received.spool.size != size:
                raise ProblemError(
                    400, "body_incomplete", "The body is shorter than announced. Send the request again."
                )
            if received.spool.sha256 != sha256:
                raise ProblemError(
                    422, "checksum_mismatch", "The body has another SHA-256 than was announced. Send it again."
                )
            await self._actions.receive_signed(upload_id, received.spool.path, content_type=content_type)
        return empty_response(201)
