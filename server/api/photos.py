"""Photos: upload, look, change, delete, and the public lists."""

from __future__ import annotations

import orjson
from aiohttp import web

from server.actions.photos import PhotoDetails, StagedPhoto, finalise, store
from server.api.photo_serializer import PhotoSerializer
from server.edge.api_request import ApiRequest, empty_response, json_response, list_response
from server.edge.cursors import Cursors
from server.edge.endpoint import Auth, BodyFormat, Endpoint
from server.edge.idempotency import Idempotency
from server.edge.paging import Pager
from server.edge.problems import bad_field
from server.edge.requests import PhotoMetadata, PhotosQuery, PhotoUpdate
from server.edge.responses import ListResponse, PhotoResponse
from server.media.uploads import Uploads
from storage.blobs.port import Blobs
from storage.cache.cards import Cards
from storage.postgres.database import Database, Transaction
from storage.stores import photos

_SINGLE = ("caption", "alt_text", "location")


class PhotosApi:
    """`/photos`, reading and editing."""

    def __init__(self, db: Database, cards: Cards, cursors: Cursors, view: PhotoSerializer) -> None:
        self._db = db
        self._cards = cards
        self._cursors = cursors
        self._view = view

    def endpoints(self) -> list[Endpoint]:
        """Return the table of this resource."""
        return [
            Endpoint(
                method="GET",
                path="/photos",
                handler=self.newest,
                summary="The newest public photos, or those with a tag",
                tag="photos",
                auth=Auth.OPTIONAL,
                query=PhotosQuery,
                response=ListResponse[PhotoResponse],
            ),
            Endpoint(
                method="GET",
                path="/photos/{id}",
                handler=self.get,
                summary="One photo",
                tag="photos",
                auth=Auth.OPTIONAL,
                response=PhotoResponse,
                errors=(404,),
            ),
            Endpoint(
                method="PATCH",
                path="/photos/{id}",
                handler=self.change,
                summary="Change what stands beside one's own photo",
                tag="photos",
                quota="writes",
                body=PhotoUpdate,
                response=PhotoResponse,
                errors=(404,),
            ),
            Endpoint(
                method="DELETE",
                path="/photos/{id}",
                handler=self.delete,
                summary="Delete one's own photo",
                tag="photos",
                quota="writes",
                status=204,
                errors=(404,),
            ),
        ]

    async def newest(self, request: ApiRequest) -> web.Response:
        """Answer `GET /photos`."""
        query = request.query(PhotosQuery)
        pager = Pager(self._cursors, f"photos tagged {query.tag}" if query.tag else "photos")
        before, limit = pager.before(query.cursor), query.limit + 1
        if query.tag:
            found = await photos.by_tag(self._db, query.tag, viewer_id=request.viewer_id, before=before, limit=limit)
        else:
            found = await photos.newest(self._db, viewer_id=request.viewer_id, before=before, limit=limit)
        page, more = pager.cut(found, query.limit, lambda photo: photo.id)
        return list_response(await self._view.render(page, request.viewer_id), more)

    async def get(self, request: ApiRequest) -> web.Response:
        """Answer `GET /photos/{id}`."""
        photo = await photos.get(self._db, request.id(), viewer_id=request.viewer_id)
        return json_response(await self._view.render_one(photo, request.viewer_id))

    async def change(self, request: ApiRequest) -> web.Response:
        """Answer `PATCH /photos/{id}`."""
        photo_id, form = request.id(), await request.body(PhotoUpdate)
        async with self._db.transaction() as tx:
            photo = await photos.edit(
                tx,
                photo_id,
                author_id=request.viewer.user_id,
                caption=form.caption,
                alt_text=form.alt_text,
                tags=form.tags,
                location=form.location,
            )
        await self._cards.forget([photo_id])
        return json_response(await self._view.render_one(photo, request.viewer_id))

    async def delete(self, request: ApiRequest) -> web.Response:
        """Answer `DELETE /photos/{id}`: gone from every feed at once; workers remove the images."""
        photo_id = request.id()
        async with self._db.transaction() as tx:
            await photos.delete(tx, photo_id, author_id=request.viewer.user_id)
        await self._cards.tombstone(photo_id)
        return empty_response()


class UploadApi:
    """`POST /photos`."""

    def __init__(
        self, db: Database, blobs: Blobs, uploads: Uploads, idempotency: Idempotency, view: PhotoSerializer
    ) -> None:
        self._db = db
        self._uploads = uploads
        self._blobs = blobs
        self._idempotency = idempotency
        self._view = view

    def endpoints(self) -> list[Endpoint]:
        """Return the table of this resource."""
        return [
            Endpoint(
                method="POST",
                path="/photos",
                handler=self.upload,
                summary="Upload a photo in one request, a JPEG or PNG",
                tag="photos",
                quota="uploads",
                body=PhotoMetadata,
                body_format=BodyFormat.MULTIPART,
                status=201,
                response=PhotoResponse,
                errors=(408, 413, 415),
                idempotent=True,
            )
        ]

    async def upload(self, request: ApiRequest) -> web.Response:
        """Answer `POST /photos`."""
        async with self._uploads.receive(request.http) as upload:
            metadata = _metadata(upload.texts)
            fingerprint = upload.sha256.encode() + orjson.dumps(metadata.model_dump())
            # A repeat is answered without storing its bytes. Of several at once each may store the same bytes, and
            # then one creates the photo.
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

            async def act(tx: Transaction) -> bytes:
                details = PhotoDetails(**metadata.model_dump())
                photo = await finalise(tx, lease, staged, author_id=request.viewer.user_id, details=details)
                return self._view.render_new(photo)

            return await self._idempotency.create(request, fingerprint, act)


def _metadata(texts: dict[str, list[str]]) -> PhotoMetadata:
    values: dict[str, object] = dict(texts)
    for name in _SINGLE:
        given = texts.get(name)
        if given is not None and len(given) > 1:
            raise bad_field(name, "give this field once", status=422)
        if given is not None:
            values[name] = given[0]
    return PhotoMetadata.model_validate(values)
