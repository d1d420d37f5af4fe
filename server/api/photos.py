"""Photos: read, edit, delete, and the public lists."""

from __future__ import annotations

from aiohttp import web

from server.actions.photos import EDIT_QUOTA, PhotoActions
from server.api.photo_serializer import PhotoSerializer
from server.edge.api_request import ApiRequest, empty_response, json_response, list_response
from server.edge.endpoint import Auth, Endpoint
from server.edge.paging import Cursors, Pager
from server.edge.photo_requests import PhotoUpdate
from server.edge.photo_responses import PhotoResponse
from server.edge.requests import PhotosQuery
from server.edge.responses import ListResponse
from storage.models import Photo
from storage.postgres.database import Queryable
from storage.postgres.reads import Reads
from storage.render.photo import with_saved
from storage.stores.photos import photo_lists, photos
from storage.stores.saved import collection_items


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
                tagged=True,
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
                summary="Edit the pictures, description or audience of your photo",
                tag="photos",
                quota=EDIT_QUOTA,
                body=PhotoUpdate,
                response=PhotoResponse,
                errors=(404, 409),
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

        async def read(db: Queryable) -> tuple[Photo, bool, bool]:
            photo, liked = await photos.get_with_like(db, photo_id, viewer_id=viewer_id)
            if viewer_id is None:
                return photo, liked, False
            # What the viewer has saved is in the viewer's shard, and the photo in its author's.
            return photo, liked, bool(await collection_items.saved_among(db, [photo_id], owner_id=viewer_id))

        photo, liked, saved = await self._reads.read(viewer_id, read)
        json = self._serializer.serialize_one(photo, viewer_id, liked=liked)
        return json_response(json if viewer_id is None else with_saved(json, saved))

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
            taken_at=form.taken_at,
            items=form.edits,
            audience=form.audience,
            sensitive=form.sensitive,
        )
        return json_response(self._serializer.serialize_one(photo, request.viewer_id, liked=liked))

    async def delete(self, request: ApiRequest) -> web.Response:
        """Handle `DELETE /photos/{id}`."""
        await self._actions.delete(request.viewer.user_id, request.id())
        return empty_response()
