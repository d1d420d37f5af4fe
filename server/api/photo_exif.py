"""The EXIF of the viewer's own photos: read and delete it."""

from __future__ import annotations

from aiohttp import web

from server.actions.photos import EDIT_QUOTA, PhotoActions
from server.edge.api_request import ApiRequest, empty_response, json_response
from server.edge.endpoint import Endpoint
from server.edge.media_responses import PhotoExifResponse
from storage.postgres.database import Queryable
from storage.postgres.reads import Reads
from storage.stores.photos import photo_exif


class PhotoExifApi:
    """`/photos/{id}/exif`."""

    def __init__(self, reads: Reads, actions: PhotoActions) -> None:
        self._reads = reads
        self._actions = actions

    def endpoints(self) -> list[Endpoint]:
        """Return the route table of this resource."""
        return [
            Endpoint(
                method="GET",
                path="/photos/{id}/exif",
                handler=self.get,
                summary="Get the EXIF of your photo, of each of its pictures",
                tag="photos",
                response=PhotoExifResponse,
                errors=(404,),
            ),
            Endpoint(
                method="DELETE",
                path="/photos/{id}/exif",
                handler=self.delete,
                summary="Delete the EXIF of your photo",
                tag="photos",
                quota=EDIT_QUOTA,
                status=204,
                errors=(404,),
            ),
        ]

    async def get(self, request: ApiRequest) -> web.Response:
        """Handle `GET /photos/{id}/exif`."""
        photo_id, viewer_id = request.id(), request.viewer.user_id

        async def read(db: Queryable) -> PhotoExifResponse:
            exif = await photo_exif.get(db, photo_id, author_id=viewer_id)
            items = await photo_exif.of_items(db, photo_id, author_id=viewer_id)
            return PhotoExifResponse.from_model(exif, items)

        return json_response((await self._reads.read(viewer_id, read)).to_bytes())

    async def delete(self, request: ApiRequest) -> web.Response:
        """Handle `DELETE /photos/{id}/exif`."""
        await self._actions.delete_exif(request.viewer.user_id, request.id())
        return empty_response()
