"""Post photos: `POST /photos`."""

from __future__ import annotations

import orjson
from aiohttp import web

from server.actions.posting import POST_QUOTA
from server.api.staging import staged
from server.api.upload_posts import UploadPosts, details_of
from server.edge.api_request import ApiRequest
from server.edge.endpoint import BodyFormat, Endpoint
from server.edge.idempotency import Creation, created_response
from server.edge.photo_requests import PhotoFromUpload, PhotoMetadata
from server.edge.photo_responses import PhotoResponse
from server.edge.problem import bad_field
from server.identity.new_accounts import UPLOADS
from server.media.uploads import UploadReceiver

_SINGLE_FIELDS = ("caption", "alt_text", "location", "taken_at", "audience", "sensitive")


class UploadApi:
    """`POST /photos`: a form with the file, or JSON that names uploads."""

    def __init__(self, receiver: UploadReceiver, posts: UploadPosts) -> None:
        self._receiver = receiver
        self._posts = posts

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
            form = await request.body(PhotoFromUpload)
            return created_response(await self._posts.post(Creation.of(request), form, request.report_rate_limit))
        async with self._receiver.receive(request.http, videos=True) as upload:
            creation, metadata = Creation.of(request), _metadata(upload.texts)
            content = upload.sha256.encode() + orjson.dumps(metadata.model_dump())
            pictures = [(staged(upload), metadata.alt_text)]
            # A repeated request gets the stored response before its bytes are stored. Of simultaneous ones each may
            # store the same bytes, but only one creates the photo.
            replayed = await self._posts.replay(creation, content)
            created = replayed or await self._posts.create(creation, content, pictures, details_of(metadata))
            return created_response(created)


def _metadata(texts: dict[str, list[str]]) -> PhotoMetadata:
    values: dict[str, object] = dict(texts)
    for name in _SINGLE_FIELDS:
        given = texts.get(name)
        if given is not None and len(given) > 1:
            raise bad_field(name, "Send this field only once.", status=422)
        if given is not None:
            values[name] = given[0]
    return PhotoMetadata.model_validate(values)
