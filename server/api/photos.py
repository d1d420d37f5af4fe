"""Photos: upload, read, edit, delete, and the public lists."""

from __future__ import annotations

import orjson
from aiohttp import web

from server.actions.photos import EDIT_QUOTA, POST_QUOTA, PhotoActions, PhotoDetails, StagedPhoto, finalise, store
from server.api.photo_serializer import PhotoSerializer
from server.edge.api_request import ApiRequest, empty_response, json_response, list_response
from server.edge.endpoint import Auth, BodyFormat, Endpoint
from server.edge.idempotency import Idempotency
from server.edge.paging import Cursors, Pager
from server.edge.problems import bad_field
from server.edge.requests import PhotoMetadata, PhotosQuery, PhotoUpdate
from server.edge.responses import ListResponse, PhotoResponse
from server.media.uploads import UploadReceiver
from storage.blobs.port import Blobs
from storage.models import Photo
from storage.postgres.database import Database, Queryable, Transaction
from storage.postgres.reads import Reads
from storage.stores import photo_lists, photos

_SINGLE_FIELDS = ("caption", "alt_text", "location")


class PhotosApi:
    """`/photos`: lists, reading, editing and deleting."""

    def __init__(self, reads: Reads, cursors: Cursors, serializer: PhotoSerializer, actions: PhotoActions) -> None:
        self._reads = reads
        self._cursors = cursors
        self._serializer = serializer
        self._actions = actions

    def endpoints(self) -> list[Endpoint]:
        """Return the route table of this resource."""
        return [
            Endpoint(
                method="GET",
                path="/photos",
                handler=self.newest,
                summary="List the newest public photos, or those with a tag",
                tag="photos",
                auth=Auth.OPTIONAL,
                query=PhotosQuery,
                response=ListResponse[PhotoResponse],
            ),
            Endpoint(
                method="GET",
                path="/photos/{id}",
                handler=self.get,
                summary="Get a photo",
                tag="photos",
                auth=Auth.OPTIONAL,
                response=PhotoResponse,
                errors=(404,),
            ),
            Endpoint(
                method="PATCH",
                path="/photos/{id}",
                handler=self.edit,
                summary="Edit the caption, alternative text, tags or location of your photo",
                tag="photos",
                quota=EDIT_QUOTA,
                body=PhotoUpdate,
                response=PhotoResponse,
                errors=(404,),
            ),
            Endpoint(
                method="DELETE",
                path="/photos/{id}",
                handler=self.delete,
                summary="Delete your photo",
                tag="photos",
                quota=EDIT_QUOTA,
                status=204,
                errors=(404,),
            ),
        ]

    async def newest(self, request: ApiRequest) -> web.Response:
        """Handle `GET /photos`."""
        query, viewer_id = request.query(PhotosQuery), request.viewer_id
        pager = Pager(self._cursors, f"photos tagged {query.tag}" if query.tag else "photos")
        before, limit = pager.before(query.cursor), query.limit + 1

        async def newest(db: Queryable) -> list[Photo]:
            if query.tag:
                return await photo_lists.by_tag(db, query.tag, viewer_id=viewer_id, before=before, limit=limit)
            return await photo_lists.newest(db, viewer_id=viewer_id, before=before, limit=limit)

        found = await self._reads.read(viewer_id, newest)
        page, next_cursor = pager.cut(found, query.limit, lambda photo: photo.id)
        return list_response(await self._serializer.serialize(page, viewer_id), next_cursor)

    async def get(self, request: ApiRequest) -> web.Response:
        """Handle `GET /photos/{id}`."""
        photo_id, viewer_id = request.id(), request.viewer_id
        photo, liked = await self._reads.read(
            viewer_id, lambda db: photos.get_with_like(db, photo_id, viewer_id=viewer_id)
        )
        return json_response(self._serializer.serialize_one(photo, viewer_id, liked=liked))

    async def edit(self, request: ApiRequest) -> web.Response:
        """Handle `PATCH /photos/{id}`."""
        photo_id, form = request.id(), await request.body(PhotoUpdate)
        photo, liked = await self._actions.edit(
            request.viewer.user_id,
            photo_id,
            caption=form.caption,
            alt_text=form.alt_text,
            tags=form.tags,
            location=form.location,
        )
        return json_response(self._serializer.serialize_one(photo, request.viewer_id, liked=liked))

    async def delete(self, request: ApiRequest) -> web.Response:
        """Handle `DELETE /photos/{id}`."""
        await self._actions.delete(request.viewer.user_id, request.id())
        return empty_response()


class UploadApi:
    """`POST /photos`."""

    def __init__(
        self, db: Database, blobs: Blobs, uploads: UploadReceiver, idempotency: Idempotency, serializer: PhotoSerializer
    ) -> None:
        self._db = db
        self._uploads = uploads
        self._blobs = blobs
        self._idempotency = idempotency
        self._serializer = serializer

    def endpoints(self) -> list[Endpoint]:
        """Return the route table of this resource."""
        return [
            Endpoint(
                method="POST",
                path="/photos",
                handler=self.upload,
                summary="Upload a photo, a JPEG or PNG, in one request",
                tag="photos",
                quota=POST_QUOTA,
                stores=True,
                body=PhotoMetadata,
                body_format=BodyFormat.MULTIPART,
                status=201,
                response=PhotoResponse,
                errors=(408, 413, 415),
                idempotent=True,
            )
        ]

    async def upload(self, request: ApiRequest) -> web.Response:
        """Handle `POST /photos`."""
        async with self._uploads.receive(request.http) as upload:
            metadata = _metadata(upload.texts)
            fingerprint = upload.sha256.encode() + orjson.dumps(metadata.model_dump())
            # A repeated request gets the stored response before its bytes are stored. Of simultaneous ones each may
            # store the same bytes, but only one creates the photo.
            replayed = await self._idempotency.replay(request, fingerprint)
            if replayed is not None:
                return replayed
            staged = StagedPhoto(
                source=upload.path,
                sha256=upload.sha256,
                size=upload.size,
                content_type=upload.header.content_type,
                width=upload.header.width,
                height=upload.header.height,
            )
            lease = await store(self._db, self._blobs, staged)

            async def create_photo(tx: Transaction) -> bytes:
                details = PhotoDetails(**metadata.model_dump())
                photo = await finalise(tx, lease, staged, author_id=request.viewer.user_id, details=details)
                return self._serializer.serialize_new(photo)

            return await self._idempotency.create(request, fingerprint, create_photo)


def _metadata(texts: dict[str, list[str]]) -> PhotoMetadata:
    values: dict[str, object] = dict(texts)
    for name in _SINGLE_FIELDS:
        given = texts.get(name)
        if given is not None and len(given) > 1:
            raise bad_field(name, "Send this field only once.", status=422)
        if given is not None:
            values[name] = given[0]
    return PhotoMetadata.model_validate(values)
